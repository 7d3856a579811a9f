"""What the ledger holds of requests to LLMs: answers, and under other keys the attempts that brought none to use."""

from __future__ import annotations

from dataclasses import fields

from ..runtime.ledger import Ledger, ledger_key
from .outcomes import Completion, Failure, Request, usable

_OF_COMPLETION = tuple(one.name for one in fields(Completion) if one.name != "from_ledger")
_OF_FAILURE = tuple(one.name for one in fields(Failure) if one.name != "answered")


def stored_outcome(ledger: Ledger, key: str, request: Request) -> Completion | Failure | None:
    """What the ledger holds under the request's key: an answer, which an earlier version may have stored empty or cut,
    or that the attempt failed."""
    if (stored := ledger.get(key)) is not None:
        return usable(Completion(**stored, from_ledger=True), request)
    if (stored := ledger.get(_failure_key(key))) is not None:
        return Failure(**stored, answered=True)
    return None


def store_outcome(ledger: Ledger, key: str, outcome: Completion | Failure) -> None:
    """Store an answer, or that there was one which cannot be used. What may fare better when it is sent again is not
    stored."""
    if isinstance(outcome, Completion):
        ledger.put(key, {name: getattr(outcome, name) for name in _OF_COMPLETION})
    elif outcome.answered:
        ledger.put(_failure_key(key), {name: getattr(outcome, name) for name in _OF_FAILURE})


def _failure_key(key: str) -> str:
    """Where a failed attempt is stored: never as an answer."""
    return ledger_key("llm failure", key)
