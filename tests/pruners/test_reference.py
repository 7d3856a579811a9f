"""The recipe `reference` against the authors' stage 2, which is told here once more in our own words."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from transformers import AutoModelForCausalLM, AutoTokenizer

import asap_hf
from asap_hf.cli import main as cli
from asap_hf.commands.methods import pruner_of, settings_of
from asap_hf.commands.prune import main
from asap_hf.commands.prune_arguments import PruneArguments
from asap_hf.errors import UsageError
from asap_hf.pruners.base import Pruner
from asap_hf.pruners.reference import ReferencePruner
from asap_hf.scoring.reference import ReferenceScorer
from asap_hf.traces.trace import Trace

from ..tiny_models import byte_level_tokenizer, save_model

PACKAGE = Path(asap_hf.__file__).parent
PRESET = yaml.safe_load((PACKAGE / "recipes" / "reference" / "prune.yaml").read_text(encoding="utf-8"))
RATIOS = (0.25, 0.5, 0.8)


@pytest.fixture(scope="module", autouse=True)
def _ledger(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASAP_HF_LEDGER", str(tmp_path_factory.mktemp("ledger")))
        yield


class Published:
    """Their way with one reasoning, for several budgets: paragraphs, one forward pass, removal by text."""

    def __init__(self, model: str, trace: Trace, dtype: str):
        self._tokenizer = AutoTokenizer.from_pretrained(model)
        network = AutoModelForCausalLM.from_pretrained(model, dtype=getattr(torch, dtype)).eval()
        self.reasoning = trace.reasoning.strip()
        stripped = [piece.strip() for piece in self.reasoning.split("\n\n")]
        self.paragraphs = [piece for piece in stripped if piece]
        before = trace.question + "\n<think>\n"
        ids = self._tokenizer(before + "\n\n".join(self.paragraphs), return_tensors="pt").input_ids
        with torch.no_grad():
            log_p = network(input_ids=ids).logits.log_softmax(-1)[0]
        self.surprisals = []
        for paragraph in self.paragraphs:
            place = len(self._tokenizer.encode(before, add_special_tokens=False)) + 1  # one for the BOS
            self.surprisals.append(-log_p[place - 1, ids[0, place]].item())
            before += paragraph + "\n\n"

    def length(self, text: str) -> int:
        return len(self._tokenizer.encode(text))

    def left(self, budget: int) -> str:
        if self.length(self.reasoning) <= budget:
            return self.reasoning
        left = list(self.paragraphs)
        for number in sorted(range(len(left)), key=self.surprisals.__getitem__):
            left.remove(self.paragraphs[number])
            if self.length("\n\n".join(left)) <= budget:
                break
        return "\n\n".join(left)


def preset(model: str, dtype: str, ratio: float, **changes: Any) -> Pruner:
    """The recipe's stage 2 alone, with another model and budget."""
    asked = {"scorer": model, "dtype": dtype, "pruner": "wo_coarse", "ratio": ratio, "max_tokens": None, **changes}
    return pruner_of(PruneArguments(**{**PRESET, **asked}))


def samples(count: int) -> list[Trace]:
    lines = (PACKAGE / "traces" / "samples" / "traces.jsonl").read_text(encoding="utf-8").splitlines()
    traces = [Trace.parse(row["prompt"], row["completion"], "paper") for row in map(json.loads, lines)]
    return sorted(traces, key=lambda trace: len(trace.question + trace.reasoning))[:count]


def test_it_keeps_what_the_authors_code_keeps_of_the_samples(
    embedded_model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASAP_HF_LEDGER", str(tmp_path))
    for trace in samples(4):
        published = Published(embedded_model, trace, "float32")
        for ratio in RATIOS:
            [pruning] = preset(embedded_model, "float32", ratio).prune([trace])
            budget = int(published.length(published.reasoning) * ratio)
            assert pruning.trace.reasoning == published.left(budget)
            assert [trace.steps[one].strip() for one in pruning.trace.kept] == published.left(budget).split("\n\n")
    # The differences that are reproduced are seen: the paper's own way keeps other steps.
    by_the_paper = preset(embedded_model, "float32", 0.5, selector="algorithm2", all_scores=False).prune(samples(2))
    by_the_code = preset(embedded_model, "float32", 0.5).prune(samples(2))
    assert [one.trace.kept for one in by_the_paper] != [one.trace.kept for one in by_the_code]


def made_up(drawn: random.Random) -> Trace:
    """Equal paragraphs, indented ones, all kinds of blank lines."""
    words = ["Wait.", "Hmm.", "    return i", "\tfor i in range(n):", "So it is 42 then.", "if left < right:", "é 数"]
    gaps = ["\n\n", "\n\n", "\n\n", "\n\n\n", "\n \n", "\n  \n\n", "\r\n\r\n", " \n\n", "\n\n\n\n"]
    paragraphs = [drawn.choice(words) for _ in range(drawn.randint(6, 20))]
    text = "".join(paragraph + drawn.choice(gaps) for paragraph in paragraphs) + "And that is the whole of it."
    return Trace.parse("What is n?", f"<think>\n{text}\n</think>\n\n42", "paper")


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("bos", [True, False])
def test_it_keeps_what_the_authors_code_keeps_of_odd_ones(tmp_path: Path, bos: bool, dtype: str) -> None:
    model = save_model(tmp_path, tokenizer=byte_level_tokenizer(bos))
    drawn, moved, joined = random.Random(int(bos)), 0, 0
    for _ in range(12):
        trace = made_up(drawn)
        published = Published(model, trace, dtype)
        for ratio in RATIOS:
            [pruning] = preset(model, dtype, ratio).prune([trace])
            expected = published.left(int(published.length(published.reasoning) * ratio))
            assert pruning.trace.reasoning == expected
            assert "".join(pruning.record["stages"][-1]["rewritten"]) == expected
            assert len(pruning.record["stages"][-1]["rewritten"]) == len(pruning.trace.kept)
        joined += len(published.paragraphs) < len(trace.steps)
        moved += len(set(published.paragraphs)) < len(published.paragraphs)
    assert min(moved, joined) > 5


def test_surprisals_are_read_where_theirs_are(tmp_path: Path) -> None:
    model = save_model(tmp_path, tokenizer=byte_level_tokenizer(bos=False))
    trace = made_up(random.Random(3))
    [pruning] = preset(model, "float32", 0.5, splitter="paper").prune([trace])
    published = Published(model, trace, "float32")
    stage = pruning.record["stages"][-1]
    assert sorted(set(stage["scores"]["first_token_surprisal"])) == pytest.approx(
        sorted(set(published.surprisals)), abs=1e-4
    )
    assert len(stage["scores"]["first_token_surprisal"]) == len(trace.steps)


def test_what_fits_stays_and_is_not_scored(tiny: str) -> None:
    trace = Trace("Q", ("  Wait.\n\n", "  Wait."), "42")
    pruner = ReferencePruner(ReferenceScorer("no model is needed"), tiny, max_tokens=100)
    [pruning] = pruner.prune([trace])
    assert (pruning.trace, pruning.reason) == (trace, "")
    assert pruning.record["tokens"] == len(AutoTokenizer.from_pretrained(tiny)(trace.reasoning).input_ids)


def test_the_last_paragraph_stays_where_theirs_goes(tiny: str) -> None:
    trace = Trace("Q", ("Wait, maybe it is simpler.\n\n", "Done."), "42")
    scorer = ReferenceScorer(tiny, context="raw", dtype="float32")
    [pruning] = ReferencePruner(scorer, tiny, max_tokens=1).prune([trace])
    assert len(pruning.trace.kept) == 1
    assert pruning.reason.startswith("over_budget: ")
    assert Published(tiny, trace, "float32").left(1) == ""
    [alone] = ReferencePruner(scorer, tiny, max_tokens=1).prune([Trace("Q", ("Wait, so.",), "42")])
    assert alone.trace.reasoning == "Wait, so."


def test_a_last_step_of_one_token_has_no_second_one_to_read(tmp_path: Path) -> None:
    model = save_model(tmp_path, tokenizer=byte_level_tokenizer(bos=False))
    trace = Trace("Q", (".",), "42")
    with pytest.raises(IndexError):
        Published(model, trace, "float32")
    [answer] = ReferenceScorer(model, context="raw", dtype="float32")([trace])
    assert len(answer["scores"]["first_token_surprisal"]) == 1


def test_half_a_surrogate_and_a_failing_scorer_are_reasons(tiny: str) -> None:
    scorer = ReferenceScorer(tiny, context="raw", dtype="float32")
    [answer] = scorer([Trace("Q", ("\ud800\n\n", "x"), "42")])
    assert answer["reason"] == "not_encodable"


def test_deterministic_holds_here_too(tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASAP_HF_LEDGER", "off")
    scorer = ReferenceScorer(tiny, context="raw", dtype="float32", deterministic=True)
    traces = [made_up(random.Random(number)) for number in range(6)]
    together = scorer(traces)
    assert [scorer([trace])[0] for trace in reversed(traces)] == together[::-1]
    assert together[0]["scorer"]["deterministic"] is True
    assert "deterministic" not in replace(scorer, deterministic=False).fingerprint


def test_the_command(tiny: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = made_up(random.Random(1))
    source, out = tmp_path / "traces.jsonl", tmp_path / "out"
    source.write_text(json.dumps({"prompt": trace.question, "completion": trace.completion}) + "\n")
    own = tmp_path / "prune.yaml"
    own.write_text(yaml.safe_dump({name: value for name, value in PRESET.items() if not name.startswith("dataset_")}))
    asked = ["--scorer", tiny, "--dtype", "float32", "--pruner", "wo_coarse", "--max_tokens", "40"]
    assert cli(["prune", str(source), "--config", str(own), *asked, "--output_dir", str(out)]) == 0
    assert json.loads((out / "run.json").read_text())["settings"]["selector"] == "reference"
    assert cli(["prune", str(out), "--max_tokens", "20", "--output_dir", str(tmp_path / "other")]) == 2
    assert "--selector reference has no order of removal" in capsys.readouterr().err


def test_it_has_one_score(tiny: str, tmp_path: Path) -> None:
    given = PruneArguments("in", str(tmp_path / "out"), pruner="wo_coarse", selector="reference", all_scores=False)
    with pytest.raises(UsageError, match="--no_all_scores has an effect only without --selector reference"):
        main(given)


@pytest.mark.parametrize("pruner", ["spirit_own", "random", "step_entropy"])
def test_it_is_for_stage_two_alone(pruner: str) -> None:
    given = PruneArguments("in", "out", selector="reference", pruner=pruner)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="for --pruner asap and wo_coarse alone"):
        pruner_of(given)


def test_it_goes_by_its_own_score() -> None:
    given = PruneArguments("in", "out", selector="reference", score="mean_entropy")
    with pytest.raises(UsageError, match="leave out --score mean_entropy"):
        pruner_of(given)
    assert settings_of(PruneArguments("in", "out", selector="reference"))["selector"] == "reference"
