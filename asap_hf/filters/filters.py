"""Leave out rows before pruning: those that a model is graded on, and those whose answer is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from ..benchmarks.extract_code import program_in
from ..errors import UsageError
from ..traces.trace import Trace
from .benchmark_texts import open_benchmark_texts
from .decontamination import SHORTEST, NgramIndex

if TYPE_CHECKING:
    from ..evaluation.pass_at_1.host_grader import Grader, Verdict

_TEST_COLUMNS = ("examples", "io_examples", "public_tests", "tests")
_REASONS = {"fail": "failed", "error": "error", "timeout": "timeout"}
_LONGEST_EVIDENCE = 300  # characters


@dataclass(frozen=True)
class Finding:
    """Why a row leaves.

    Args:
        reason (`str`):
            A short code, which is counted.
        evidence (`str`):
            What was found, in one line.
    """

    reason: str
    evidence: str


class Filter(Protocol):
    """A filter is its hyperparameters, as a pruner is: a frozen dataclass that loads what it needs on first use."""

    @property
    def name(self) -> str:
        """The word for this filter in records and tables."""

    @property
    def unjudged(self) -> Counter[str]:
        """Reason code → rows so far that stay because they could not be judged."""

    def settings(self) -> dict[str, Any]:
        """The settings that decide about the result, for `run.json`; no path of this machine."""

    def judge(self, rows: Sequence[Mapping[str, Any]], traces: Sequence[Trace]) -> list[Finding | None]:
        """One finding for each row and its trace, in order; `None`: the row stays."""

    def close(self) -> None:
        """Release what judging started. A filter may be used again afterwards."""


@dataclass(frozen=True)
class Decontamination:
    """Leave out rows whose question is a benchmark's problem. The reason is the benchmark.

    Args:
        sources (`tuple[str, ...]`):
            Names and files that [`asap_hf.filters.benchmark_texts.open_benchmark_texts`] takes.
        n (`int`, *optional*, defaults to 13):
            Words of a shared run, see [`asap_hf.filters.decontamination.NgramIndex`].
        min_share (`float`, *optional*, defaults to 0.1):
            Part of a problem's runs that the question must share, see there.

    Raises:
        [`UsageError`]: if there is no source, or a number is out of bounds; from `judge`, if a source cannot be read.
    """

    sources: tuple[str, ...]
    n: int = 13
    min_share: float = 0.1
    unjudged: Counter[str] = field(default_factory=Counter, init=False, repr=False, compare=False)

    name: ClassVar[str] = "decontamination"

    def __post_init__(self) -> None:
        if not self.sources:
            raise UsageError("decontamination needs at least one benchmark or file to compare with")
        if self.n < SHORTEST:
            raise UsageError(f"runs of fewer than {SHORTEST} words are shared by chance; got {self.n}")
        if not 0 <= self.min_share <= 1:
            raise UsageError(f"min_share is a part of a problem, 0 to 1; got {self.min_share}")

    def settings(self) -> dict[str, Any]:
        names = [Path(source).name for source in self.sources]
        return {"decontaminate": ",".join(names), "decontaminate_n": self.n, "decontaminate_share": self.min_share}

    def judge(self, rows: Sequence[Mapping[str, Any]], traces: Sequence[Trace]) -> list[Finding | None]:
        return [self._judge_one(trace.question) for trace in traces]

    def close(self) -> None:
        vars(self).pop("_index", None)

    def _judge_one(self, question: str) -> Finding | None:
        hits = self._index.hits(question)
        if not hits:
            return None
        evidence = f"{hits[0].task_id}: {hits[0].share:.0%} of its {self.n}-grams, the first of them {hits[0].ngram!r}"
        return Finding(hits[0].benchmark, _one_line(evidence))

    @cached_property
    def _index(self) -> NgramIndex:
        return NgramIndex(open_benchmark_texts(self.sources), self.n, self.min_share)


@dataclass(frozen=True)
class SampleTests:
    """Leave out rows whose answer's program fails the sample tests that the row carries, run in a jail.

    The reason is `failed` (a wrong output), `error` (an exception or a crash), `timeout`, or `no_program` (no complete
    Python program in the answer). A row without tests stays and counts in `unjudged` as `no_tests`; one that the
    machine could not judge as `infra`.

    Output is compared with the one that the sample shows. Where several outputs are right this removes right answers;
    nothing in a row tells such problems apart. Interactive problems cannot be judged at all: rows with an
    `interaction_format` (as in open-r1/codeforces-cots) stay and count as `interactive`, others are judged wrongly.

    Args:
        column (`str`, *optional*):
            Column with the tests: a list of `{"input", "output"}`, or one such dict of lists. `None`: the first of
            `examples`, `io_examples`, `public_tests` and `tests` that holds some.
        workers (`int`, *optional*):
            Programs that run at once; `None`: one per processor core.
        cpu_seconds (`float`, *optional*, defaults to 6.0):
            Processor time per test (LiveCodeBench; contests allow less, but to faster languages).

    Raises:
        [`UsageError`]: if `workers` or `cpu_seconds` is not positive; from `judge`, if no jail can be had on this
            machine, or the rows have no such column.
    """

    column: str | None = None
    workers: int | None = None
    cpu_seconds: float = 6.0
    unjudged: Counter[str] = field(default_factory=Counter, init=False, repr=False, compare=False)

    name: ClassVar[str] = "sample_tests"

    def __post_init__(self) -> None:
        if self.cpu_seconds <= 0 or (self.workers is not None and self.workers < 1):
            raise UsageError(
                f"sample tests need a worker and processor time; got {self.workers} and {self.cpu_seconds} seconds"
            )

    def settings(self) -> dict[str, Any]:
        settings = {"sample_tests": True, "sample_tests_cpu_seconds": self.cpu_seconds}
        return {**settings, "sample_tests_column": self.column} if self.column else settings

    def judge(self, rows: Sequence[Mapping[str, Any]], traces: Sequence[Trace]) -> list[Finding | None]:
        from ..evaluation.pass_at_1.host_grader import StdinTask

        findings: list[Finding | None] = [None] * len(rows)
        tasks: dict[int, StdinTask] = {}
        for number, (row, trace) in enumerate(zip(rows, traces, strict=True)):
            if row.get("interaction_format"):
                self.unjudged["interactive"] += 1
            elif not (tests := self._tests_of(row)):
                self.unjudged["no_tests"] += 1
            elif (program := program_in(trace.answer)) is None:
                findings[number] = Finding("no_program", "there is no complete Python program in the answer")
            else:
                tasks[number] = StdinTask(program, tests, cpu_seconds=self.cpu_seconds)
        verdicts = self._grader.grade(list(tasks.values())) if tasks else []
        for number, verdict in zip(tasks, verdicts, strict=True):
            findings[number] = self._finding(verdict)
        return findings

    def close(self) -> None:
        grader = vars(self).pop("_grader", None)
        if grader is not None:
            grader.__exit__(None, None, None)

    def _tests_of(self, row: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
        if self.column is None:
            return next(filter(None, (_pairs(row.get(name)) for name in _TEST_COLUMNS)), ())
        if self.column not in row:
            raise UsageError(f"there is no column {self.column!r} with tests; the columns are: {', '.join(row)}")
        return _pairs(row[self.column])

    def _finding(self, verdict: Verdict) -> Finding | None:
        if verdict.status == "infra":
            self.unjudged["infra"] += 1
        reason = _REASONS.get(verdict.status)
        return Finding(reason, _one_line(verdict.detail)) if reason else None

    @cached_property
    def _grader(self) -> Grader:
        from ..evaluation.pass_at_1.host_grader import Grader, NoJailError

        try:
            return Grader(workers=self.workers).__enter__()
        except NoJailError as error:
            raise UsageError(f"sample tests run the programs in the answers: {error}") from error


def _pairs(tests: Any) -> tuple[tuple[str, str], ...]:
    """Input and output of each test; nothing where a test is not a pair of texts."""
    if isinstance(tests, Mapping):
        pairs: Iterable[Any] = zip(tests.get("input") or (), tests.get("output") or (), strict=False)
    elif isinstance(tests, list):
        pairs = ((test.get("input"), test.get("output")) for test in tests if isinstance(test, Mapping))
    else:
        return ()
    found = tuple(pairs)
    return found if all(isinstance(text, str) for pair in found for text in pair) else ()


def _one_line(text: str) -> str:
    return " ".join(text.split())[:_LONGEST_EVIDENCE]
