"""Write rows of results as one HTML file that loads nothing and sends nothing."""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import Any

from .. import __version__
from ..dataset.rebudget import largest_ratio
from ..errors import RunError
from ..reporting.pictures import DARK, LIGHT
from ..runtime.files import disk_errors, write_whole
from .entries import line_of, trace_of
from .results import Result, side_by_side

# One module in the browser, in this order.
_SCRIPTS = ("data", "budget", "scores", "texts", "list", "trace", "ribbon", "comparison", "search", "keys", "start")
# Characters of JSON that are compressed together: a trace opens in some 10 ms, and small ones share their words.
_CHUNK = 1 << 19


def write_page(results: Sequence[Result], output: Path, limit: int | None = None) -> dict[str, int]:
    """Write the page; the same bytes for the same results.

    Args:
        results (`Sequence[Result]`):
            The result to show, and those to compare it with ([`asap_hf.explore.results.open_results`]).
        output (`Path`):
            The file; what stands there is replaced once the new one is whole.
        limit (`int`, *optional*):
            Show the first rows only.

    Returns:
        `dict`: how many `traces` it holds, how many of them are `alone`, missing in some other
        result, and its `bytes`.

    Raises:
        `RunError`: if no row is there to show, or the file cannot be written.
    """
    book = _PageContent()
    for row, others in islice(side_by_side(results), limit):
        book.add(row, others)
    if not book.lines:
        raise RunError(f"no row of {results[0].name!r} can be shown: it holds none")
    page = _render(_about(results), book)
    with disk_errors(f"the page {str(output)!r}", "make room, or name another file"):
        output.parent.mkdir(parents=True, exist_ok=True)
        write_whole(output, page)
    return {"traces": len(book.lines), "alone": book.alone, "bytes": output.stat().st_size}


def is_page(path: Path) -> bool:
    """Whether a file is a page that `write_page` wrote."""
    with path.open("rb") as file:
        return b'<meta name="generator" content="asap-hf ' in file.read(1000)


class _PageContent:
    """The list's lines, and the traces in compressed chunks."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self.alone = 0
        self._chunks: list[str] = []
        self._waiting: list[str] = []

    def add(self, row: Mapping[str, Any], others: Sequence[Mapping[str, Any] | None]) -> None:
        trace = trace_of(row, others)
        self.alone += None in trace["versions"]
        self.lines.append({**line_of(row, trace), "chunk": len(self._chunks), "place": len(self._waiting)})
        self._waiting.append(_json(trace))
        if sum(map(len, self._waiting)) >= _CHUNK:
            self._close_chunk()

    def chunks(self) -> list[str]:
        if self._waiting:
            self._close_chunk()
        return self._chunks

    def _close_chunk(self) -> None:
        self._chunks.append(packed(f"[{','.join(self._waiting)}]"))
        self._waiting = []


def packed(text: str) -> str:
    """Text as the page embeds it, in letters that cannot end a script element."""
    return b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _about(results: Sequence[Result]) -> dict[str, Any]:
    """Names, settings and budget of the results as a whole."""
    first = results[0]
    return {
        "source": str(first.run["source"]),
        "names": [one.name for one in results],
        "folder": first.folder.resolve().name,
        "settings": {name: str(value) for name, value in first.settings.items()},
        "score": str(first.settings.get("score", "")),
        "rebudget": _rebudget(first),
        "largest_ratio": largest_ratio(first.settings),
    }


def _rebudget(result: Result) -> str:
    """Why `asap-hf prune` cannot give this result another budget, as it would say itself; empty where it can."""
    if result.config:
        return "this dataset holds what several pruners left, and no record of how"
    if result.settings.get("keep_llm_text"):
        return "the rows hold the LLM's own words (keep_llm_text)"
    if "score" not in result.settings:
        return "no step was scored: this pruner has no stage 2"
    return ""


def _render(about: Mapping[str, Any], book: _PageContent) -> str:
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    style, script = _style(), "".join(_part(f"{name}.js") for name in _SCRIPTS)
    environment = Environment(undefined=StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_part("page.html")).render(
        version=__version__,
        about=about,
        count=len(book.lines),
        style=Markup(style),
        script=Markup(script),
        style_hash=_hash(style),
        script_hash=_hash(script),
        index=packed(_json({"about": about, "lines": book.lines})),
        chunks=book.chunks(),
    )


def _style() -> str:
    """The style sheet with the colours of the report on evaluations: light, then dark."""
    pairs = {"ground": (LIGHT.ground, DARK.ground), "ink": (LIGHT.ink, DARK.ink), "muted": (LIGHT.muted, DARK.muted)}
    pairs |= {"rule": (LIGHT.rule, DARK.rule)}
    runs = list(zip(LIGHT.runs, DARK.runs, strict=True))
    pairs |= {"kept": runs[0], "fine": runs[1], "score": runs[2]}
    colours = " ".join(f"--{name}: light-dark({light}, {dark});" for name, (light, dark) in pairs.items())
    return f":root {{ {colours} }}\n{_part('page.css')}"


def _part(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """The only style sheet and the only script that the page lets run, by their hash."""
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"
