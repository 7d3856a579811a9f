"""Write the tables of a pruned dataset row by row, and count the rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..pruners.base import Pruning
from .records import (
    Row,
    Tokens,
    messages_features,
    messages_row,
    step_features,
    step_record,
    training_features,
    training_row,
    unusable_row,
)
from .summary import Summary
from .writer import DatasetWriter

FILTERED_FILE = "filtered.jsonl"


class ResultWriter:
    """Writes each row to every config that holds it, and counts it.

    Args:
        writer (`DatasetWriter`):
            Writes the dataset folder.
        ids (`Mapping[str, Any]`):
            Features of the columns that name a row.
    """

    def __init__(self, writer: DatasetWriter, ids: Mapping[str, Any]):
        self.summary = Summary()
        self._writer, self._ids = writer, ids
        self._train = writer.table("default", "train", training_features(ids))
        self._messages = writer.table("messages", "train", messages_features(ids))
        self._steps = writer.table("steps", "train", step_features(ids))

    def add(self, row: Row, pruning: Pruning, tokens: Tokens) -> None:
        """A row that went through the stages."""
        self.add_finished(
            training_row(row, pruning, tokens),
            messages_row(row, pruning, tokens),
            step_record(row, pruning, tokens),
        )

    def add_finished(
        self, training: Mapping[str, Any], messages: Mapping[str, Any], record: Mapping[str, Any]
    ) -> None:
        """A row of a former result, unchanged."""
        self._train.add([training])
        self._messages.add([messages])
        self._steps.add([record])
        self.summary.add(record)

    def add_unusable(self, row: Row, completion: str, reason: str) -> None:
        """An unusable row, as it was in the source."""
        table = self._writer.table("default", "unusable", training_features(self._ids))
        table.add([unusable_row(row, completion, reason)])
        self.summary.add_unusable(reason)

    def add_filtered(self, row: Row, name: str, reason: str, evidence: str) -> None:
        """A row that the filter `name` left out, with its evidence."""
        record = {**row.ids, "row": row.number, "filter": name, "reason": reason, "evidence": evidence}
        self._writer.add_line(FILTERED_FILE, json.dumps(record, ensure_ascii=False, default=str))
        self.summary.add_filtered(name, reason)

    def add_left_out_before(self, file: Path, summary: Mapping[str, Any]) -> None:
        """The rows that were left out of a former result: by filters, as its list says where there is one, and because
        they failed; and its counts from `summary`."""
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        for line in lines:
            record = json.loads(line)
            self._writer.add_line(FILTERED_FILE, line)
            self.summary.add_filtered(record["filter"], record["reason"])
        self.summary.unjudged.update(summary["unjudged"])
        self.summary.add_dropped_before(summary)
