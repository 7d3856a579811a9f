"""`Generator`: requests in, one completion or failure per request out, each bought at most once."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from ..errors import UsageError
from ..ledger import ledger_key, open_ledger
from ..progress import tick
from .purse import Purse, Usage


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
            Which try this is. Part of the ledger's key: without it, asking again at temperature 2.0 would replay the
            stored failure.
        schema (`dict`, *optional*):
            JSON schema that the answer must satisfy, for engines that can be held to one. Not a promise: validate.
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
    `stop`, `length` where `max_tokens` or the context cut it off, …"""

    text: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    finish_reason: str = "stop"
    from_ledger: bool = False


@dataclass(frozen=True)
class Failure:
    """Why there is no completion, as `code: detail` without secrets: `timeout`, `http_503: …`, `max_cost: …`. Never
    stored in the ledger, so that running again asks again."""

    reason: str


@dataclass(frozen=True)
class Generator(ABC):
    """An LLM. Subclasses are frozen dataclasses of hyperparameters; an engine is started on first use and never
    pickled.

    Args:
        model (`str`):
            Hub id, local folder, or the name under which an endpoint serves the model.
        prompt_price, completion_price (`float`, *optional*, defaults to 0.0):
            Money per million tokens, for the account and `max_cost`.
        max_cost (`float`, *optional*):
            Hard cap on what this process may spend. A request that could pass it is not sent and fails with
            `max_cost`.

    Raises:
        [`UsageError`]: if there is a `max_cost` and no price.
    """

    model: str
    prompt_price: float = field(default=0.0, kw_only=True)
    completion_price: float = field(default=0.0, kw_only=True)
    max_cost: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if self.max_cost is not None and not (self.prompt_price > 0 or self.completion_price > 0):
            raise UsageError("max_cost needs prices: give prompt_price and completion_price, money per million tokens")

    @abstractmethod
    def generate(self, requests: Sequence[Request], done: Callable[[int, Completion | Failure], None]) -> None:
        """Ask the engine. Calls `done(index, outcome)` once per request, as each finishes, in any order, from the
        thread that called `generate`."""

    def __call__(self, requests: Sequence[Request]) -> list[Completion | Failure]:
        """Answer every request, in order: from the ledger where the same request was answered before, else by
        `generate`. Each new completion is on disk before the next is waited for, so an exception on the way, an
        interrupt too, loses none that had come in.

        Raises:
            [`RunError`]: if the ledger cannot be written; where it can only be read, before anything is asked.
        """
        ledger = open_ledger("llm")
        revision = self._revision()
        keys = [ledger_key("llm", self.model, revision, *request.identity) for request in requests]
        outcomes: dict[str, Completion | Failure] = {}
        for key in dict.fromkeys(keys):
            if (stored := ledger.get(key)) is not None:
                outcomes[key] = Completion(**stored, from_ledger=True)
        # Copies, because the purse knows a request by its identity and a caller may use one object twice.
        missing = {key: replace(request) for key, request in zip(keys, requests, strict=True) if key not in outcomes}
        for key in [key for key, request in missing.items() if not _encodable(request)]:
            outcomes[key] = Failure("bad_request: half of a surrogate pair is no text that could be sent")
            self.purse.settle(missing.pop(key), None)
        order = list(missing)

        def done(index: int, outcome: Completion | Failure) -> None:
            key = order[index]
            if key in outcomes:  # an engine that is interrupted here delivers its last one again
                return
            if isinstance(outcome, Completion):
                ledger.put(key, {name: getattr(outcome, name) for name in _STORED})
            outcomes[key] = outcome
            before = self.usage.cost
            self.purse.settle(missing[key], outcome if isinstance(outcome, Completion) else None)
            tick("LLM calls")
            tick("cost", self.usage.cost - before)

        if missing:
            ledger.check_writable()
            try:
                self.generate(list(missing.values()), done)
            finally:
                for key in missing.keys() - outcomes.keys():  # interrupted: what was on its way may have been billed
                    self.purse.forfeit(missing[key])
        return self._in_order(keys, outcomes, set(missing))

    def _in_order(
        self, keys: list[str], outcomes: dict[str, Completion | Failure], bought: set[str]
    ) -> list[Completion | Failure]:
        answers = []
        for key in keys:
            outcome = outcomes[key]
            if isinstance(outcome, Completion) and key not in bought:
                outcome = replace(outcome, from_ledger=True)
                self.purse.count(from_ledger=1)
            bought.discard(key)
            answers.append(outcome)
        return answers

    def _revision(self) -> str | None:
        """What tells apart two models of the same name in the ledger: the revision, or for a local folder what lies in
        it now, so that a checkpoint that was trained again is asked again. The engine is no part of the key: one
        model's answers serve whichever engine runs it."""
        if not os.path.isdir(self.model):
            return getattr(self, "revision", None)
        with os.scandir(self.model) as entries:
            files = [(one.name, one.stat().st_size, one.stat().st_mtime_ns) for one in entries if one.is_file()]
        return ledger_key(sorted(files))

    @property
    def purse(self) -> Purse:
        """This process's account. Made on first use, and atomically, as generators are shared between threads."""
        purse: Purse = self.__dict__.setdefault(
            "purse", Purse(self.prompt_price, self.completion_price, self.max_cost)
        )
        return purse

    @property
    def usage(self) -> Usage:
        """What this generator has used in this process so far."""
        return self.purse.usage

    def __getstate__(self) -> dict[str, Any]:
        return {one.name: getattr(self, one.name) for one in fields(self)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)


def _encodable(request: Request) -> bool:
    try:
        "".join(str(message["content"]) for message in request.messages).encode()
    except UnicodeEncodeError:
        return False
    return True


_STORED = tuple(one.name for one in fields(Completion) if one.name != "from_ledger")
