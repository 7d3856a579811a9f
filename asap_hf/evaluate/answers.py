"""Turn generations into rows: each is read under every budget, its program extracted and graded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..benchmarks import Benchmark, Problem
from ..evaluation.pass_at_1.host_grader import GRADER_VERSION, Verdict
from ..llm.engine import Generation
from ..runtime.json_lines import Lines
from .budgets import Reader, Reading
from .grading import Program, grade
from .samples import Sample, Status

Record = Mapping[str, Any]
"""A line of `generations.jsonl`."""

_TIMES = ("queue_seconds", "first_token_seconds", "latency_seconds")


def generation_of(record: Record) -> Generation:
    """The generation that a line holds."""
    times = {name: record[name] for name in _TIMES}
    return Generation(record["text"], tuple(record["token_ids"]), record["finish_reason"], **times)


def in_order(benchmark: Benchmark, records: Sequence[Record]) -> list[Record]:
    """Records in the order of the benchmark's problems; the file has them in the order in which they were finished."""
    place = {problem.task_id: number for number, problem in enumerate(benchmark.problems)}
    return sorted(records, key=lambda one: (place[one["task_id"]], one["sample"]))


def read_answers(
    benchmark: Benchmark, records: Sequence[Record], reader: Reader, budgets: Sequence[int]
) -> list[Sample]:
    """One row per generation and budget, in the benchmark's order. Those with a program are not graded yet: their
    status is `infra` until [`with_verdicts`]."""
    problems = {problem.task_id: problem for problem in benchmark.problems}
    samples = []
    for record in in_order(benchmark, records):
        problem, generation = problems[record["task_id"]], generation_of(record)
        programs: dict[str | None, str | None] = {None: None}  # the same answer under most budgets
        for budget, reading in zip(budgets, reader.read(generation, budgets), strict=True):
            if reading.answer not in programs:
                programs[reading.answer] = benchmark.program(problem, reading.answer or "")
            program = programs[reading.answer]
            times = {name: record[name] if budget == max(budgets) else None for name in _TIMES}
            samples.append(_row(benchmark.name, problem, record["sample"], budget, reading, program, times))
    return samples


def _row(
    benchmark: str,
    problem: Problem,
    number: int,
    budget: int,
    reading: Reading,
    program: str | None,
    times: Mapping[str, float | None],
) -> Sample:
    status, detail = graded_later(program, reading.answer, reading.finish_reason)
    return Sample(
        benchmark=benchmark,
        task_id=problem.task_id,
        sample=number,
        budget=budget,
        finish_reason=reading.finish_reason,
        status=status,
        passed=None if program is not None else False,
        detail=detail,
        reasoning_tokens=reading.reasoning_tokens,
        answer_tokens=reading.answer_tokens,
        generated_tokens=reading.generated_tokens,
        answer=reading.answer or "",
        program=program or "",
        grader_version=None,
        **times,
    )


def graded_later(program: str | None, answer: str | None, finish_reason: str | None) -> tuple[Status, str]:
    """Status and detail of a row before its program is graded: `infra`, or why there is no program to grade."""
    cut = finish_reason == "length"
    if program is not None:
        return "infra", "not graded yet"
    if answer is None and cut:
        return "truncated", "the budget ended before the reasoning did"
    if answer is None:
        return "no_program", "the model stopped without closing its reasoning"
    return "no_program", "the budget ended before a whole program" if cut else "no whole Python program in the answer"


def to_grade(samples: Sequence[Sample]) -> list[Program]:
    """The programs of rows that have no verdict yet."""
    return [(one.task_id, one.program) for one in samples if one.status == "infra"]


def with_verdicts(samples: Sequence[Sample], verdicts: Mapping[Program, Verdict]) -> list[Sample]:
    """The rows with the verdicts of their programs."""
    return [_graded(one, verdicts[one.task_id, one.program]) if one.status == "infra" else one for one in samples]


def graded(
    benchmark: Benchmark, samples: Sequence[Sample], stored: Lines | None = None, workers: int | None = None
) -> list[Sample]:
    """Grade the programs of the rows that have no verdict yet.

    Args:
        benchmark ([`Benchmark`]):
            The benchmark.
        samples (`Sequence[Sample]`):
            Its rows.
        stored ([`Lines`], *optional*):
            Verdicts of an earlier run, which are used, and where new ones are kept.
        workers (`int`, *optional*):
            Programs graded at once; `None`: one per processor core.

    Raises:
        [`RunError`]: if the machine has no jail for programs.
    """
    programs = to_grade(samples)
    if stored is None:
        return with_verdicts(samples, grade(benchmark, programs, workers=workers))
    return with_verdicts(samples, grade(benchmark, programs, stored.records, stored.add, workers))


def _graded(sample: Sample, verdict: Verdict) -> Sample:
    if verdict.status == "infra":
        return replace(sample, passed=None, detail=verdict.detail)
    passed = verdict.status == "pass"
    return replace(sample, status=verdict.status, passed=passed, detail=verdict.detail, grader_version=GRADER_VERSION)
