"""What pruners that ask an LLM share: when to give up, on a trace or altogether."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ..errors import RunError, UsageError
from ..llm.generator import Completion, Failure, Generator
from ..traces.trace import Trace
from .base import Pruning

OnFailure = Literal["keep", "drop", "error"]

_NOBODY_ANSWERS = ("unreachable", "http_401", "http_402", "http_403", "http_404")
_NO_SUCH_REQUEST = ("max_cost", "bad_request", "prompt_too_long", "out_of_memory", "http_400", "http_413", "http_422")
_PERMANENT_FAILURES = (*_NOBODY_ANSWERS, *_NO_SUCH_REQUEST)
_ON_FAILURE = ("keep", "drop", "error")


def check_asking(max_attempts: int, on_failure: str) -> None:
    """Refuse what is no way of asking.

    Raises:
        [`UsageError`]: if there is to be no attempt, or `on_failure` is not a known word.
    """
    if on_failure not in _ON_FAILURE:
        raise UsageError(f"on_failure is one of {', '.join(_ON_FAILURE)}; got {on_failure!r}")
    if max_attempts < 1:
        raise UsageError(f"max_attempts is 1 or more; got {max_attempts}")


def user_message(content: str) -> tuple[dict[str, str], ...]:
    """The messages of a request that says one thing."""
    return ({"role": "user", "content": content},)


def is_final(failure: Failure) -> bool:
    """Whether asking again would fail the same way."""
    return failure.reason.startswith(_PERMANENT_FAILURES)


def stop_if_nothing_ever_answers(generator: Generator, outcomes: Sequence[Completion | Failure], who: str) -> None:
    """A wrong address, key or model name is the operator's to mend, and no row's fault.

    Raises:
        [`RunError`]: if every request failed so, and none was ever answered in this process.
    """
    failures = [outcome.reason for outcome in outcomes if isinstance(outcome, Failure)]
    in_vain = [reason for reason in failures if reason.startswith(_NOBODY_ANSWERS)]
    if outcomes and len(in_vain) == len(outcomes) and not generator.account.store.answers:
        raise RunError(f"the LLM of {who} answers nothing ({in_vain[0]}); mend that, then run the same command")


def failed(trace: Trace, who: str, reason: str, record: Mapping[str, Any], on_failure: OnFailure) -> Pruning:
    """The decision about a trace that got no valid answer.

    Raises:
        [`RunError`]: if `on_failure` is `"error"`.
    """
    if on_failure == "error":
        raise RunError(f"{who}: {reason}; on_failure='keep' goes on with the original reasoning")
    return Pruning(trace, f"{who}: {reason}", record, dropped=on_failure == "drop")
