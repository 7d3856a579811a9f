"""Read a file of samples that another tool generated, and check it against the benchmark."""

from __future__ import annotations

import gzip
import json
import logging
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..benchmarks import Benchmark
from ..errors import UsageError

logger = logging.getLogger(__name__)

_KINDS = ("solution", "completion", "response")
# Benchmarks whose problems go by the same names: only a field can tell whose samples a file holds.
_SAME_NAMES = {"humaneval": "humaneval_plus", "humaneval_plus": "humaneval"}


@dataclass(frozen=True)
class ForeignSample:
    """A line of the file.

    Args:
        task_id (`str`):
            The problem that it answers.
        kind (`str`):
            `solution`: a whole program, taken as it is; of one that is no Python, the program within it. `completion`:
            code, or a continuation of the benchmark's own prompt. `response`: the model's answer.
            The last two may hold `</think>` and fences.
        text (`str`):
            The answer.
    """

    task_id: str
    kind: str
    text: str


def read_samples(
    path: Path, benchmark: Benchmark, per_problem: int = 1, allow_missing: bool = False
) -> list[ForeignSample]:
    """The samples in a file, in the benchmark's order.

    Args:
        path (`Path`):
            JSON lines (`.gz` too) with `task_id` and one of `solution`, `completion` and `response`. The first is a
            problem's name, or a number: 5 is HumanEval/5, and so is 5.0, as pandas writes it in a column with gaps.
            Where a line names its `benchmark` or the `revision` of it, that must be this one. A warning tells where no
            line does and another benchmark has problems of the same names.
        benchmark ([`Benchmark`]):
            The benchmark.
        per_problem (`int`, *optional*, defaults to 1):
            How many samples each problem has.
        allow_missing (`bool`, *optional*, defaults to `False`):
            Whether problems may have fewer, or none.

    Raises:
        [`UsageError`]: for a file that cannot be read, a line that is no sample, a problem that does not exist, too
            many samples for one problem, or missing ones.
    """
    names = [*(problem.task_id for problem in benchmark.problems), *benchmark.unreadable]
    place = {name: number for number, name in enumerate(names)}
    known = {name.rpartition("/")[2]: name for name in names if name.rpartition("/")[2].isdecimal()}
    known |= {name: name for name in names}
    named, samples = False, []
    for number, line in _lines(path):
        samples.append(_sample(line, f"{path.name!r}, line {number}", benchmark, known))
        named = named or "benchmark" in line or "revision" in line
    _check_counts(Counter(sample.task_id for sample in samples), path, benchmark, per_problem, allow_missing)
    if not named and (other := _SAME_NAMES.get(benchmark.name)):
        logger.warning(
            "%r does not say which benchmark it is for, and %s has problems of the same names: graded as %s; a field "
            "'benchmark' in its lines would tell",
            path.name,
            other,
            benchmark.name,
        )
    return sorted(samples, key=lambda sample: place[sample.task_id])


def _check_counts(
    counts: Counter[str], path: Path, benchmark: Benchmark, per_problem: int, allow_missing: bool
) -> None:
    if not counts:
        raise UsageError(f"{path.name!r} holds no samples")
    if too_many := [task_id for task_id, count in counts.items() if count > per_problem]:
        raise UsageError(
            f"{path.name!r} has {counts[too_many[0]]} samples for {too_many[0]!r} where {per_problem} is expected: "
            f"remove the others, or say how many there are with --samples {max(counts.values())}"
        )
    names = [problem.task_id for problem in benchmark.problems]
    missing = [name for name in names if counts[name] < per_problem]
    if missing and not allow_missing:
        more = ", …" if len(missing) > 1 else ""
        raise UsageError(
            f"{path.name!r} has too few samples for {len(missing):,} of the {len(names):,} problems of "
            f"{benchmark.name} ({missing[0]!r}{more}): complete it, or pass --allow_missing to grade what there is"
        )


def _lines(path: Path) -> Iterator[tuple[int, Any]]:
    number = 0
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield number, json.loads(line.rstrip())
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {str(path)!r}: name one with a sample per line") from error
    except IsADirectoryError as error:
        raise UsageError(f"{str(path)!r} is a folder: name a file with a sample per line") from error
    except json.JSONDecodeError as error:
        where = f"{error.msg.removesuffix(' at')}, character {error.pos + 1}"
        raise UsageError(f"{path.name!r}, line {number} is not JSON ({where}): mend or remove it") from error
    except (ValueError, RecursionError) as error:  # no Unicode, a number of 5,000 digits, or 2,000 brackets
        raise UsageError(f"{path.name!r}, line {number} is not JSON ({error}): mend or remove it") from error
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"{path.name!r} cannot be read: {str(error).splitlines()[0]}") from error


def _sample(line: Any, where: str, benchmark: Benchmark, known: Mapping[str, str]) -> ForeignSample:
    asked = _task_id(line)
    if asked is None:
        raise UsageError(f"{where}: a sample is an object with a 'task_id', which is a text or a whole number")
    kinds = [kind for kind in _KINDS if isinstance(line.get(kind), str)]
    if len(kinds) != 1:
        raise UsageError(
            f"{where}: a sample has one text, as {' or '.join(map(repr, _KINDS))}; this one has "
            f"{' and '.join(map(repr, kinds)) or 'none'}"
        )
    if line.get("benchmark", benchmark.name) != benchmark.name:
        raise UsageError(
            f"{where} is of the benchmark {line['benchmark']!r}, not of {benchmark.name!r}: name it with --benchmark"
        )
    revision = line.get("revision", benchmark.revision)
    if revision != benchmark.revision:
        raise UsageError(
            f"{where} was made for revision {revision!r} of {benchmark.name}, this is {benchmark.revision!r}: name a "
            "copy of that version with --path"
        )
    if asked not in known:
        raise UsageError(
            f"{where}: {benchmark.name} (revision {benchmark.revision[:12]}) has no problem {asked!r}: the "
            "samples are of another benchmark, or of another version of it"
        )
    text = line[kinds[0]].encode(errors="replace").decode()  # JSON can hold half a surrogate pair
    return ForeignSample(known[asked], kinds[0], text)


def _task_id(line: Any) -> str | None:
    """The problem's name in a line, a whole number as text; `None` where it is neither."""
    named = line.get("task_id") if isinstance(line, dict) else None
    if isinstance(named, float) and named.is_integer():
        named = int(named)
    if isinstance(named, bool) or not isinstance(named, (str, int)):
        return None
    return str(named)
