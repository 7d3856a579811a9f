"""Print an evaluation as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

from ..benchmarks.registry import BENCHMARKS
from ..benchmarks.results import BenchmarkResult
from ..reporting.formatting import share, tokens
from ..reporting.markdown import one_line
from ..reporting.terminal import table_line
from .report import LATENCY, Report
from .samples import Sample, by_problem, pass_at_k, ungraded

if TYPE_CHECKING:
    from ..benchmarks import Benchmark
    from .run import Evaluation

_WIDTHS = (8, 9, 12, 9, 11, 8, 11, 10)  # of the columns
_ORDER = ("pass", "fail", "error", "timeout", "no_program", "truncated", "infra")


def report_table(report: Report) -> str:
    """A table per benchmark, one line per budget, and the notes that are needed to read it."""
    names = dict.fromkeys(one.benchmark for one in report.results)
    return "\n\n".join(_benchmark(name, report) for name in names)


def _benchmark(name: str, report: Report) -> str:
    results = [one for one in report.results if one.benchmark == name]
    rows = [_rows(report.samples, one) for one in results]
    answers = "" if report.run["samples"] == 1 else f", {report.run['samples']} answers to each"
    at = f" at {results[0].dataset_revision[:12]}" if results[0].dataset_revision else ""
    lines = [f"{BENCHMARKS[name].title}: {results[0].problems:,} problems of {results[0].dataset}{at}{answers}"]
    lines.append(_columns("budget", "Pass@1", "passed", "tokens", "reasoning", "answer", "truncated", "latency"))
    lines += [_line(result, samples) for result, samples in zip(results, rows, strict=True)]
    lines += [
        f"at {result.budget:,}, {note}" for result, some in zip(results, rows, strict=True) if (note := _lost(some))
    ]
    lines.append(f"verdicts at {results[-1].budget:,}: {verdicts(rows[-1])}")
    return "\n".join([*lines, *_notes(report.run, name)])


def _rows(samples: Sequence[Sample], result: BenchmarkResult) -> list[Sample]:
    return [one for one in samples if (one.benchmark, one.budget) == (result.benchmark, result.budget)]


def _line(result: BenchmarkResult, samples: Sequence[Sample]) -> str:
    judged = [one for one in samples if one.passed is not None]
    passed = f"{sum(bool(one.passed) for one in judged):,} of {len(judged):,}"
    reasoning = fmean(one.reasoning_tokens or 0 for one in samples)
    answer = fmean(one.answer_tokens or 0 for one in samples)
    truncated = fmean(one.status == "truncated" for one in samples)
    latency = "" if result.latency is None else f"{result.latency:,.2f} s"
    return _columns(
        f"{result.budget:,}",
        f"{result.pass_at_1:.2%}",
        passed,
        *map(tokens, (result.tokens, reasoning, answer)),
        share(truncated),
        latency,
    )


def _columns(budget: str, *cells: str) -> str:
    return table_line((budget.rjust(_WIDTHS[0]), *cells), _WIDTHS)


def verdicts(samples: Sequence[Sample]) -> str:
    """`pass 3, fail 1, truncated 2`."""
    counts = Counter[str](one.status for one in samples)
    return ", ".join(f"{status} {counts[status]:,}" for status in _ORDER if counts[status])


def _lost(samples: Sequence[Sample]) -> str:
    """How many answers were not graded, of which problems, and why; empty where there are none."""
    lost = ungraded(samples)
    if not lost:
        return ""
    problems = list(dict.fromkeys(one.task_id for one in lost))
    named = ", ".join(problems[:3]) + (", …" if len(problems) > 3 else "")
    sentence = f"{len(lost):,} of {len(samples):,} answers were not graded ({named}: {lost[0].detail})"
    return one_line(f"{sentence}; Pass@1 is of the others")


def _notes(run: Mapping[str, Any], name: str) -> list[str]:
    cuts, sessions, notes = run["budgets"][name], run["sessions"][name], []
    notes += _unread(run.get("unreadable", {}).get(name, {}))
    if cuts["cut"]:
        notes.append(cut_note(cuts["generated"], cuts["cut"], cuts["exact"], run["temperature"] == 0))
    if cuts["ended_by_context"]:
        notes.append(
            f"{cuts['ended_by_context']:,} generations ended where the model's context does, before the budget"
        )
    note = f"latency: {LATENCY}"
    notes.append(note if sessions == 1 else f"{note}. This one is of {sessions} batches, as the run was broken off")
    return notes


def _unread(unreadable: Mapping[str, str]) -> list[str]:
    """The problems that are missing."""
    if not unreadable:
        return []
    listed = "; ".join(f"{problem}: {trouble}" for problem, trouble in unreadable.items())
    return [one_line(f"left out, as they cannot be read: {len(unreadable):,} of the benchmark's problems ({listed})")]


def cut_note(generated: int, cut: Sequence[int], exact: bool, greedy: bool) -> str:
    """How the results under the smaller budgets were made."""
    budgets = ", ".join(f"{budget:,}" for budget in cut)
    how = "the one greedy generation" if greedy else "the one sampled generation, whose draws they share,"
    where = "at that very token" if exact else "roughly there: without token ids the text is tokenised anew"
    return f"{budgets}: not generated again, but cut from {how} at {generated:,}, {where}"


def graded_table(samples: Sequence[Sample], benchmark: Benchmark) -> str:
    """The results of samples that another tool generated."""
    problems = by_problem(samples)
    lines = [f"{benchmark.title}: {len(problems):,} of {len(benchmark.problems):,} problems"]
    for k in sorted({1, min(len(answers) for answers in problems.values())}):
        chance = pass_at_k(samples, k)
        lines.append(f"{f'Pass@{k}':<10}{'not graded' if chance is None else f'{chance:.2%}':>10}")
    lines += [note] if (note := _lost(samples)) else []
    lines += _unread(benchmark.unreadable)
    lines.append(f"verdicts: {verdicts(samples)}")
    return "\n".join(lines)


def changes(report: Report) -> str:
    """Which verdicts of an evaluation changed when it was graded again."""
    changed = report.run["graded_again"]["changed"]
    listed = ", ".join(f"{what} {count:,}" for what, count in changed.items())
    return f"verdicts that changed: {listed or 'none'}"


def plan_table(evaluation: Evaluation) -> str:
    """What an evaluation would do."""
    model, _ = evaluation.engine.identity
    lines = [f"{model} through {evaluation.engine.kind}, {'greedy' if _greedy(evaluation) else 'sampled'}"]
    for benchmark in evaluation.benchmarks:
        *cut, budget = evaluation.budgets[benchmark.name]
        lengths = [len(prompt.token_ids) for prompt in evaluation.prompts(benchmark)]
        lines.append(
            f"{benchmark.title}: {len(benchmark.problems):,} problems, {len(lengths):,} answers of at most "
            f"{budget:,} tokens to prompts of {median(lengths):,.0f} (at most {max(lengths):,})"
        )
        if cut:
            lines.append(f"  {cut_note(budget, cut, True, _greedy(evaluation))}")
    return "\n".join(lines)


def _greedy(evaluation: Evaluation) -> bool:
    return evaluation.sampling.temperature == 0
