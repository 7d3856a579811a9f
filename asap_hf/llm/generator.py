"""`Generator`: requests in, one completion or failure per request out, each bought at most once."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from math import inf
from typing import Any

from ..errors import UsageError
from ..runtime.ledger import ledger_key, open_ledger
from ..runtime.progress import show, tick
from .account import Account
from .account_store import AccountStore, Usage
from .engine import Engine, Generation, Prompt
from .outcomes import Completion, Failure, Request, store_outcome, stored_outcome, usable
from .run_account import current_store, new_store, store_of_copied, tell_copies

__all__ = ["Completion", "Failure", "Generator", "Request"]


@dataclass(frozen=True)
class Generator:
    """Ledger, spending cap and account around an [`Engine`]. Subclasses are frozen dataclasses of hyperparameters; an
    engine is started on first use and never pickled.

    Args:
        model (`str`):
            Hub id, local folder, or the name under which an endpoint serves the model.
        prompt_price, completion_price (`float`, *optional*, defaults to 0.0):
            Money per million tokens, for the account and `max_cost`.
        max_cost (`float`, *optional*):
            Hard cap on what this generator may spend, its copies in the processes that this one starts included
            (`Dataset.map(num_proc=8)` makes eight). Within a [`run_account`], on what the whole run may spend. A
            request that could pass it is not sent and fails with `max_cost`.

    Raises:
        [`UsageError`]: if there is a `max_cost` and no price, or one of them is negative or no number.

    Example:
        >>> from dataclasses import dataclass
        >>> from asap_hf import Completion, Generator, Request
        >>> @dataclass(frozen=True)
        ... class Echo(Generator):
        ...     def generate(self, requests, done):
        ...         for index, request in enumerate(requests):
        ...             done(index, Completion(request.messages[-1]["content"], prompt_tokens=2, completion_tokens=2))
        >>> [answer] = Echo("echo")([Request(({"role": "user", "content": "Hello"},), temperature=0.0)])
        >>> answer.text
        'Hello'
    """

    model: str
    prompt_price: float = field(default=0.0, kw_only=True)
    completion_price: float = field(default=0.0, kw_only=True)
    max_cost: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        for name in ("prompt_price", "completion_price", "max_cost"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < inf:
                raise UsageError(f"{name} is money, 0 or more; got {value}")
        if self.max_cost is not None and not (self.prompt_price > 0 or self.completion_price > 0):
            raise UsageError("max_cost needs prices: give prompt_price and completion_price, money per million tokens")
        object.__setattr__(self, "_store", new_store(self.max_cost is not None))

    @property
    def engine(self) -> Engine:
        """What runs the model; made on first use."""
        raise NotImplementedError

    def generate(self, requests: Sequence[Request], done: Callable[[int, Completion | Failure], None]) -> None:
        """Ask the engine. Calls `done(index, outcome)` once per request, as each finishes, in any order, from the
        thread that called `generate`. After an interrupt, what had come in is still delivered, and the outcome that
        `done` was at is delivered again."""
        outcomes = self.engine.answer(((one, self._prompt(one)) for one in requests), self.account)
        item: tuple[int, Generation | Failure] | None = None
        try:
            for item in outcomes:
                done(item[0], self._outcome(item[1]))
        except KeyboardInterrupt as interrupt:
            if item:
                done(item[0], self._outcome(item[1]))
            item = outcomes.throw(interrupt)
            while True:  # until the engine raises the interrupt
                done(item[0], self._outcome(item[1]))
                item = next(outcomes)
        finally:
            outcomes.close()

    def _prompt(self, request: Request) -> Prompt:
        return Prompt(request.messages)

    def _outcome(self, outcome: Generation | Failure) -> Completion | Failure:
        if isinstance(outcome, Failure):
            return outcome
        return Completion(outcome.text, outcome.prompt_tokens, outcome.completion_tokens, outcome.finish_reason)

    def __call__(self, requests: Sequence[Request]) -> list[Completion | Failure]:
        """Answer every request, in order: from the ledger where the same request was answered before, else by
        `generate`. Each new completion is on disk before the next is waited for, so an exception on the way, an
        interrupt too, loses none that had come in. An answer that is empty or was cut is a [`Failure`].

        Raises:
            [`RunError`]: if the ledger cannot be written (where it can only be read, before anything is asked), or a
                server bills more than it was asked for, so that `max_cost` cannot be kept.
        """
        ledger, account = open_ledger("llm"), self.account
        keys = self._keys(requests)
        outcomes = {
            key: stored
            for key, request in zip(keys, requests, strict=True)
            if (stored := stored_outcome(ledger, key, request)) is not None
        }
        # Copies, because the account knows a request by its identity and a caller may use one object twice.
        missing = {key: replace(request) for key, request in zip(keys, requests, strict=True) if key not in outcomes}
        for key in [key for key, request in missing.items() if not _encodable(request)]:
            outcomes[key] = Failure("bad_request: half of a surrogate pair is no text that could be sent")
            account.settle(missing.pop(key), outcomes[key])
        order = list(missing)

        def done(index: int, outcome: Completion | Failure) -> None:
            key = order[index]
            if key in outcomes:  # an engine that is interrupted here delivers its last one again
                return
            outcome = usable(outcome, missing[key])
            store_outcome(ledger, key, outcome)
            outcomes[key] = outcome
            account.settle(missing[key], outcome)
            tick("LLM calls")
            show("cost", account.usage.cost)

        if missing:
            ledger.check_writable()
            try:
                self.generate(list(missing.values()), done)
            finally:
                for request in missing.values():  # interrupted: what was on its way may have been billed
                    account.forfeit(request)
        return self._in_order(keys, outcomes, set(missing))

    def stored(self, requests: Sequence[Request]) -> list[Completion | Failure | None]:
        """What the ledger holds of each request, `None` where it was not asked or is not known how it ended; nothing
        is bought."""
        ledger = open_ledger("llm")
        return [
            stored_outcome(ledger, key, request) for key, request in zip(self._keys(requests), requests, strict=True)
        ]

    def _keys(self, requests: Sequence[Request]) -> list[str]:
        revision = self._revision()
        return [ledger_key("llm", self.model, revision, *request.identity) for request in requests]

    def _in_order(
        self, keys: list[str], outcomes: dict[str, Completion | Failure], bought: set[str]
    ) -> list[Completion | Failure]:
        answers = []
        for key in keys:
            outcome = outcomes[key]
            if key not in bought and isinstance(outcome, Completion):
                outcome = replace(outcome, from_ledger=True)
            if key not in bought and (isinstance(outcome, Completion) or outcome.answered):
                self.account.count(from_ledger=1)
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
    def account(self) -> Account:
        """What is spent, and may be: the run's where one goes on (see [`run_account`]), else this generator's."""
        own: AccountStore | None = self.__dict__.get("_store")
        if own is None:  # a copy: pickled, and perhaps in another process
            found = store_of_copied(self._name_of_copies) if self.max_cost is not None else None
            own = self.__dict__.setdefault("_store", found or new_store(self.max_cost is not None))
        return Account(self.prompt_price, self.completion_price, self.max_cost, current_store(own))

    @property
    def usage(self) -> Usage:
        """What the account comes to so far: what this generator has used in this process, and where there is a cap or
        a run, in all of them."""
        return self.account.usage

    @property
    def _name_of_copies(self) -> str:
        """What copies have in common: their class and plain fields."""
        plain = {name: value for name, value in self._fields.items() if isinstance(value, str | int | float | None)}
        return ledger_key(type(self).__qualname__, plain)

    @property
    def _fields(self) -> dict[str, Any]:
        return {one.name: getattr(self, one.name) for one in fields(self)}

    def __getstate__(self) -> dict[str, Any]:
        if own := self.__dict__.get("_store"):
            tell_copies(self._name_of_copies, own)
        return self._fields

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)


def _encodable(request: Request) -> bool:
    try:
        "".join(str(message["content"]) for message in request.messages).encode()
    except UnicodeEncodeError:
        return False
    return True
