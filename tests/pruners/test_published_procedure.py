"""Stage 2 against the published procedure, written down once more from the paper: texts, prefixes, no shortcuts."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

import asap_hf
from asap_hf.errors import UnusableTrace
from asap_hf.pruners.iterative import IterativePruner
from asap_hf.pruners.random_steps import RandomScorer, random_steps
from asap_hf.scoring.surprisal import SurprisalScorer
from asap_hf.traces.trace import Trace

from ..tiny_models import byte_level_tokenizer, save_model, tiny_llama

PACKAGE = Path(asap_hf.__file__).parent
REAL = PACKAGE.parents[1] / "shared" / "data" / "traces" / "codeforces_cots_py.jsonl.gz"
LONGEST = 7000  # characters, so that encoding the whole text after every removal stays cheap


def fine_grained_prune(cot: str, budget: int, tokenizer: Any, calculate_all: Any) -> list[int]:
    """Algorithm 2, line by line, with steps told apart by number; the last one is not removed, as no reasoning is ever
    emptied here."""

    def length(text: str) -> int:
        return len(tokenizer.encode(text, add_special_tokens=False))

    texts = re.split(r"\n\s*?\n", cot)  # SplitStepsByBlankLine
    if length(cot) <= budget:
        return list(range(len(texts)))
    scores = calculate_all(texts)
    current = list(range(len(texts)))
    for pruned in sorted(range(len(texts)), key=lambda step: scores[step]):  # SortByScore
        if current == [pruned]:
            break
        current = [step for step in current if step != pruned]
        if length("\n\n".join(texts[step] for step in current)) <= budget:  # Join
            break
    return current


def first_token_surprisals(question: str, texts: Sequence[str], tokenizer: Any, network: Any) -> list[float]:
    """Eq. 2 on the bare question, `<think>` and the steps, for the first token that holds a character of each step."""
    prefix = f"{question}\n<think>\n"
    ids = tokenizer(prefix + "\n\n".join(texts), add_special_tokens=False).input_ids
    ends, covered = [], 0
    for token in ids:  # plain ASCII, so that tokens decode one by one
        covered += len(tokenizer.decode([token], clean_up_tokenization_spaces=False))
        ends.append(covered)
    assert covered == len(prefix + "\n\n".join(texts))
    with torch.no_grad():
        logits = network(torch.tensor([ids])).logits[0]
    scores, place = [], len(prefix)
    for text in texts:
        first = next(index for index, end in enumerate(ends) if end > place)
        scores.append(-logits[first - 1].double().log_softmax(-1)[ids[first]].item())
        place += len(text) + len("\n\n")
    return scores


def plain(trace: Trace) -> bool:
    """Whether every blank line of a reasoning is one, so that splitting and joining gives it back."""
    return len(trace.reasoning) <= LONGEST and "\n\n".join(trace.texts) == trace.reasoning


def samples() -> Iterator[Trace]:
    with (PACKAGE / "traces" / "samples" / "traces.jsonl").open(encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            yield Trace.parse(row["prompt"], row["completion"], "paper")


def real() -> Iterator[Trace]:
    with gzip.open(REAL, "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            if row["response"].find("</think>") > LONGEST:
                continue
            try:
                yield Trace.parse(row["statement"] or "Solve it.", row["response"], "paper")
            except UnusableTrace:
                continue


@pytest.fixture(scope="module")
def traces() -> list[Trace]:
    """At least 50 real ones where they are at hand, else those of the package."""
    found = sorted(filter(plain, real() if REAL.exists() else samples()), key=lambda trace: len(trace.reasoning))[:52]
    assert len(found) >= (50 if REAL.exists() else 15)
    return found


def test_the_loop_keeps_what_the_published_one_keeps(traces: list[Trace], embedded_model: str) -> None:
    tokenizer = Tokenizer.from_file(str(Path(embedded_model) / "tokenizer.json"))
    for trace, pruning in zip(traces, random_steps(embedded_model, ratio=0.4).prune(traces), strict=True):
        scores = RandomScorer()([trace])[0]["scores"]["random"]
        expected = fine_grained_prune(
            trace.reasoning, pruning.record["budget"], tokenizer, lambda _, scores=scores: scores
        )
        assert list(pruning.trace.kept) == expected
        assert 0 < len(expected) < len(trace.steps)
        assert pruning.trace.reasoning == "\n\n".join(trace.texts[step] for step in expected)


def test_the_reference_preset_keeps_what_the_published_procedure_keeps(
    traces: list[Trace], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASAP_HF_LEDGER", "off")
    model = save_model(tmp_path, tiny_llama(max_position_embeddings=16384), byte_level_tokenizer(bos=False))
    preset = yaml.safe_load((PACKAGE / "recipes" / "reference" / "prune.yaml").read_text(encoding="utf-8"))
    assert (preset["splitter"], preset["context"]) == ("paper", "raw")
    scorer = SurprisalScorer(model, context=preset["context"], dtype="float32")
    tokenizer = AutoTokenizer.from_pretrained(model)
    network = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()
    ascii_ones = [trace for trace in traces if (trace.question + trace.reasoning).isascii()]
    for trace in sorted(ascii_ones, key=lambda trace: len(trace.question + trace.reasoning))[:6]:
        texts = list(trace.texts)
        scores = first_token_surprisals(trace.question, texts, tokenizer, network)
        for ratio in (0.15, 0.5, 0.9, 1.0):
            pruning = IterativePruner(scorer, model, ratio=ratio).prune([trace])[0]
            budget = pruning.record["budget"]
            expected = fine_grained_prune(trace.reasoning, budget, tokenizer, lambda _, scores=scores: scores)
            assert list(pruning.trace.kept) == expected
            assert pruning.record["scores"]["first_token_surprisal"] == pytest.approx(scores, abs=1e-3)


def test_the_transcription_itself_on_a_table() -> None:
    class Characters:
        def encode(self, text: str, add_special_tokens: bool) -> str:
            return text

    scores = {"a": 3.0, "bb": 1.0, "ccc": 2.0, "dd": 1.0}
    cot = "a\n\nbb\n\nccc\n\ndd"  # 14 characters
    kept = {
        budget: fine_grained_prune(cot, budget, Characters(), lambda texts: [scores[text] for text in texts])
        for budget in (14, 13, 10, 9, 6, 5, 1)
    }
    assert kept == {14: [0, 1, 2, 3], 13: [0, 2, 3], 10: [0, 2, 3], 9: [0, 2], 6: [0, 2], 5: [0], 1: [0]}
