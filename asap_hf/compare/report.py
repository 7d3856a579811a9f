"""Render a comparison as one HTML file that loads nothing else."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

from .. import __version__
from ..reporting.pictures import DARK, LIGHT
from ..reporting.styles import SIGNS, run_styles
from . import tables
from .comparison import Comparison
from .paired import BenchmarkComparison
from .plots import pictures_of
from .runs import EvaluationRun


def report(comparison: Comparison) -> str:
    """Tables, pictures, tests, notes, and how each run was made. There is no script in it, and whatever comes from a
    run is text.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(undefined=StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = files(__package__).joinpath("report.html").read_text(encoding="utf-8")
    light = run_styles(comparison.names, comparison.baseline, LIGHT)
    dark = run_styles(comparison.names, comparison.baseline, DARK)
    return environment.from_string(template).render(
        version=__version__,
        tables=tables,
        comparison=comparison,
        layout=tables.papers_layout(comparison),
        papers_own=tables.papers_own(comparison),
        sections=[(one, _pictures(comparison, one)) for one in comparison.benchmarks],
        styles=[(name, SIGNS[style.marker], style.colour, dark[name].colour) for name, style in light.items()],
        models={run.name: run.model for run in comparison.runs},
        details={run.name: list(_details(run)) for run in comparison.runs},
        palettes={"light": LIGHT, "dark": DARK},
    )


def _pictures(comparison: Comparison, one: BenchmarkComparison) -> list[tuple[str, str, str]]:
    """Title, light picture, dark picture."""
    both = zip(pictures_of(comparison, one, LIGHT), pictures_of(comparison, one, DARK), strict=True)
    return [(light.title, _data_uri(light.png), _data_uri(dark.png)) for light, dark in both]


def _data_uri(png: bytes) -> str:
    return f"data:image/png;base64,{b64encode(png).decode()}"


def _details(run: EvaluationRun) -> Iterator[tuple[str, str]]:
    """Dataset, date and settings of an evaluation, one line each."""
    for result in {one.benchmark: one for one in run.results.values()}.values():
        yield result.benchmark, f"{result.dataset} {result.dataset_revision[:12]} {result.split}, {result.date}"
    yield from _flat({"model": run.model} | dict(run.about))


def _flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{name}, ")
        else:
            yield f"{above}{name}", value if isinstance(value, str) else json.dumps(value)
