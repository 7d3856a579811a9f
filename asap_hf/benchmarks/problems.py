"""A benchmark: problems to put to a model, and how an answer becomes a program and the program a task to grade."""

from __future__ import annotations

import hashlib
import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ..errors import UsageError
from ..evaluation.pass_at_1.host_task_builders import Limits
from ..evaluation.pass_at_1.host_tasks import Task
from .files import KINDS, HubFiles, Row, downloaded, found, kind_of, rows_of

if TYPE_CHECKING:
    from ..evaluation.pass_at_1.host_grader import Grader

logger = logging.getLogger(__name__)


class UnreadableProblem(UsageError):
    """The tests of one problem cannot be read or do not run. The others can be graded all the same."""


@dataclass(frozen=True)
class Problem:
    """One problem.

    Args:
        task_id (`str`):
            Its name in the benchmark.
        prompt (`str`):
            What a user asks the model. No test that the benchmark keeps to itself is in it.
        row (`dict[str, Any]`):
            The benchmark's row, tests and all.
    """

    task_id: str
    prompt: str
    row: Row = field(repr=False, hash=False)

    @property
    def messages(self) -> list[dict[str, str]]:
        """The conversation, for a chat template. It has no system message, as the card of DeepSeek-R1 wants it."""
        return [{"role": "user", "content": self.prompt}]


class Benchmark(ABC):
    """Problems of one copy of a benchmark. Which benchmark it is, its class says.

    Args:
        problems (`Sequence[Problem]`):
            In the benchmark's order.
        revision (`str`):
            Commit of the dataset on the Hub, or the SHA-256 of a local copy.
        unreadable (`Mapping[str, str]`, *optional*):
            The problems that were left out because their rows cannot be read: name, or number of the row, and why.
    """

    name: ClassVar[str]
    """Its name in records and on the command line."""
    title: ClassVar[str]
    """What tables and cards call it."""
    family: ClassVar[str]
    """Its name for `--decontaminate`, which benchmarks share that are parts of one dataset."""
    config: ClassVar[str | None] = None
    """Which part of the dataset it is, where it is one of several."""
    files: ClassVar[HubFiles]
    """Where the problems are."""
    size: ClassVar[int]
    """How many problems there are."""
    budget: ClassVar[int]
    """Tokens that a model may generate for a problem, unless told otherwise."""
    limits: ClassVar[Limits]
    """What a program may take when it is graded."""
    split: ClassVar[str] = "test"
    """Split of the dataset."""
    id_field: ClassVar[str] = "task_id"
    """What of a row is the problem's name."""
    fields: ClassVar[Mapping[str, type | tuple[type, ...]]]
    """What of a row is needed, and of which type it is."""
    left_in_file: ClassVar[tuple[str, ...]] = ()
    """What of a row stays in the file until it is needed, see [`asap_hf.benchmarks.files.rows_of`]."""

    def __init__(self, problems: Sequence[Problem], revision: str, unreadable: Mapping[str, str] | None = None):
        self.problems = tuple(problems)
        self.revision = revision
        self.unreadable = dict(unreadable or {})

    @classmethod
    def open(cls, path: Path | None, limit: int | None) -> Benchmark:
        """Read the problems, see [`asap_hf.benchmarks.open_benchmark`]. Those whose rows cannot be read are left out,
        named in a warning, and counted among those that a limit takes."""
        if path is None:
            paths, revision = downloaded(cls.files)
            where = f"{cls.files.repo_id} on the Hub"
        else:
            paths, where = cls._local(path), repr(str(path))
            revision = _sha256(paths)
        problems: dict[str, Problem] = {}
        unreadable: dict[str, str] = {}
        for name, read in cls._read(paths):
            if name in problems or name in unreadable:
                raise UsageError(f"{where} has two problems {name!r}: remove one")
            if isinstance(read, Problem):
                problems[name] = read
            else:
                unreadable[name] = read
            if len(problems) + len(unreadable) == limit:
                break
        cls._check(problems, unreadable, where, limit)
        return cls(list(problems.values()), revision, unreadable)

    @classmethod
    def _check(
        cls, problems: Mapping[str, Problem], unreadable: Mapping[str, str], where: str, limit: int | None
    ) -> None:
        first = next(iter(unreadable.values()), "")
        if unreadable and not problems:
            raise UsageError(f"{where} is no copy of {cls.name}: {first}")
        if not problems or (limit is None and len(problems) + len(unreadable) != cls.size):
            more = f", and {len(unreadable):,} that cannot be read ({first})" if unreadable else ""
            raise UsageError(
                f"{where} has {len(problems):,} problems of {cls.name}{more}, which has {cls.size:,}: it is of "
                "another version; give a file of this one, or a limit to take the first problems of what there is"
            )
        if unreadable:
            logger.warning(
                "%s: %d of %d problems of %s cannot be read and are left out (%s): get the file again to have them",
                where,
                len(unreadable),
                len(problems) + len(unreadable),
                cls.name,
                "; ".join(f"{name}: {trouble}" for name, trouble in unreadable.items()),
            )

    @classmethod
    def _local(cls, path: Path) -> list[Path]:
        if path.is_dir():
            return found(path, cls.files, repr(str(path)))
        if not path.is_file() or kind_of(path) is None:
            raise UsageError(
                f"there is no file {str(path)!r} to read {cls.name} from: give one that ends in {', '.join(KINDS)}, "
                f"or a folder that is a copy of {cls.files.repo_id}"
            )
        return [path]

    @classmethod
    def _read(cls, paths: Sequence[Path]) -> Iterator[tuple[str, Problem | str]]:
        """Names and problems, or what keeps a row from being one."""
        for path in paths:
            for number, row in enumerate(rows_of(path, left_in_file=cls.left_in_file, broken_as_empty=True), 1):
                if not cls.has(row):
                    continue
                name = row.get(cls.id_field)
                if trouble := cls.trouble_with(row) if row else "is no object in JSON":
                    yield name if isinstance(name, str) else f"row {number} of {path.name}", f"row {number} {trouble}"
                else:
                    yield row[cls.id_field], Problem(row[cls.id_field], cls.prompt(row), row)

    @classmethod
    def trouble_with(cls, row: Row) -> str:
        """Why this row cannot be one of the benchmark's; empty if it can."""
        missing = [name for name, kinds in cls.fields.items() if not isinstance(row.get(name), kinds)]
        return f"has no {missing[0]!r} of the kind that {cls.files.repo_id} has" if missing else ""

    @classmethod
    def has(cls, row: Row) -> bool:
        """Whether the row is of this benchmark, if a file may hold others as well."""
        return True

    @classmethod
    def family_files(cls) -> HubFiles:
        """The problems of the whole family, which `--decontaminate` compares with."""
        return cls.files

    @property
    def dataset(self) -> str:
        """Where the problems come from, as an id on the Hub."""
        return self.files.repo_id

    @property
    def prompts_hash(self) -> str:
        """SHA-256 of all prompts in order, as a list in JSON."""
        return hashlib.sha256(json.dumps([problem.prompt for problem in self.problems]).encode()).hexdigest()

    @staticmethod
    @abstractmethod
    def prompt(row: Row) -> str:
        """What a user asks the model."""

    @abstractmethod
    def program(self, problem: Problem, answer: str) -> str | None:
        """The whole program that an answer gives; `None` if it gives none.

        Args:
            problem ([`Problem`]):
                What was asked.
            answer (`str`):
                What follows `</think>`.
        """

    @abstractmethod
    def task(self, problem: Problem, program: str) -> Task:
        """The program with the benchmark's tests, for a [`Grader`]. Some hold hundreds of megabytes of tests: make
        tasks as they are graded, and not all of them before.

        Raises:
            [`UnreadableProblem`]: if the problem's tests cannot be read, or what they depend on fails.
            [`UsageError`]: if the file was changed or removed meanwhile.
            [`RunError`]: if what the tests depend on cannot be written.
        """

    def prepare(self, grader: Grader) -> None:  # noqa: B027 most depend on nothing
        """Run what tasks depend on, if there is anything; where that fails for a problem, [`task`] says so. It does
        that by itself if need be, but with a grader of its own, which knows nothing of how this one was opened.

        Raises:
            [`RunError`]: if what came of it cannot be written.
        """


def _sha256(paths: Sequence[Path]) -> str:
    """Of a file; of several, that of their own, each in hexadecimal and on a line."""
    digests = []
    for path in paths:
        with path.open("rb") as file:
            digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("".join(f"{digest}\n" for digest in digests).encode()).hexdigest()
