"""Decide whose benchmark results they are: a card shows those that are proved to be the checkpoint's own, and those of
its base model."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..benchmarks.registry import BENCHMARKS
from ..benchmarks.results import BenchmarkResult, older_verdicts, read_results
from ..errors import RunError, UsageError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Measured:
    """Benchmark results by whose they are."""

    own: Sequence[BenchmarkResult] = ()
    """Of the checkpoint."""
    base: Sequence[BenchmarkResult] = ()
    """Of the model that it was trained from."""
    claimed: str = ""
    """Name under which results of the checkpoint were measured for which only the publisher's word stands; empty if
    there are none."""


def measured(
    results: Path, weights: Mapping[str, Path], checkpoint: Path, repo_id: str, base_model: str, claimed: str = ""
) -> Measured:
    """Divide benchmark results into those of a checkpoint and those of its base model.

    A result is the checkpoint's if the folder that was evaluated had its content, or if the repository it goes to held
    its weights at the commit that was evaluated. A name proves nothing.

    Args:
        results (`Path`):
            A folder that `asap-hf evaluate` wrote, or one of such folders.
        weights (`Mapping[str, Path]`):
            The checkpoint's weights: path in the repository → file.
        checkpoint (`Path`):
            Its folder.
        repo_id (`str`):
            Where it goes.
        base_model (`str`):
            Hub id of the model that it was trained from.
        claimed (`str`, *optional*, defaults to `""`):
            Name of a model in the results that the user says is the checkpoint.

    Raises:
        `UsageError`: if a result is neither of the checkpoint nor of its base model, if two results of the checkpoint
            are for the same benchmark and budget, or if there is none for the model that the user names.
    """
    found = _read(results)
    if claimed == base_model:
        raise UsageError(f"--results_model {claimed!r} is the base model: leave it out")
    if claimed and claimed not in (names := sorted({one.model for one in found})):
        raise UsageError(
            f"there is no result of {claimed!r} in {str(results)!r}: --results_model is one of {', '.join(names)}"
        )
    content, proved = _content(checkpoint), set[str]()
    own, base, others = list[BenchmarkResult](), list[BenchmarkResult](), list[BenchmarkResult]()
    for one in found:
        if one.model == base_model:
            base.append(one)
            continue
        certain = one.model_revision == content or _is_published(one, repo_id, weights)
        (own if certain or one.model == claimed else others).append(one)
        proved |= {one.model} if certain else set()
    if others:
        raise _of_another(others[0], results, checkpoint)
    _refuse_twice(own)
    return Measured(own, base, claimed if claimed not in proved else "")


def _read(folder: Path) -> list[BenchmarkResult]:
    """The results in a folder; a warning names those that another version of the grader gave."""
    found = read_results(folder)
    if versions := older_verdicts(found):
        logger.warning(
            "the results in %r were %s: their verdicts may be others now; `asap-hf grade FOLDER --output_dir NEW` "
            "grades the answers of an evaluation again, without generating any",
            folder.name,
            versions,
        )
    return found


def _content(checkpoint: Path) -> str | None:
    """The revision under which an evaluation records this folder: the hash of its content; `None` for one that cannot
    be evaluated."""
    from ..models.identity import model_identity

    try:
        return model_identity(str(checkpoint)).revision
    except (UsageError, RunError):  # an adapter, which no engine loads by itself
        return None


def _is_published(result: BenchmarkResult, repo_id: str, weights: Mapping[str, Path]) -> bool:
    from ..hub.verification import commit_holds

    return result.model == repo_id and commit_holds(repo_id, "model", result.model_revision, weights)


def _of_another(result: BenchmarkResult, results: Path, checkpoint: Path) -> UsageError:
    at = f" at {result.model_revision[:12]}" if result.model_revision else ""
    return UsageError(
        f"{str(results)!r} tells of {result.model!r}{at} on {result.benchmark}, and nothing proves that this is "
        f"{str(checkpoint)!r}: evaluate that folder, take the result out, or say with --results_model {result.model} "
        "that it is the same model (the card then says on whose word)"
    )


def _refuse_twice(results: Sequence[BenchmarkResult]) -> None:
    seen: set[tuple[str, int]] = set()
    for one in results:
        if (what := (one.benchmark, one.budget)) in seen:
            raise UsageError(
                f"two results tell of this checkpoint on {BENCHMARKS[one.benchmark].title} with {one.budget:,} "
                "tokens: remove one"
            )
        seen.add(what)
