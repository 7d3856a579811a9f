"""Algorithm 2 decides as the paper's pseudocode does, which encodes the whole text again after each removal."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from asap_hf.errors import UnusableTrace
from asap_hf.pruners.selection import lengths_after_removals, removal_order, removals_within, select_by_budget
from asap_hf.traces.trace import Trace

PROJECT = Path(__file__).resolve().parents[2]
SAMPLES = PROJECT / "asap_hf" / "traces" / "samples" / "traces.jsonl"
DATA = PROJECT.parent / "shared" / "data"
REAL = DATA / "traces" / "codeforces_cots_py.jsonl.gz"
R1 = DATA / "tokenizers" / "deepseek-r1-distill-qwen" / "tokenizer.json"
AS_R1 = pytest.param(
    "deepseek-r1-distill-qwen", marks=pytest.mark.skipif(not R1.exists(), reason="needs the shared tokenizers")
)

Count = Callable[[Sequence[str]], list[int]]


def algorithm_2(steps: Sequence[str], scores: Sequence[float], budget: int, count: Count) -> list[int]:
    """The paper's pseudocode, lines 4 to 20, by position; one step stays, as an empty reasoning is none."""
    kept = list(range(len(steps)))

    def length() -> int:
        return count(["".join(steps[position] for position in kept).rstrip()])[0]

    if length() <= budget:
        return kept
    for step in sorted(kept, key=lambda position: scores[position])[:-1]:
        if length() <= budget:
            break
        kept.remove(step)
    return kept


def counter(tokenizer: Tokenizer) -> Count:
    return lambda texts: [len(one) for one in tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]


def sample_reasonings() -> list[str]:
    with SAMPLES.open(encoding="utf-8") as file:
        return [Trace.parse("q", json.loads(line)["completion"]).reasoning for line in file]


def byte_level() -> Tokenizer:
    """As GPT-2's and its followers', blank lines and indentation in tokens of their own."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=2000, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(sample_reasonings(), trainer)
    return tokenizer


def whole_text(over_lines: bool) -> Tokenizer:
    """As SentencePiece's: a mark for each space and one before the text, which is one single word to merge in.

    As theirs, no token holds a line break and anything else, but `over_lines` learns such ones too.
    """
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    special = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.BpeTrainer(vocab_size=2000, special_tokens=special, show_progress=False, max_token_length=12)
    if not over_lines:
        breaks = pre_tokenizers.Split(Regex(r"\n+"), "isolated")
        marks = pre_tokenizers.Split("▁", "merged_with_next")
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([breaks, marks])
    texts = [text[start : start + 200] for text in sample_reasonings() for start in range(0, len(text), 200)]
    tokenizer.train_from_iterator(texts, trainer)
    if not over_lines:
        settings = json.loads(tokenizer.to_str())
        tokenizer = Tokenizer.from_str(json.dumps({**settings, "pre_tokenizer": None}))
    return tokenizer


@pytest.fixture(scope="module")
def counts(embedded_model: str) -> dict[str, Count]:
    tokenizers = {
        "embedded": Tokenizer.from_file(str(Path(embedded_model) / "tokenizer.json")),
        "byte-level": byte_level(),
        "whole text": whole_text(over_lines=False),
        OVER_LINES: whole_text(over_lines=True),
    }
    if R1.exists():
        tokenizers["deepseek-r1-distill-qwen"] = Tokenizer.from_file(str(R1))
    return {name: counter(tokenizer) for name, tokenizer in tokenizers.items()} | {"characters": characters}


OVER_LINES = "whole text, over line breaks"


def characters(texts: Sequence[str]) -> list[int]:
    return [len(text) for text in texts]


NAMES = ["embedded", "byte-level", "whole text", "characters"]


def check_outcome(steps: Sequence[str], scores: Sequence[float], budgets: Sequence[int], count: Count) -> None:
    for budget in budgets:
        selection = select_by_budget(steps, scores, budget, count)
        assert list(selection.kept) == algorithm_2(steps, scores, budget, count)
        assert [selection.tokens] == count(["".join(steps[position] for position in selection.kept).rstrip()])
        assert selection.tokens == selection.lengths[selection.removed]
        assert selection.tokens <= budget or len(selection.kept) == 1


def check(steps: Sequence[str], scores: Sequence[float], budgets: Sequence[int], count: Count) -> None:
    order = removal_order(scores)
    remaining = [sorted(order[removals:]) for removals in range(len(steps))]
    lengths = tuple(count(["".join(steps[position] for position in kept).rstrip() for kept in remaining]))
    assert lengths_after_removals(steps, order, count) == lengths
    assert select_by_budget(steps, scores, 1, count).order == order
    check_outcome(steps, scores, budgets, count)


@pytest.mark.parametrize("name", [*NAMES, AS_R1])
def test_the_bundled_traces(name: str, counts: dict[str, Count]) -> None:
    rng = random.Random(7)
    for reasoning in sample_reasonings()[::6]:
        steps = Trace.parse("q", f"{reasoning}</think>5", "paper").steps
        scores = [rng.choice([0.0, 0.5, rng.random()]) for _ in steps]
        check(steps, scores, [60, 400, 10_000], counts[name])


def test_a_tokenizer_whose_tokens_span_steps(counts: dict[str, Count]) -> None:
    """Where the sum of parts is off it is seen, and the text is counted anew after each removal."""
    rng = random.Random(7)
    off = 0
    for reasoning in sample_reasonings()[::6]:
        steps = Trace.parse("q", f"{reasoning}</think>5", "paper").steps
        scores = [rng.random() for _ in steps]
        off += (
            lengths_after_removals(steps, removal_order(scores), counts[OVER_LINES])[0]
            != counts[OVER_LINES]([reasoning])[0]
        )
        check_outcome(steps, scores, [60, 400], counts[OVER_LINES])
    assert off


@pytest.mark.skipif(not REAL.exists(), reason="needs the shared traces")
@pytest.mark.parametrize("name", ["embedded", AS_R1])
def test_real_traces(name: str, counts: dict[str, Count]) -> None:
    rng = random.Random(11)
    with gzip.open(REAL, "rt", encoding="utf-8") as file:
        completions = [json.loads(line)["response"] for line in islice(file, 0, 400, 50)]
    checked = 0
    for completion in completions:
        try:
            steps = Trace.parse("q", completion).steps[:70]
        except UnusableTrace:
            continue
        check(steps, [rng.choice([0.25, rng.random()]) for _ in steps], [300], counts[name])
        checked += 1
    assert checked >= 6


BLANKS = st.sampled_from(["\n\n", "\n\n\n", "\n \n", "\r\n\r\n", "\n\n\n\n\n"])
LINES = st.sampled_from(
    [
        "Wait.",
        "x",
        "    return 1",
        "\tx",
        "1",
        "So n = 5",
        "----",
        "é 🧮",
        "数",
        "a" * 90,
        "=" * 130,
        "1" * 70,
        "```py",
    ]
)
PARTS = st.lists(st.tuples(LINES, BLANKS, st.sampled_from([0.0, 1.0, 1.5, -2.0])), min_size=1, max_size=12)


@pytest.mark.parametrize("name", [*NAMES, AS_R1])
def test_any_steps(name: str, counts: dict[str, Count]) -> None:
    @given(PARTS, st.integers(1, 60))
    @settings(deadline=None, max_examples=60)
    def agree(parts: list[tuple[str, str, float]], budget: int) -> None:
        steps = [text + blank for text, blank, _ in parts]
        steps[-1] = steps[-1].rstrip()
        check(steps, [score for _, _, score in parts], [budget], counts[name])

    agree()


def test_of_equal_scores_the_earlier_step_goes_first() -> None:
    assert removal_order([1.0, 0.5, 1.0, 0.5, 0.5]) == (1, 3, 4, 0, 2)
    steps = ["Wait.\n\n", "Wait.\n\n", "So 5.\n\n", "Wait."]
    assert select_by_budget(steps, [1.0] * 4, 15, characters).kept == (2, 3)


def test_one_step_stays_and_the_overshoot_is_told() -> None:
    selection = select_by_budget(["short\n\n", "by far the longest\n\n", "mid"], [0.1, 0.3, 0.2], 5, characters)
    assert selection.kept == (1,)
    assert selection.tokens == len("by far the longest") > 5
    assert selection.removed == 2
    assert select_by_budget(["alone"], [0.0], 1, characters).kept == (0,)


def test_what_fits_stays_whole() -> None:
    selection = select_by_budget(["a\n\n", "b\n\n", "c"], [0.1, 0.3, 0.2], 7, characters)
    assert (selection.kept, selection.removed, selection.tokens) == ((0, 1, 2), 0, 7)


def test_any_other_budget_is_read_off_the_lengths() -> None:
    steps = ["one\n\n", "two two\n\n", "three\n\n", "four"]
    scores = [0.4, 0.1, 0.3, 0.2]
    lengths = select_by_budget(steps, scores, 1, characters).lengths
    assert lengths == (25, 16, 10, 3)
    for budget in range(1, 30):
        selection = select_by_budget(steps, scores, budget, characters)
        assert selection.removed == removals_within(lengths, budget)


def test_the_first_length_that_fits_ends_it_though_a_later_one_may_not() -> None:
    assert removals_within([9, 5, 6, 4], 5) == 1
    assert removals_within([9, 5, 6, 4], 4) == 3
    assert removals_within([9, 5, 6, 4], 3) == 3


def test_a_count_that_no_sum_of_parts_gives() -> None:
    """Each word costs one token however often it stands there: the text is counted anew after each removal."""

    def different_words(texts: Sequence[str]) -> list[int]:
        return [len(set(text.split())) for text in texts]

    rng = random.Random(5)
    for _ in range(20):
        steps = [" ".join(rng.choices("abcdefghijkl", k=4)) + "\n\n" for _ in range(9)]
        scores = [rng.random() for _ in steps]
        check_outcome(steps, scores, range(1, 13), different_words)


@pytest.mark.parametrize(
    ("steps", "scores", "budget"), [([], [], 5), (["a"], [], 5), (["a"], [0.0, 1.0], 5), (["a"], [0.0], 0)]
)
def test_what_cannot_be_selected_from(steps: list[str], scores: list[float], budget: int) -> None:
    with pytest.raises(ValueError, match=r"steps need as many scores|at least 1 token"):
        select_by_budget(steps, scores, budget, characters)


def test_a_trace_of_sixty_thousand_tokens(counts: dict[str, Count]) -> None:
    rng = random.Random(3)
    steps = [
        " ".join(rng.choice(["Wait,", "so", "n", "= 5", "then", "é"]) for _ in range(18)) + "\n\n" for _ in range(2500)
    ]
    steps[-1] = steps[-1].rstrip()
    scores = [rng.random() for _ in steps]
    count = counts["byte-level"]
    assert count(["".join(steps)])[0] > 60_000
    selection = select_by_budget(steps, scores, 4096, count)
    kept = list(selection.kept)
    assert count(["".join(steps[position] for position in kept).rstrip()])[0] == selection.tokens <= 4096
    assert min(scores[position] for position in kept) > max(
        scores[position] for position in selection.order[: selection.removed]
    )
