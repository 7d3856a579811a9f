"""`deterministic`: the same scores to the last bit, whatever is scored beside a trace, whatever the ledger holds."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from asap_hf import asap
from asap_hf.commands.methods import settings_of
from asap_hf.commands.prune import main
from asap_hf.commands.prune_arguments import PruneArguments
from asap_hf.errors import RunError
from asap_hf.pruners.llmlingua2 import LLMLingua2Pruner
from asap_hf.pruners.selective_context import SelectiveContextPruner
from asap_hf.pruners.tokenskip import TokenSkipPruner
from asap_hf.scoring.forward import ScoringModel
from asap_hf.scoring.leave_one_out import LeaveOneOutScorer
from asap_hf.scoring.step_entropy import StepEntropyScorer
from asap_hf.scoring.surprisal import SurprisalScorer
from asap_hf.scoring.token_classes import TokenClassifier
from asap_hf.traces.trace import Trace

from ..pruners.tiny_classifiers import XLM_R, save_classifiers
from ..tiny_models import save_model, tiny_llama
from .test_surprisal import record_batches

WORDS = ("Wait,", "so", "the", "loop", "reads", "n", "prints", "i.", "Hmm,", "42", "is", "f(x):", "x % 2")


def made_up(count: int, words: tuple[int, int], seed: int = 0) -> list[Trace]:
    """Traces of much the same length, so that they share batches, in which the shorter ones are padded."""
    drawn = random.Random(seed)
    return [
        Trace(
            f"Question {number}?",
            tuple(" ".join(drawn.choices(WORDS, k=9)) + "\n\n" for _ in range(drawn.randint(*words))),
            "It prints 42.",
        )
        for number in range(count)
    ]


TRACES = made_up(9, (5, 6))


@pytest.fixture(autouse=True)
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Call it for a ledger that holds nothing."""
    numbers = iter(range(100))

    def begin_anew() -> None:
        monkeypatch.setenv("ASAP_HF_LEDGER", str(tmp_path / f"ledger-{next(numbers)}"))

    begin_anew()
    return begin_anew


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model whose products of matrices are large enough for several kernels to be chosen from."""
    config = tiny_llama(hidden_size=512, intermediate_size=1024, num_attention_heads=8)
    return save_model(tmp_path_factory.mktemp("wide"), config)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("classifiers")
    save_classifiers(folder)
    return str(folder / XLM_R)


def scorers(wide: str) -> dict[str, Any]:
    common = {"dtype": "float32", "context": "raw"}
    return {
        "all five": SurprisalScorer(wide, **common),
        "first token": SurprisalScorer(wide, all_scores=False, **common),
        "windows": SurprisalScorer(wide, max_context=64, **common),
        "bfloat16": SurprisalScorer(wide, all_scores=False, **{**common, "dtype": "bfloat16"}),
        "step entropy": StepEntropyScorer(wide, **common),
        "leave one out": LeaveOneOutScorer(wide, **common),
    }


KINDS = ("all five", "first token", "windows", "bfloat16", "step entropy", "leave one out")


@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_the_same_whatever_was_scored_before_and_beside(
    kind: str, wide: str, ledger: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    loose = scorers(wide)[kind]
    scorer = replace(loose, deterministic=True)
    batches = record_batches(monkeypatch)
    expected = scorer(TRACES)
    assert not any("reason" in answer for answer in expected)
    assert all(len(batch) == 1 for batch in batches)
    drawn = random.Random(kind)
    for _ in range(4):
        ledger()
        at_once = drawn.choice([64, 300, 16384])
        replace(loose, max_batch_tokens=at_once)(drawn.sample(TRACES, 5))  # no answer to what is asked below
        replace(scorer, max_batch_tokens=at_once)(drawn.sample(TRACES, drawn.randint(1, 8)))
        order = drawn.sample(range(len(TRACES)), len(TRACES))
        answers = replace(scorer, max_batch_tokens=drawn.choice([64, 300, 16384]))([TRACES[one] for one in order])
        assert answers == [expected[one] for one in order]


def test_all_five_stored_are_no_answer_where_the_first_token_s_two_are_asked_for(wide: str) -> None:
    of_five = replace(scorers(wide)["all five"], deterministic=True)
    of_first = replace(of_five, all_scores=False)
    assert of_five.score(TRACES) != of_first.score(TRACES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASAP_HF_LEDGER", "off")
        alone = of_first.score(TRACES)
    assert of_first.score(TRACES) == alone


def test_without_it_neighbours_show(embedded_model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The very same comparison fails, in float32 too, on a model of more than a toy's size: or nothing is tested."""
    monkeypatch.setenv("ASAP_HF_LEDGER", "off")
    traces = made_up(3, (13, 15))
    loose = SurprisalScorer(embedded_model, context="raw", dtype="float32", all_scores=False)
    together, alone = loose.score(traces), [loose.score([trace])[0] for trace in traces]
    assert together != alone
    assert replace(loose, deterministic=True).score(traces) == alone


@pytest.mark.parametrize("kind", ["selective context", "llmlingua2", "tokenskip"])
def test_pruners_of_words_too(kind: str, wide: str, classifier: str, ledger: Callable[[], None]) -> None:
    pruner: Any = {
        "selective context": SelectiveContextPruner(wide, wide, ratio=0.5, dtype="float32", deterministic=True),
        "llmlingua2": LLMLingua2Pruner(wide, ratio=0.5, model_name_or_path=classifier, deterministic=True),
        "tokenskip": TokenSkipPruner(wide, ratio=0.5, model_name_or_path=classifier, deterministic=True),
    }[kind]
    expected = pruner.prune(TRACES)
    assert all(pruning.record["scorer"]["deterministic"] for pruning in expected)
    loose = replace(pruner, deterministic=False)
    assert "deterministic" not in loose.prune(TRACES[:1])[0].record["scorer"]
    drawn = random.Random(kind)
    for _ in range(3):
        ledger()
        loose.prune(drawn.sample(TRACES, 3))
        order = drawn.sample(range(len(TRACES)), len(TRACES))
        changes = {"max_batch_tokens": drawn.choice([64, 16384])} if kind == "selective context" else {}
        assert replace(pruner, **changes).prune([TRACES[one] for one in order]) == [expected[one] for one in order]


def test_batches_that_do_not_fit_are_not_made_smaller(
    wide: str, classifier: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(ScoringModel, "score", full)
    monkeypatch.setattr(TokenClassifier, "_probabilities", full)
    [phrases] = SelectiveContextPruner(wide, wide, ratio=0.5, deterministic=True).prune(TRACES[:1])
    assert phrases.reason == "scoring: out_of_memory"
    long = Trace("Q", TRACES[0].steps * 20, "42")
    with pytest.raises(RunError, match=r"^[2-9] windows of at most 5\d\d tokens do not fit on cpu"):
        LLMLingua2Pruner(wide, ratio=0.5, model_name_or_path=classifier, deterministic=True).prune([long])


def test_stored_scores_of_another_machine_are_no_answer(wide: str, monkeypatch: pytest.MonkeyPatch) -> None:
    scorer = replace(scorers(wide)["first token"], deterministic=True)
    keys = {scorer.keys(TRACES[0])[0]}
    monkeypatch.setattr(torch, "get_num_threads", lambda: 64)
    keys.add(scorer.keys(TRACES[0])[0])
    monkeypatch.setattr(torch, "__version__", "0.1")
    keys.add(scorer.keys(TRACES[0])[0])
    assert len(keys) == 3
    assert len({replace(scorer, deterministic=False).keys(TRACES[0])[0]} | keys) == 4


def test_the_kernel_of_attention_tells_stored_scores_apart(wide: str) -> None:
    plain = scorers(wide)["first token"]
    eager = replace(plain, attn_implementation="eager")
    assert "attn_implementation" not in plain.fingerprint
    assert eager.fingerprint["attn_implementation"] == "eager"
    assert plain.keys(TRACES[0])[0] != eager.keys(TRACES[0])[0]


def test_a_run_gives_the_same_bytes_whatever_the_ledger_holds(
    wide: str, tmp_path: Path, ledger: Callable[[], None]
) -> None:
    import json

    source = tmp_path / "traces.jsonl"
    rows = [{"prompt": one.question, "completion": one.completion} for one in TRACES]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def run(name: str, **changes: Any) -> dict[str, str]:
        common = {"scorer": wide, "ratio": 0.5, "pruner": "wo_coarse", "dtype": "float32", "deterministic": True}
        folder = tmp_path / name
        main(PruneArguments(str(source), str(folder), **{**common, **changes}))
        return {
            str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in [*folder.rglob("*.parquet"), folder / "README.md"]
        }

    whole = run("whole")
    assert run("again") == whole
    ledger()
    run("part", limit=4, max_batch_tokens=200)
    run("loose", deterministic=False)
    assert run("resumed", batch_size=2) == whole
    told = json.loads((tmp_path / "whole" / "run.json").read_text())
    assert told["settings"]["deterministic"] is True
    assert "deterministic" not in json.loads((tmp_path / "loose" / "run.json").read_text())["settings"]
    card = (tmp_path / "whole" / "README.md").read_text()
    assert "`deterministic: true`" in card
    assert "--deterministic true" in card


def test_every_scoring_pruner_takes_the_flag() -> None:
    from asap_hf.commands.methods import pruner_of
    from asap_hf.pruners.registry import BUILT_IN

    for name, method in BUILT_IN.items():
        given = PruneArguments("in", "out", pruner=name, deterministic=True, anchor_model="an/llm")  # type: ignore[arg-type]
        told = [
            holder.deterministic
            for stage in pruner_of(given).stages
            for holder in (stage, getattr(stage, "scorer", None))
            if hasattr(holder, "deterministic")
        ]
        assert told == [True] * method.has_scorer, name
        assert settings_of(given).get("deterministic", False) is method.has_scorer, name


def test_asap_takes_it() -> None:
    assert asap(deterministic=True).stages[-1].scorer.deterministic is True  # type: ignore[attr-defined]
    assert asap().stages[-1].scorer.deterministic is False  # type: ignore[attr-defined]
