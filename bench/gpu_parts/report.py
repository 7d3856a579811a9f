"""What the parts found: tables on the terminal, the same as JSON, part by part so that a later run goes on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

Cell = str | float | None


@dataclass
class Table:
    """One table of figures.

    Args:
        title (`str`):
            What was measured, in which unit.
        columns (`list[str]`):
            Heads; the first column names the rows.
        rows (`list[list]`):
            Names and figures; `None` where there is no figure.
        notes (`list[str]`):
            Sentences below it.
    """

    title: str
    columns: list[str]
    rows: list[list[Cell]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def text(self) -> str:
        """The table as a person reads it."""
        lines = [self.columns, *([_cell(one) for one in row] for row in self.rows)]
        widths = [max(len(line[place]) for line in lines) for place in range(len(self.columns))]
        shown = [
            "  ".join(cell.rjust(width) if place else cell.ljust(width) for place, (cell, width) in enumerate(both))
            for both in (list(zip(line, widths, strict=True)) for line in lines)
        ]
        return "\n".join([self.title, *(f"  {line.rstrip()}" for line in shown), *(f"  {one}" for one in self.notes)])


def _cell(value: Cell) -> str:
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    if value == 0 or 0.01 <= abs(value) < 1e6:
        return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
    return f"{value:.2e}"


class Results:
    """The JSON file of a machine's figures, written anew, whole, after every part.

    Args:
        path (`Path`):
            The file. One of another machine or from other libraries is refused.
        machine (`dict`):
            As `Machine.described` has it.

    Raises:
        `SystemExit`: if the file holds the figures of something else.
    """

    def __init__(self, path: Path, machine: dict[str, Any]):
        self._path, self._machine = path, machine
        self.parts: dict[str, dict[str, Any]] = {}
        if path.exists():
            stored = json.loads(path.read_text(encoding="utf-8"))
            if stored["machine"] != json.loads(json.dumps(machine)):
                raise SystemExit(
                    f"{path} holds the figures of another machine or other libraries: name another --output"
                )
            self.parts = stored["parts"]

    def done(self, names: Iterable[str]) -> list[str]:
        """Those of the parts that ended well before."""
        return [name for name in names if self.parts.get(name, {}).get("ok")]

    def put(self, name: str, tables: Sequence[Table], seconds: float, reason: str = "") -> None:
        """Store what a part found, as far as it came, and why it ended early if it did."""
        told = {"ok": not reason, "seconds": round(seconds, 1), "tables": [asdict(one) for one in tables]}
        self.parts[name] = {**told, "reason": reason} if reason else told
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_name(f".{self._path.name}.partial")
        partial.write_text(
            json.dumps({"machine": self._machine, "parts": self.parts}, indent=1, ensure_ascii=False) + "\n",
            encoding="utf-8",
        )
        partial.replace(self._path)

    def tables(self, name: str) -> list[Table]:
        """The stored tables of a part."""
        return [Table(**one) for one in self.parts[name]["tables"]]
