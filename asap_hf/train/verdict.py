"""Check all rows of a training set: faults, what would be cut, and whether to refuse it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from ..runtime.progress import Progress
from .arguments import SftArguments
from .checks import Expectation
from .preparation import Preparation
from .remedies import REMEDIES


@dataclass(frozen=True)
class CheckResult:
    """The result of checking a training set.

    Args:
        arguments (`SftArguments`), preparation (`Preparation`):
            What was checked.
        lengths (`list[int]`):
            Tokens of each checked row, prompt and completion, before anything is cut.
        trained (`list[int]`):
            How many of them are in the loss.
        faults (`Counter[str]`):
            Key of `REMEDIES` → rows.
        first (`dict[str, int]`):
            Key of `REMEDIES` → position of the first such row in the split, from 0.
        kept (`int`), kept_trained (`int`):
            Tokens that are left after cutting, and how many of them are in the loss.
    """

    arguments: SftArguments
    preparation: Preparation
    lengths: list[int]
    trained: list[int]
    faults: Counter[str]
    first: dict[str, int]
    kept: int
    kept_trained: int

    @property
    def over(self) -> int:
        """Rows longer than `max_length`."""
        limit = self.arguments.sft.max_length
        return sum(length > limit for length in self.lengths) if limit is not None else 0

    @property
    def cut(self) -> int:
        """Tokens that TRL would cut off."""
        return sum(self.lengths) - self.kept

    @property
    def dropped(self) -> int:
        """Rows that TRL would drop, since cutting leaves nothing of them in the loss."""
        return 0 if self.arguments.sft.packing else len(self.lengths) - len(self.preparation.trained)

    def reasons(self, allow_truncation: bool = False) -> list[str]:
        """The reasons not to train on this; empty where there is none."""
        rows = len(self.lengths)
        found = [
            f"{count:,} of {rows:,} rows (the first: row {self.first[fault]:,}): "
            + REMEDIES[fault](self.arguments, self.preparation)
            for fault, count in self.faults.most_common()
        ]
        truncation = None if allow_truncation else self._truncation()
        return found + ([truncation] if truncation else [])

    def _truncation(self) -> str | None:
        sft, longest = self.arguments.sft, max(self.lengths)
        if sft.packing and sft.packing_strategy == "wrapped":
            return (
                "packing_strategy: wrapped cuts rows wherever a sequence is full, and lets them see each other: set "
                "packing_strategy: bfd, or give --allow_truncation"
            )
        if not self.over:
            return None
        if sft.packing and sft.packing_strategy == "bfd_split":
            happens = "packing_strategy: bfd_split would cut them in two, and the second part never sees its question"
        else:
            answers = f", with them {self.dropped:,} whole rows" if self.dropped else ""
            first = "questions" if sft.truncation_mode == "keep_end" else "answers and ends"
            happens = f"{self.cut:,} tokens would be cut off{answers}, {first} first"
        return (
            f"{self.over:,} of {len(self.lengths):,} rows are longer than max_length: {sft.max_length:,}: {happens}: "
            f"set max_length: {longest} (the longest row), prune with a smaller budget, or give --allow_truncation"
        )


def check(arguments: SftArguments, preparation: Preparation) -> CheckResult:
    """Check every row that TRL prepared."""
    expectation = Expectation.of(preparation, arguments.sft.dataset_text_field)
    lengths, trained, faults, first = [], [], Counter[str](), dict[str, int]()
    count = len(preparation.rows)
    with Progress(count) as progress:
        for place, (row, inputs, labels) in enumerate(preparation.examples()):
            lengths.append(len(inputs))
            trained.append(sum(label != -100 for label in labels))
            found = expectation.faults(row, inputs, labels)
            faults.update(found)
            for fault in found:
                first.setdefault(fault, place * max(preparation.total, count) // count)
            progress.advance(1, bool(found))
    return CheckResult(arguments, preparation, lengths, trained, faults, first, *_left(preparation))


def _left(preparation: Preparation) -> tuple[int, int]:
    """Tokens of what is trained on, and how many of them are in the loss."""
    from pyarrow import compute

    tokens = trained = 0
    for batch in preparation.trained.select_columns("labels").with_format("arrow").iter(1000):
        labels = compute.list_flatten(batch["labels"])
        tokens += len(labels)
        trained += compute.sum(compute.not_equal(labels, -100)).as_py()
    return tokens, trained
