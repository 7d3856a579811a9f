"""What every pruner keeps to, so that `Dataset.map`, a stream, a loop and other processes can all rely on it."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, Features, List, Value, disable_caching, enable_caching
from datasets.fingerprint import Hasher

from asap_hf.models.tokens import count_tokens
from asap_hf.pruners.base import Pruner, Sequential
from asap_hf.traces.rows import Columns, trace_of
from asap_hf.traces.trace import Trace

from .contract_rows import BUDGETED, bad_row, good_row, mixed_rows, pruners

PROJECT = Path(__file__).resolve().parents[2]
NAMES = tuple(pruners("embedded"))
OUT = Features(
    {
        "completion": Value("string"),
        "kept": List(Value("int64")),
        "ok": Value("bool"),
        "reason": Value("string"),
        "record": Value("string"),
    }
)


@pytest.fixture(autouse=True, scope="module")
def _quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    disable_caching()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASAP_HF_LEDGER", str(tmp_path_factory.mktemp("ledger")))
        yield
    enable_caching()


@pytest.fixture(scope="module")
def every(embedded_model: str) -> dict[str, Pruner]:
    return pruners(embedded_model)


@pytest.fixture(params=NAMES)
def pruner(request: pytest.FixtureRequest, every: dict[str, Pruner]) -> Pruner:
    return every[request.param]


def columns_of(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in rows[0]}


def traces(rows: list[dict[str, Any]], splitter: str) -> list[Trace]:
    return [trace_of(row, Columns("prompt", "completion", splitter=splitter)) for row in rows]


def test_one_decision_per_trace_and_only_steps_are_left_out(pruner: Pruner) -> None:
    given = traces([good_row(number) for number in (3, 6, 3)], pruner.splitter)
    prunings = pruner.prune(given)
    assert len(prunings) == 3
    for before, pruning in zip(given, prunings, strict=True):
        after = pruning.trace
        assert pruning.reason == ""
        assert not pruning.dropped
        assert (after.question, after.answer, after.opening, after.closing) == (
            *(before.question, before.answer),
            *(before.opening, before.closing),
        )
        assert after.source is before
        assert list(after.kept) == sorted(set(after.kept))
        assert 0 < len(after.kept) <= len(before.steps)
        assert len(after.reasoning) < len(before.reasoning)
        if "rewritten" not in pruning.record:
            assert after.texts == tuple(before.texts[position] for position in after.kept)
        else:
            assert list(after.steps) == pruning.record["rewritten"]
        assert json.loads(json.dumps(pruning.record)) == pruning.record
    assert prunings[0] == prunings[2]


def test_nothing_in_nothing_out(pruner: Pruner) -> None:
    assert pruner.prune([]) == []


def test_a_trace_of_one_step(pruner: Pruner) -> None:
    only = Trace.parse("How many?", "<think>\nFive.\n</think>\n\nIt is 5.")
    pruning = pruner.prune([only])[0]
    assert pruning.trace.kept == (0,)
    assert pruning.trace.completion == only.completion


def test_running_again_gives_the_same(pruner: Pruner) -> None:
    batch = columns_of(mixed_rows())
    assert pruner(batch) == pruner(batch) == pickle.loads(pickle.dumps(pruner))(batch)


@pytest.mark.parametrize("name", BUDGETED)
def test_the_budget_holds_and_what_holds_it_stays(name: str, every: dict[str, Pruner], embedded_model: str) -> None:
    given = traces([good_row(6)], every[name].splitter)
    pruning = every[name].prune(given)[0]
    assert count_tokens(embedded_model, [pruning.trace.reasoning])[0] <= 40
    fine = every[name].stages[-1] if isinstance(every[name], Sequential) else every[name]
    again = Trace.parse(pruning.trace.question, pruning.trace.completion, pruning.trace.splitter)
    assert fine.prune([again])[0].trace is again


def test_map_stream_and_loop_agree(pruner: Pruner) -> None:
    rows = mixed_rows()
    expected = pruner(columns_of(rows))
    mapped = Dataset.from_list(rows).map(pruner, batched=True)
    assert mapped.features == Features({"id": Value("string"), "prompt": Value("string"), **OUT})
    streamed = list(Dataset.from_list(rows).to_iterable_dataset().map(pruner, batched=True, batch_size=5))
    looped = [pruner({name: [value] for name, value in row.items()}) for row in rows]
    for index, row in enumerate(rows):
        for name in OUT:
            value = expected[name][index]
            assert value is not None
            assert mapped[index][name] == value
            assert list(streamed[index][name]) == list(value) if name == "kept" else streamed[index][name] == value
            assert list(looped[index][name][0]) == list(value) if name == "kept" else looped[index][name] == [value]
        assert mapped[index]["id"] == row["id"]
        assert mapped[index]["prompt"] == row["prompt"]


def test_rows_that_fail_keep_their_text(pruner: Pruner) -> None:
    rows = mixed_rows()
    out = pruner(columns_of(rows))
    assert out["ok"] == [True] * 4 + [False] * 7 + [True]
    reasons = ["not_text", "not_text", "no_think", "unclosed_think", "empty_reasoning", "no_answer", "no_question"]
    assert out["reason"] == [""] * 4 + reasons + [""]
    for row, completion, ok, kept in zip(rows, out["completion"], out["ok"], out["kept"], strict=True):
        assert ok or (completion == (row["completion"] or "") and list(kept) == [])
        assert not ok or len(completion) < len(row["completion"])


def rows_of_a_kind(first: str) -> list[dict[str, Any]]:
    kinds = {"good": good_row, "bad": bad_row}
    second = "bad" if first == "good" else "good"
    return [kinds[first](number) for number in range(1100)] + [kinds[second](number) for number in range(7)]


@pytest.mark.parametrize("first", ["good", "bad"])
@pytest.mark.parametrize("batch_size", [1, 1000])
def test_the_first_rows_do_not_decide_about_the_columns(first: str, batch_size: int, every: dict[str, Pruner]) -> None:
    rows = rows_of_a_kind(first)
    if batch_size == 1:
        rows = rows[1000:]
    mapped = Dataset.from_list(rows).map(every["answer_anchor"], batched=True, batch_size=batch_size)
    assert {name: mapped.features[name] for name in OUT} == OUT
    assert mapped["ok"] == [(first == "good")] * (len(rows) - 7) + [(first != "good")] * 7
    for name in OUT:
        assert None not in mapped[name]


CONVERSATION = [{"role": "user", "content": "How many?"}, {"role": "assistant", "content": "<think>a</think>b"}]
SINGLE = [
    good_row(1),
    {"tests": ["1", "2"], **good_row(1)},
    {**good_row(1), "completion": None},
    {"messages": CONVERSATION},
    {"messages": {name: [turn[name] for turn in CONVERSATION] for name in CONVERSATION[0]}},
    {"prompt": CONVERSATION[:1], "completion": CONVERSATION[1:]},
]


@pytest.mark.parametrize("row", SINGLE)
def test_a_single_row_is_refused(row: dict[str, Any], every: dict[str, Pruner]) -> None:
    with pytest.raises(TypeError, match=r"batched=True"):
        every["answer_anchor"](row)
    with pytest.raises(TypeError, match=r"batched=True"):
        Dataset.from_list([row]).map(every["answer_anchor"])


@pytest.mark.parametrize("format_name", ["numpy", "pandas"])
def test_formats_of_datasets(format_name: str, every: dict[str, Pruner]) -> None:
    rows = [
        {
            "messages": [
                {**CONVERSATION[0], "content": row["prompt"]},
                {**CONVERSATION[1], "content": row["completion"]},
            ]
        }
        for row in mixed_rows()[:5]
    ]
    expected = every["answer_anchor"](columns_of(rows))
    batch = Dataset.from_list(rows).with_format(format_name)[:]
    assert every["answer_anchor"](batch) == expected
    assert expected["ok"] == [True] * 4 + [False]


def test_fingerprints_are_the_same_before_use_after_it_and_elsewhere(every: dict[str, Pruner]) -> None:
    before = {name: Hasher.hash(pruner) for name, pruner in every.items()}
    assert len(set(before.values())) == len(every)
    for pruner in every.values():
        pruner(columns_of(mixed_rows()))
    assert {name: Hasher.hash(pruner) for name, pruner in every.items()} == before
    assert {name: Hasher.hash(pickle.loads(pickle.dumps(pruner))) for name, pruner in every.items()} == before
    script = (
        "import sys, json\nfrom datasets.fingerprint import Hasher\nfrom tests.pruners.contract_rows import pruners\n"
        "print(json.dumps({name: Hasher.hash(one) for name, one in pruners(sys.argv[1]).items()}))"
    )
    embedded = every["iterative"].tokenizer  # type: ignore[attr-defined]
    assert json.loads(run(script, embedded, PYTHONHASHSEED="5")) == before


def run(script: str, *arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=PROJECT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


OTHER_VALUES: dict[str, Any] = {
    "mode": "select",
    "on_failure": "drop",
    "score": "other",
    "tokenizer": "other",
    "splitter": "paper",
}


def test_another_hyperparameter_is_another_fingerprint(
    every: dict[str, Pruner], monkeypatch: pytest.MonkeyPatch
) -> None:
    for pruner in (every["answer_anchor"], every["iterative"], every["rewrite"], every["asap"]):
        seen = {Hasher.hash(pruner)}
        for field in fields(pruner):  # type: ignore[arg-type]
            value = getattr(pruner, field.name)
            match value:
                case bool():
                    changed = not value
                case int() | float():
                    changed = value / 2 if isinstance(value, float) and value else value + 1
                case str() if field.name not in OTHER_VALUES:
                    changed = value + "!"
                case str():
                    changed = OTHER_VALUES[field.name]
                case _:
                    continue
            seen.add(Hasher.hash(replace(pruner, **{field.name: changed})))
        monkeypatch.setattr(type(pruner), "version", "changed")
        seen.add(Hasher.hash(pruner))
        changeable = [field for field in fields(pruner) if isinstance(getattr(pruner, field.name), (int, float, str))]  # type: ignore[arg-type]
        assert len(seen) == len(changeable) + 2


def test_a_change_within_a_stage_is_another_fingerprint(
    every: dict[str, Pruner], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = every["sequential"]
    assert isinstance(whole, Sequential)
    before = Hasher.hash(whole)
    assert Hasher.hash(Sequential(whole.stages[::-1], "paper")) != before
    assert Hasher.hash(Sequential(list(whole.stages), "paper")) == before  # type: ignore[arg-type]
    assert Hasher.hash(replace(whole, stages=(whole.stages[0], replace(whole.stages[1], max_tokens=41)))) != before  # type: ignore[call-arg]
    monkeypatch.setattr(type(whole.stages[1]), "version", "changed")
    assert Hasher.hash(whole) != before


def test_pickles_hold_hyperparameters_and_nothing_else(pruner: Pruner) -> None:
    pruner(columns_of(mixed_rows()[:1]))
    assert len(pickle.dumps(pruner)) < 5000
    copy = pickle.loads(pickle.dumps(pruner))
    assert copy == pruner
    assert copy is not pruner


_TWO_PROCESSES = """
import sys, json
from datasets import Dataset, disable_caching
from tests.pruners.contract_rows import mixed_rows, pruners
disable_caching()
rows = Dataset.from_list(mixed_rows())
every = pruners(sys.argv[1])
print(json.dumps({name: rows.map(every[name], batched=True, batch_size=3, num_proc=2)[:] for name in sys.argv[2:]}))
"""


def test_two_processes(every: dict[str, Pruner]) -> None:
    embedded = every["iterative"].tokenizer  # type: ignore[attr-defined]
    names = ("answer_anchor", "rewrite", "sequential")
    mapped = json.loads(run(_TWO_PROCESSES, embedded, *names, TOKENIZERS_PARALLELISM="false"))
    for name in names:
        expected = every[name](columns_of(mixed_rows()))
        assert {column: mapped[name][column] for column in OUT} == {
            **expected,
            "kept": [list(kept) for kept in expected["kept"]],
        }
