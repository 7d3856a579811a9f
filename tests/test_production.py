"""What a run makes of what a pruner wants said in the prompt."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from datasets import load_dataset

from asap_hf.production import Production
from asap_hf.pruners.base import Pruner, Pruning, Sequential
from asap_hf.rows import Columns
from asap_hf.sources import open_source
from asap_hf.trace import Trace


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
    production = Production(source, columns, Sequential((Conditioned(),)), embedded_model)
    production.write(tmp_path / "out", {"pruner": "short", "splitter": "code", "tokenizer": "embedded"})
    (row,) = load_dataset(str(tmp_path / "out"), split="train")
    assert "<|im_start|>user\n[short] Add 2 and 3. 0.5<|im_end|>" in row["prompt"]
    assert row["completion"] == "a\n</think>\n\n5"
    (messages,) = load_dataset(str(tmp_path / "out"), "messages", split="train")
    assert messages["messages"][0] == {"role": "user", "content": "[short] Add 2 and 3. 0.5"}
    (record,) = load_dataset(str(tmp_path / "out"), "steps", split="train")
    assert record["question"] == "Add 2 and 3."
