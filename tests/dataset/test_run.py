"""What a run makes of what a pruner wants said in the prompt."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from datasets import load_dataset

from asap_hf.dataset.run import Finished, PruningRun
from asap_hf.pruners.base import Pruner, Pruning, Sequential
from asap_hf.runtime.processes import Process
from asap_hf.traces.rows import Columns
from asap_hf.traces.sources import open_source
from asap_hf.traces.trace import Trace


@dataclass(frozen=True)
class Conditioned(Pruner):
    """Keeps the first step, and says so to the model."""

    def prune(self, traces: Sequence[Trace]) -> list[Pruning]:
        return [Pruning(trace.select([0]), conditioned=("[short] ", " 0.5")) for trace in traces]


def test_the_prompt_that_is_trained_on_says_what_the_pruner_wants(tmp_path: Path, embedded_model: str) -> None:
    rows = tmp_path / "traces.jsonl"
    rows.write_text(json.dumps({"prompt": "Add 2 and 3.", "completion": "<think>\na\n\nb\n</think>\n\n5"}))
    source = open_source(str(rows))
    columns = Columns.recognise(source.columns)
    production = PruningRun(source, columns, Sequential((Conditioned(),)), embedded_model)
    production.write(tmp_path / "out", {"pruner": "short", "splitter": "code", "tokenizer": "embedded"})
    (row,) = load_dataset(str(tmp_path / "out"), split="train")
    assert "<|im_start|>user\n[short] Add 2 and 3. 0.5<|im_end|>" in row["prompt"]
    assert row["completion"] == "a\n</think>\n\n5"
    (messages,) = load_dataset(str(tmp_path / "out"), "messages", split="train")
    assert messages["messages"][0] == {"role": "user", "content": "[short] Add 2 and 3. 0.5"}
    (record,) = load_dataset(str(tmp_path / "out"), "steps", split="train")
    assert record["question"] == "Add 2 and 3."


@dataclass(frozen=True)
class Noting(Pruner):
    """Notes the questions that it is given, and leaves the traces alone."""

    seen: list[str]

    def prune(self, traces: Sequence[Trace]) -> list[Pruning]:
        self.seen.extend(trace.question for trace in traces)
        return [Pruning(trace) for trace in traces]


@pytest.mark.parametrize("ledger", ["on", "off"])
def test_a_process_that_helps_leaves_finished_rows_alone_and_does_nothing_that_is_lost(
    tmp_path: Path, embedded_model: str, monkeypatch: pytest.MonkeyPatch, ledger: str
) -> None:
    monkeypatch.setenv("ASAP_HF_LEDGER", ledger if ledger == "off" else str(tmp_path / "ledger"))
    monkeypatch.setattr(Process, "wait_for_everyone", lambda _: None)
    rows = [{"prompt": str(number), "completion": "<think>\na\n\nb\n</think>\n\n5"} for number in range(8)]
    path = tmp_path / "traces.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = open_source(str(path))
    finished: dict[int, Finished] = dict.fromkeys((0, 4, 5), ({}, {}, {}))
    seen: list[list[str]] = [[], []]
    for rank in range(2):
        pruner = Sequential((Noting(seen[rank]),))
        production = PruningRun(
            source, Columns.recognise(source.columns), pruner, embedded_model, batch_size=2, finished=finished
        )
        production.prune_into_ledger(Process(rank, rank, 2))
    assert seen == ([["1"], ["2", "3", "6", "7"]] if ledger == "on" else [[], []])
