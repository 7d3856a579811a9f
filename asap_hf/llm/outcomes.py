"""A request to an LLM, and what becomes of it: a completion or a failure, both of which the ledger keeps."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from ..runtime.ledger import Ledger, ledger_key

# What servers call an answer that ended before the model ended it.
_CUT = {"length", "max_tokens", "max_output_tokens", "model_length"}


@dataclass(frozen=True)
class Request:
    """One question to an LLM.

    Args:
        messages (`tuple[dict[str, str], ...]`):
            Chat messages with `role` and `content`.
        temperature (`float`):
            Sampling temperature; 0.0 is greedy.
        top_p (`float`, *optional*, defaults to 1.0):
            Nucleus mass; 1.0 in Appendix A for both calls.
        max_tokens (`int`, *optional*, defaults to 4096):
            Most tokens that may be generated. The paper does not give it.
        attempt (`int`, *optional*, defaults to 0):
            Which try this is. Part of the ledger's key: without it, asking again would replay what this try brought,
            an answer that cannot be used too.
        schema (`dict`, *optional*):
            JSON schema that the answer must satisfy, for engines that can be held to one. Not a promise: validate.

    Example:
        >>> from asap_hf import Request
        >>> request = Request(({"role": "user", "content": "What is 2 + 3?"},), temperature=0.0)
        >>> (request.max_tokens, request.attempt)
        (4096, 0)
    """

    messages: tuple[dict[str, str], ...]
    temperature: float
    top_p: float = 1.0
    max_tokens: int = 4096
    attempt: int = 0
    schema: dict[str, Any] | None = None

    @property
    def identity(self) -> list[Any]:
        """All that tells this question from another, as JSON would hold it."""
        sampling = [float(self.temperature), float(self.top_p), self.max_tokens]
        return [list(self.messages), *sampling, self.attempt, self.schema]


@dataclass(frozen=True)
class Completion:
    """What the model answered, without any separate reasoning part. `from_ledger` is true where nothing was bought:
    the answer was stored, or another request of the same call was the same. `finish_reason` is the engine's word:
    `stop`, `length` where `max_tokens` or the context cut it off, …

    Example:
        >>> from asap_hf import Completion
        >>> Completion("That is 5.", prompt_tokens=9, completion_tokens=5).finish_reason
        'stop'
    """

    text: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    finish_reason: str = "stop"
    from_ledger: bool = False


@dataclass(frozen=True)
class Failure:
    """Why there is no completion.

    Args:
        reason (`str`):
            As `code: detail`, one line without secrets: `timeout`, `http_503: …`, `max_cost: …`, `empty: …`.
        answered (`bool`, *optional*, defaults to `False`):
            There was an answer, and it cannot be used: it is empty, was cut, or is malformed. It has been paid for, so
            the ledger holds that this attempt failed, and running again asks for it no more; only the next attempt
            does. Every other failure is forgotten, and running again asks again.
        prompt_tokens, completion_tokens (`int`, *optional*, defaults to 0):
            Of that answer.

    Example:
        >>> from asap_hf import Failure
        >>> Failure("http_503: the server is busy").answered
        False
    """

    reason: str
    answered: bool = field(default=False, compare=False)
    prompt_tokens: int = field(default=0, compare=False)
    completion_tokens: int = field(default=0, compare=False)


def usable(outcome: Completion | Failure, request: Request) -> Completion | Failure:
    """The outcome, or a [`Failure`] in its place where the answer is empty or was cut: half an answer, taken for a
    whole one, spoils what is made of it without a word."""
    if isinstance(outcome, Failure):
        return outcome
    used = outcome.prompt_tokens, outcome.completion_tokens
    ended = outcome.finish_reason.lower()
    if ended in _CUT or (ended == "unknown" and outcome.completion_tokens >= request.max_tokens):
        return Failure("cut: the answer was cut at the token limit", True, *used)
    if ended == "content_filter":
        return Failure("cut: the answer was cut by the server's content filter", True, *used)
    if all(one.isspace() or not one.isprintable() for one in outcome.text):
        return Failure("empty: the answer holds no text", True, *used)
    return outcome


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
