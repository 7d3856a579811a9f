"""Compare the training efficiency of several runs: Table 3 of the paper (§4.5)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files

from .. import __version__
from ..errors import UsageError
from ..paper import TRAINING_EFFICIENCY
from ..reporting.formatting import change, seconds, shortened, tokens
from ..reporting.markdown import code, table, text
from ..reporting.pictures import DARK, LIGHT
from ..reporting.terminal import table_lines, wrapped, wrapped_note
from ..train.efficiency import TrainingEfficiency

_HEADER = ("", "Tokens", "Time")
_NAME = 40  # longest name of a run on a terminal


@dataclass(frozen=True)
class EfficiencyTable:
    """Several trainings, and the caveats of their comparison."""

    runs: tuple[TrainingEfficiency, ...]
    original: TrainingEfficiency
    """The run that the changes are relative to."""
    paper: Mapping[str, tuple[int, float]]
    """Method → the paper's tokens per sample and seconds per step; empty if they were not asked for."""
    notes: tuple[str, ...]

    @property
    def rows(self) -> list[tuple[str, str, str]]:
        """Name, Tokens, Time of every run, as the paper writes them: 3,178 (−75.6%)."""
        original = self.original.tokens_per_sample, self.original.seconds_per_step
        return [
            (run.name, *_cells(run.tokens_per_sample, run.seconds_per_step, *original, run is self.original))
            for run in self.runs
        ]

    @property
    def papers_own(self) -> list[tuple[str, str, str]]:
        """The paper's own rows, likewise; their names say whose they are."""
        if not self.paper:
            return []
        original = self.paper["Original"]
        return [
            (f"paper, {method}", *_cells(*numbers, *original, method == "Original"))
            for method, numbers in self.paper.items()
        ]


def efficiency_table(
    runs: Sequence[TrainingEfficiency], original: str | None = None, paper: bool = False
) -> EfficiencyTable:
    """Compare trainings.

    Args:
        runs (`Sequence[TrainingEfficiency]`):
            One or more.
        original (`str`, *optional*, defaults to the first run's name):
            The run to which the others are compared; in the paper, the training on unpruned traces.
        paper (`bool`, *optional*, defaults to `False`):
            Whether to add the paper's own numbers.

    Raises:
        `UsageError`: if two runs have the same name, or none has the original's.
    """
    names = [run.name for run in runs]
    if twice := [name for name in names if names.count(name) > 1]:
        raise UsageError(f"two trainings are called {twice[0]!r}, after their folders: rename one folder")
    if original is not None and original not in names:
        raise UsageError(f"no training is called {original!r}: --original is one of {', '.join(names)}")
    base = runs[names.index(original) if original else 0]
    return EfficiencyTable(tuple(runs), base, TRAINING_EFFICIENCY if paper else {}, tuple(_notes(runs, paper)))


def on_terminal(summary: EfficiencyTable) -> str:
    """The table, the notes, and how to read it, at most 100 characters wide."""
    rows = [_HEADER, *((shortened(name, _NAME), *cells) for name, *cells in [*summary.rows, *summary.papers_own])]
    return "\n\n".join(["\n".join(table_lines(rows)), *map(wrapped_note, summary.notes), wrapped(_legend(summary))])


def on_card(summary: EfficiencyTable) -> str:
    """The same as Markdown; whatever comes from a run is escaped."""
    rows = [(code(name), *cells) for name, *cells in summary.rows]
    rows += [(text(name), *cells) for name, *cells in summary.papers_own]
    parts = [table(_HEADER, rows, numbers=(1, 2)), *map(text, summary.notes), text(_legend(summary))]
    return "\n\n".join(parts) + "\n"


def page(summary: EfficiencyTable) -> str:
    """The same as a page without scripts; whatever comes from a run is text."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(undefined=StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = files(__package__).joinpath("training.html").read_text(encoding="utf-8")
    return environment.from_string(template).render(
        version=__version__, summary=summary, header=_HEADER, legend=_legend(summary), light=LIGHT, dark=DARK
    )


def as_json(summary: EfficiencyTable) -> str:
    """The same numbers for a program, without rounding."""
    paper = {
        method: {"tokens_per_sample": tokens, "seconds_per_step": seconds}
        for method, (tokens, seconds) in summary.paper.items()
    }
    content = {
        "asap_hf": __version__,
        "trainings": [asdict(run) | {"tokens_per_step": run.tokens_per_step} for run in summary.runs],
        "original": summary.original.name,
        "paper": paper,
        "notes": summary.notes,
    }
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def efficiency_files(summary: EfficiencyTable) -> dict[str, bytes]:
    """`training.html`, `training.md` and `training.json`, by name; the same bytes for the same runs."""
    content = {
        "training.html": page(summary),
        "training.md": on_card(summary),
        "training.json": as_json(summary),
    }
    return {name: words.encode() for name, words in content.items()}


def _cells(
    of_tokens: float, of_time: float | None, all_tokens: float, all_time: float | None, is_original: bool
) -> tuple[str, str]:
    """Tokens and Time, each with its change to the original, except for the original itself."""
    token_cell, time_cell = tokens(of_tokens), seconds(of_time)
    if is_original:
        return token_cell, time_cell
    token_cell += f" ({change(of_tokens / all_tokens - 1)})"
    if of_time is not None and all_time is not None:
        time_cell += f" ({change(of_time / all_time - 1)})"
    return token_cell, time_cell


def _notes(runs: Sequence[TrainingEfficiency], paper: bool) -> Iterator[str]:
    """Differences in time that do not come from the tokens, and what is not known."""
    if len(runs) > 1:
        listed = "; ".join(f"{run.name}: {run.hardware or 'not known'}" for run in runs)
        yield f"Seconds can only be compared on the same hardware with nothing else running on it ({listed})."
    if len({run.samples_per_step for run in runs}) > 1:
        listed = ", ".join(f"{run.name}: {run.samples_per_step:,.4g}" for run in runs)
        yield f"Seconds per step are those of different numbers of samples per step ({listed})."
    if len({run.model for run in runs if run.model}) > 1:
        listed = ", ".join(f"{run.name}: {run.model or 'not known'}" for run in runs)
        yield f"Different models were trained ({listed})."
    if without := [run.name for run in runs if run.seconds_per_step is None]:
        yield (
            f"No time was logged by {', '.join(without)}: train with --include_num_input_tokens_seen true, or"
            " with EfficiencyCallback."
        )
    if paper:
        yield (
            'Rows that begin with "paper" hold the paper\'s own numbers (arXiv 2508.05988v1, Table 3). They were not'
            " measured here; their seconds are those of NVIDIA H20 GPUs, and it does not say of how many."
        )


def _legend(summary: EfficiencyTable) -> str:
    return (
        "Tokens is the mean number of tokens of a training sample, prompt and answer included, padding not; Time is"
        f" seconds per optimiser step. In brackets: the change against {summary.original.name}, for the paper's rows"
        " against its Original (§4.5)."
    )
