"""The scorer as people use it: exactness, failures, windows, memory, ledger, pickling."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets.fingerprint import Hasher
from transformers import AutoModelForCausalLM, AutoTokenizer

from asap_hf.errors import RunError, UsageError
from asap_hf.scoring import steps as scoring_steps
from asap_hf.scoring.forward import ScoringModel
from asap_hf.scoring.outcome import SCORES
from asap_hf.scoring.surprisal import ScoringFailure, StepScores, SurprisalScorer, flops_per_trace, model_config
from asap_hf.scoring.windows import Window
from asap_hf.traces.trace import Trace
from tests.tiny_models import byte_level_tokenizer, save_model, tiny_llama

TOKENIZERS = Path(__file__).parents[2] / ".." / "shared" / "data" / "tokenizers"

PROSE = ("Okay, so I need to read n.\n\n", "Wait.\n\n", "Let me think again.\n\n", "Wait.\n\n", "Done")
CODE = ("First the loop:\n\n", "    for i in range(n):\n\n", "        if i % 2 == 0:\n\n", "\t\treturn i\n\n", "Good.")
UNICODE = ("数 🙂\n\n", "🙂🙂 é é\n\n", "é\r\n\r\n", "数数 x", "🙂")
TRACES = [Trace(f"Question {n}: é?", steps, "42") for n, steps in enumerate((PROSE, CODE, UNICODE, ("Hm",)))]


@pytest.fixture(autouse=True)
def _own_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASAP_HF_LEDGER", str(tmp_path / "ledger"))


def scorer(model: str, **changes: Any) -> SurprisalScorer:
    return SurprisalScorer(model, **{"dtype": "float32", "context": "raw", **changes})


def naive(model: str, trace: Trace, prefix: str, bos: bool, dtype: str = "float32") -> StepScores:
    """The scores as a loop over the full softmax of the full logits, every step looked for character by character."""
    tokenizer = AutoTokenizer.from_pretrained(model)
    network = AutoModelForCausalLM.from_pretrained(model, dtype=getattr(torch, dtype)).eval()
    text = prefix + trace.reasoning
    spans = untrimmed_offsets(tokenizer, text)
    ids = tokenizer(text, add_special_tokens=False).input_ids
    leading = [tokenizer.bos_token_id] if bos else []
    with torch.no_grad():
        logits = network(torch.tensor([leading + ids])).logits[0]
    log_p = logits.float().log_softmax(-1)
    before = [len(leading) + k - 1 for k in range(len(ids))]
    surprisal = [-log_p[row, token].item() for row, token in zip(before, ids, strict=True)]
    entropy = [-(log_p[row].exp() * log_p[row]).sum().item() for row in before]
    columns: dict[str, list[float]] = {name: [] for name in SCORES}
    place = len(prefix)
    for step in trace.steps:
        first = next(k for k, (_, end) in enumerate(spans) if end > place)
        own = [k for k, (_, end) in enumerate(spans) if place <= end - 1 < place + len(step)] or [first]
        columns["first_token_surprisal"].append(surprisal[first])
        columns["first_token_entropy"].append(entropy[first])
        columns["mean_surprisal"].append(sum(surprisal[k] for k in own) / len(own))
        columns["mean_entropy"].append(sum(entropy[k] for k in own) / len(own))
        columns["perplexity"].append(torch.tensor(columns["mean_surprisal"][-1]).exp().item())
        place += len(step)
    tokens = sum(end > len(prefix) for _, end in spans)
    return StepScores(**{name: tuple(values) for name, values in columns.items()}, tokens=tokens, windows=1)


def untrimmed_offsets(tokenizer: Any, text: str) -> list[tuple[int, int]]:
    """Where each token stands, from the bytes that byte-level tokens spell."""
    printable = {byte for byte in range(256) if chr(byte).isprintable() and not chr(byte).isspace()}
    others = [byte for byte in range(256) if byte not in printable]
    byte_of = {chr(byte): byte for byte in printable} | {chr(256 + n): byte for n, byte in enumerate(others)}
    special = {token.content for token in tokenizer.added_tokens_decoder.values()}
    places = [index for index, character in enumerate(text) for _ in character.encode()]
    spans, at = [], 0
    for token in tokenizer.tokenize(text):
        size = len(token.encode() if token in special else bytes(byte_of[character] for character in token))
        spans.append((places[at], places[at + size - 1] + 1))
        at += size
    assert at == len(places)
    return spans


def assert_close(ours: StepScores | ScoringFailure, expected: StepScores, tolerance: float = 2e-5) -> None:
    assert isinstance(ours, StepScores)
    assert (ours.tokens, ours.windows) == (expected.tokens, expected.windows)
    for name in SCORES:
        assert getattr(ours, name) == pytest.approx(getattr(expected, name), rel=tolerance, abs=tolerance), name


@pytest.mark.parametrize("trace", TRACES, ids=["prose", "code", "unicode", "one-step"])
@pytest.mark.parametrize("bos", [True, False])
@pytest.mark.parametrize("context", ["raw", "chat"])
def test_scores_equal_a_loop_over_the_full_softmax(tmp_path: Path, trace: Trace, bos: bool, context: str) -> None:
    chat = "{% for message in messages %}Q: {{ message['content'] }}\n{% endfor %}A: "
    model = save_model(tmp_path, tokenizer=byte_level_tokenizer(bos, chat))
    prefix = f"Q: {trace.question}\nA: <think>\n" if context == "chat" else f"{trace.question}\n<think>\n"
    [ours] = scorer(model, context=context).score([trace])
    assert_close(ours, naive(model, trace, prefix, bos))


def test_equal_steps_have_their_own_scores(tiny: str) -> None:
    [scores] = scorer(tiny).score([TRACES[0]])
    assert TRACES[0].steps[1] == TRACES[0].steps[3]
    assert scores.first_token_surprisal[1] != scores.first_token_surprisal[3]


def test_first_token_scores_alone_are_the_same_ones(tiny: str) -> None:
    for full, first in zip(scorer(tiny).score(TRACES), scorer(tiny, all_scores=False).score(TRACES), strict=True):
        assert first.first_token_surprisal == full.first_token_surprisal
        assert first.first_token_entropy == full.first_token_entropy
        assert (first.tokens, first.windows) == (full.tokens, full.windows)
        assert first.mean_surprisal == first.mean_entropy == first.perplexity == ()


def test_first_token_scores_computed_alone_agree(tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASAP_HF_LEDGER", "off")
    for full, first in zip(scorer(tiny).score(TRACES), scorer(tiny, all_scores=False).score(TRACES), strict=True):
        assert first.first_token_surprisal == pytest.approx(full.first_token_surprisal, abs=1e-5)
        assert first.first_token_entropy == pytest.approx(full.first_token_entropy, abs=1e-5)


@pytest.mark.parametrize("architecture", ["qwen2", "gemma2", "cohere", "granite", "phi"])
def test_other_architectures(tmp_path: Path, architecture: str) -> None:
    from transformers import AutoConfig

    changes = {
        "gemma2": {"head_dim": 8, "final_logit_softcapping": 5.0, "query_pre_attn_scalar": 8},
        "cohere": {"logit_scale": 0.3},
        "granite": {"logits_scaling": 6.0},
    }.get(architecture, {})
    sizes = {name: value for name, value in tiny_llama().to_dict().items() if name in _SIZES}
    config = AutoConfig.for_model(architecture, **{**sizes, **changes})
    tokenizer = byte_level_tokenizer(bos=False)
    tokenizer.chat_template = None
    folder = save_model(tmp_path, config, tokenizer)
    prefix = f"{TRACES[1].question}\n<think>\n"
    [ours] = scorer(folder).score([TRACES[1]])
    assert_close(ours, naive(folder, TRACES[1], prefix, bos=False), tolerance=1e-4)


_SIZES = {
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "max_position_embeddings",
}


@pytest.mark.skipif(not TOKENIZERS.is_dir(), reason="no shared data")
def test_the_tokenizer_of_r1_distill_qwen(tmp_path: Path) -> None:
    from transformers import Qwen2Config

    tokenizer = AutoTokenizer.from_pretrained(TOKENIZERS / "deepseek-r1-distill-qwen")
    tokenizer.chat_template = (
        TOKENIZERS / "chat_templates" / "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B.jinja"
    ).read_text()
    sizes = {name: getattr(tiny_llama(), name) for name in _SIZES - {"vocab_size"}}
    folder = save_model(tmp_path, Qwen2Config(vocab_size=len(tokenizer), **sizes), tokenizer)
    [ours] = scorer(folder, context="chat").score([TRACES[1]])
    prefix = f"<｜User｜>{TRACES[1].question}<｜Assistant｜><think>\n"
    assert_close(ours, naive(folder, TRACES[1], prefix, bos=True), tolerance=1e-4)


def test_unknown_step_between_body_and_head_is_refused(tmp_path: Path) -> None:
    folder = Path(save_model(tmp_path))
    model = ScoringModel(AutoModelForCausalLM.from_pretrained(folder), torch.device("cpu"))
    model.check(range(16))
    model.head.scale = 1.1
    with pytest.raises(RunError, match="in a way that is not known"):
        model.check(range(16))


def test_a_batch_gives_what_one_by_one_gives(tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASAP_HF_LEDGER", "off")
    traces = [Trace("Q", (f"{'Wait, ' * (40 + n % 3)}no.\n\n", "Done."), "1") for n in range(9)]
    batches = record_batches(monkeypatch)
    together = scorer(tiny).score(traces)
    assert any(len(set(lengths)) > 1 for lengths in batches), "no batch with padding"
    for one, trace in zip(together, traces, strict=True):
        assert_close(scorer(tiny).score([trace])[0], one, tolerance=1e-5)


def record_batches(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """Lengths of the windows of every forward pass from now on."""
    batches: list[list[int]] = []
    score = ScoringModel.score

    def recording(self: ScoringModel, windows: Any) -> Any:
        batches.append([len(window) for window in windows])
        return score(self, windows)

    monkeypatch.setattr(ScoringModel, "score", recording)
    return batches


def test_batches_keep_to_their_token_budget(tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    traces = [Trace(f"Q{n}", ("Wait, " * 30,), "1") for n in range(8)]
    batches = record_batches(monkeypatch)
    scorer(tiny, max_batch_tokens=400).score(traces)
    assert sum(map(len, batches)) == len(traces)
    assert len(batches) > 1
    assert all(len(lengths) * max(lengths) <= 400 for lengths in batches)


def long_trace(steps: int) -> Trace:
    return Trace("Read n and print it.", tuple(f"Step {n}: let me think again.\n\n" for n in range(steps)), "42")


def test_longer_than_the_context_is_scored_in_windows(tiny: str) -> None:
    trace, short = long_trace(30), TRACES[0]
    whole, short_whole = scorer(tiny).score([trace, short])
    windowed, short_windowed = scorer(tiny, max_context=128).score([trace, short])
    assert (whole.windows, short_windowed.windows) == (1, 1)
    assert windowed.windows > 3
    assert windowed.tokens == whole.tokens
    assert_close(short_windowed, short_whole)
    # The first window sees what the whole sees; the later ones less.
    assert windowed.first_token_surprisal[:2] == pytest.approx(whole.first_token_surprisal[:2], abs=1e-5)
    assert windowed.first_token_surprisal[-2:] != pytest.approx(whole.first_token_surprisal[-2:], abs=1e-3)


def test_a_question_beyond_the_context_is_cut_and_said_to_be(tiny: str) -> None:
    trace = Trace("Wait, " * 300, PROSE, "42")
    [scores] = scorer(tiny, max_context=128).score([trace])
    assert scores.question_cut > 300
    [answer] = scorer(tiny, max_context=128)([trace])
    assert answer["question_cut"] == scores.question_cut
    assert scorer(tiny).score([trace])[0].question_cut == 0


def test_windows_count_the_same_without_the_mean_scores(tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASAP_HF_LEDGER", "off")
    trace = Trace("Q", ("Wait, " * 200 + "\n\n", "so the answer is 42."), "42")
    [full] = scorer(tiny, max_context=128).score([trace])
    [first] = scorer(tiny, max_context=128, all_scores=False).score([trace])
    assert (full.windows, full.tokens) == (first.windows, first.tokens)
    assert first.first_token_surprisal == pytest.approx(full.first_token_surprisal, abs=1e-5)


def test_a_trace_of_sixty_thousand_tokens(tmp_path: Path) -> None:
    model = save_model(tmp_path, tiny_llama(max_position_embeddings=1024))
    trace = long_trace(5000)
    [scores] = scorer(model, all_scores=False).score([trace])
    assert scores.tokens > 60_000
    assert scores.windows > 60
    assert len(scores.first_token_surprisal) == 5000


def test_out_of_memory_halves_the_batch(tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    traces = [Trace(f"Q{n}", ("Wait, " * 30, "Done."), "1") for n in range(8)]
    expected = scorer(tiny).score(traces)
    monkeypatch.setenv("ASAP_HF_LEDGER", "off")
    sizes = run_out_of_memory(monkeypatch, lambda windows: len(windows) > 2)
    assert scorer(tiny).score(traces) == pytest.approx(expected)
    assert sizes == [8, 4, 2, 2, 2, 2]


def test_a_trace_that_does_not_fit_alone_fails_alone(tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    traces = [Trace("Q", ("Wait, " * 60, "Done."), "1"), TRACES[0], TRACES[1]]
    run_out_of_memory(monkeypatch, lambda windows: max(map(len, windows)) > 150)
    outcomes = scorer(tiny).score(traces)
    assert outcomes[0] == ScoringFailure("out_of_memory")
    assert [type(outcome) for outcome in outcomes[1:]] == [StepScores, StepScores]


def run_out_of_memory(monkeypatch: pytest.MonkeyPatch, when: Any) -> list[int]:
    sizes: list[int] = []
    score = ScoringModel.score

    def short_of_memory(self: ScoringModel, windows: Any) -> Any:
        sizes.append(len(windows))
        if when(windows):
            raise torch.OutOfMemoryError("injected")
        return score(self, windows)

    monkeypatch.setattr(ScoringModel, "score", short_of_memory)
    return sizes


def test_other_errors_are_not_taken_for_memory(tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: ScoringModel, windows: Any) -> Any:
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(ScoringModel, "score", broken)
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        scorer(tiny).score(TRACES)


def test_what_is_no_unicode_fails_alone(tiny: str) -> None:
    outcomes = scorer(tiny).score([TRACES[0], Trace("Q", ("a\ud800b",), "1"), TRACES[1]])
    assert outcomes[1] == ScoringFailure("not_encodable")
    assert [type(outcome) for outcome in outcomes] == [StepScores, ScoringFailure, StepScores]


def test_nan_is_a_failure_and_never_stored(tmp_path: Path) -> None:
    folder = save_model(tmp_path)
    one = scorer(folder)
    one.score(TRACES[:1])
    _, loaded = scoring_steps.load(folder, None, "raw", "float32", "cpu", None)
    weight = loaded.head.weight
    kept = weight[7].clone()
    weight[7] = float("nan")
    assert one.score(TRACES[1:3]) == [ScoringFailure("not_finite")] * 2
    weight[7] = kept
    assert all(isinstance(outcome, StepScores) for outcome in one.score(TRACES[1:3]))


def explode(*arguments: Any) -> Any:
    raise AssertionError("the model was loaded")


def test_what_is_in_the_ledger_needs_no_model(tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = scorer(tiny).score(TRACES)
    monkeypatch.setattr(scoring_steps, "load", explode)
    assert scorer(tiny).score(TRACES) == first
    assert scorer(tiny, device="cpu", max_batch_tokens=7).score(TRACES) == first
    assert [one.mean_entropy for one in scorer(tiny, all_scores=False).score(TRACES)] == [()] * 4


def interrupting_after(writes: int) -> Callable[[int], None]:
    calls = count()

    def fsync(fd: int) -> None:
        if next(calls) == writes:
            raise KeyboardInterrupt

    return fsync


def test_broken_off_after_any_write_the_rest_is_scored_beside_the_same_neighbours(
    tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Two of several windows, the last of the one about as long as the first of the other; then three neighbours.
    traces = [Trace(f"Question {k}", PROSE * n + CODE, "42") for k, n in enumerate((3, 12, 3, 1, 8, 3))]
    one = scorer(tiny, max_context=256, max_batch_tokens=640)
    batches: list[list[list[int]]] = []
    score = ScoringModel.score

    def seen(model: ScoringModel, windows: Sequence[Window]) -> Any:
        batches.append([window.ids.tolist() for window in windows])
        return score(model, windows)

    monkeypatch.setattr(ScoringModel, "score", seen)
    monkeypatch.setenv("ASAP_HF_LEDGER", str(tmp_path / "unbroken"))
    unbroken, whole = one.score(traces), list(batches)
    assert [getattr(outcome, "windows", 0) for outcome in unbroken] == [1, 3, 1, 1, 2, 1]
    assert [len(batch) for batch in whole] == [2, 1, 2, 3, 1]
    broken_off = 0
    for writes in range(len(whole)):
        batches.clear()
        monkeypatch.setenv("ASAP_HF_LEDGER", str(tmp_path / f"broken-{writes}"))
        monkeypatch.setattr(os, "fsync", interrupting_after(writes))
        try:
            one.score(traces)
        except KeyboardInterrupt:
            broken_off += 1
        assert one.score(traces) == unbroken
        assert batches == whole
    assert broken_off == 4  # one write for each batch that ends a trace


@pytest.mark.parametrize("change", [{"dtype": "bfloat16"}, {"context": "chat"}, {"max_context": 2048}])
def test_what_changes_scores_is_not_taken_from_the_ledger(
    tiny: str, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    scorer(tiny).score(TRACES)
    monkeypatch.setattr(scoring_steps, "load", explode)
    with pytest.raises(AssertionError, match="loaded"):
        scorer(tiny, **change).score(TRACES)


def test_first_token_scores_do_not_serve_for_all(tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    scorer(tiny, all_scores=False).score(TRACES)
    monkeypatch.setattr(scoring_steps, "load", explode)
    with pytest.raises(AssertionError, match="loaded"):
        scorer(tiny).score(TRACES)


def test_another_model_has_other_entries(tiny: str, tmp_path: Path) -> None:
    other = save_model(tmp_path / "other", sharpness=20.0)
    assert scorer(tiny).score(TRACES) != scorer(other).score(TRACES)
    assert scorer(tiny).fingerprint["revision"] != scorer(other).fingerprint["revision"]


def test_a_batch_is_stored_as_soon_as_it_is_done(tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run_out_of_memory(monkeypatch, lambda windows: False)
    score, calls = ScoringModel.score, []

    def killed_at_the_second(self: ScoringModel, windows: Any) -> Any:
        calls.append(windows)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return score(self, windows)

    monkeypatch.setattr(ScoringModel, "score", killed_at_the_second)
    longest_first = [Trace("Q", ("Wait, " * size,), "1") for size in (90, 60, 30)]
    with pytest.raises(KeyboardInterrupt):
        scorer(tiny, max_batch_tokens=1).score(longest_first)
    monkeypatch.setattr(scoring_steps, "load", explode)
    assert scorer(tiny).score(longest_first[:1])[0].windows == 1
    with pytest.raises(AssertionError, match="loaded"):
        scorer(tiny).score(longest_first[1:])


def test_pickles_as_its_hyperparameters(tiny: str) -> None:
    one = scorer(tiny)
    before = Hasher.hash(one)
    one.to_rank(1)
    one.score(TRACES[:1])
    assert Hasher.hash(one) == before
    again = pickle.loads(pickle.dumps(one))
    assert again == one
    assert again._rank is None
    assert len(pickle.dumps(one)) < 2000
    assert again.score(TRACES[:1]) == one.score(TRACES[:1])
    code = (
        "from datasets.fingerprint import Hasher; from asap_hf.scoring.surprisal import SurprisalScorer; "
        f"print(Hasher.hash(SurprisalScorer({tiny!r}, dtype='float32', context='raw')))"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == before


def test_the_version_is_in_the_hash(tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = Hasher.hash(scorer(tiny))
    monkeypatch.setattr(SurprisalScorer, "version", "changed")
    assert Hasher.hash(scorer(tiny)) != before


def test_answers_for_a_record(tiny: str) -> None:
    good, bad = scorer(tiny)([TRACES[0], Trace("Q", ("a\ud800b",), "1")])
    assert set(good) == {"scores", "windows", "question_cut", "scorer"}
    assert tuple(good["scores"]) == SCORES
    assert all(len(values) == len(TRACES[0].steps) for values in good["scores"].values())
    assert bad == {"reason": "not_encodable", "scorer": good["scorer"]}
    assert good["scorer"] == json.loads(json.dumps(good["scorer"]))
    assert set(scorer(tiny, all_scores=False)([TRACES[0]])[0]["scores"]) == set(SCORES[:2])


@pytest.mark.parametrize(
    ("model", "message"),
    [("no/such/model/anywhere", "there is no model"), ("{folder}", "holds no model")],
)
def test_a_model_that_is_not_there(tmp_path: Path, model: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        scorer(model.format(folder=tmp_path)).score(TRACES)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize(("device", "message"), [("cuda", "finds no GPU"), ("cuda:3", "no GPU"), ("gpu", "no kind")])
def test_a_device_that_is_not_there(tiny: str, device: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        scorer(tiny, device=device).score(TRACES)


@pytest.mark.parametrize(
    "wrong", [{"context": "prompt"}, {"dtype": "int8"}, {"max_batch_tokens": 0}, {"max_context": 8}]
)
def test_hyperparameters_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        SurprisalScorer("embedded", **wrong)


def test_the_embedded_model_against_the_full_softmax_and_in_bfloat16(embedded_model: str) -> None:
    question = "Print the larger of two integers."
    prompt = AutoTokenizer.from_pretrained(embedded_model).apply_chat_template(
        [{"role": "user", "content": question}], add_generation_prompt=True, tokenize=False
    )
    trace = Trace(question, (*PROSE, "\n\n", *CODE, *UNICODE), "print(max(map(int, input().split())))")
    [ours] = SurprisalScorer("embedded", dtype="float32").score([trace])
    assert_close(ours, naive(embedded_model, trace, f"{prompt}<think>\n", bos=False), tolerance=1e-4)
    [half] = SurprisalScorer("embedded", dtype="bfloat16").score([trace])
    differences = [abs(a - b) for a, b in zip(half.first_token_surprisal, ours.first_token_surprisal, strict=True)]
    assert 0 < sum(differences) / len(differences) < 0.1


def test_flops_agree_with_what_torch_counts(tiny: str) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    model = AutoModelForCausalLM.from_pretrained(tiny, attn_implementation="eager")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.arange(100)[None], use_cache=False)
    counts = counter.get_flop_counts()["Global"]
    attention = counts[torch.ops.aten.bmm]
    products = sum(counts.values()) - attention
    # Eager attention computes the upper triangle, too.
    assert flops_per_trace(model_config(tiny), 100, head_rows=100) == pytest.approx(
        products + attention / 2, rel=0.001
    )
