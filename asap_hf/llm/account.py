"""`Account`: what was spent, and whether one more request may be sent."""

from __future__ import annotations

import time

from ..errors import RunError
from .account_store import AccountStore, Usage
from .outcomes import Completion, Failure, Request

_POLL_SECONDS = 0.2  # between two checks whether another process has given back what it had set aside


class Account:
    """Keeps the [`Usage`] and holds spending under a hard cap. Safe in threads and in coroutines: only
    `reserve_in_turn` waits.

    An engine calls `reserve` before it sends a request and `forfeit` when it cannot know what the request cost; the
    generator settles each request when its outcome is in.

    Args:
        prompt_price, completion_price (`float`, *optional*, defaults to 0.0):
            Money per million tokens.
        max_cost (`float`, *optional*):
            The cap; without one every reservation is granted.
        store ([`AccountStore`], *optional*):
            Where it is written down, also what other processes spend of the same cap; by default in memory.
    """

    template_tokens = 64  # what a chat template adds around the messages and their role names

    def __init__(
        self,
        prompt_price: float = 0.0,
        completion_price: float = 0.0,
        max_cost: float | None = None,
        store: AccountStore | None = None,
    ):
        self._prices = prompt_price, completion_price
        self._cap = max_cost
        self.store = AccountStore() if store is None else store

    @property
    def usage(self) -> Usage:
        """What all that share the store have used."""
        return self.store.usage

    def worst(self, request: Request) -> float:
        """The most that one sending of `request` can cost: `max_tokens` of completion and a prompt of one token per
        UTF-8 byte. Half of that would do for prose, but numbers are often one token per digit, and a token never
        stands for less than a byte."""
        bound = self.template_tokens + sum(len(str(m["content"]).encode()) for m in request.messages)
        return self._price(bound, request.max_tokens)

    def reserve(self, request: Request) -> str:
        """Set the worst case of `request` aside until it is settled or forfeited; again does nothing.

        Returns:
            `str`: empty if granted; `max_cost: …` if spent, set aside and this one together could pass the cap. While
            `pending`, asking again later may be granted, as answers mostly cost less than was set aside for them.

        Raises:
            [`RunError`]: if an answer cost more than it could have cost: see `settle`.
        """
        worst = self.worst(request)
        with self.store.open() as state:
            if self.store.holds(request):
                return ""
            if self._cap is not None:
                if state.stopped:
                    raise RunError(state.stopped)
                if worst > self._cap - state.committed:
                    self.store.forfeit_of_the_dead(state)
                left = self._cap - state.committed
                if worst > left:
                    return f"max_cost: may cost up to {worst:.6g}, and {max(left, 0.0):.6g} of {self._cap:g} is left"
            self.store.set_aside(state, request, worst)
            return ""

    def reserve_in_turn(self, request: Request) -> str:
        """As `reserve`, but where nothing of this process is under way, wait for what other processes may give
        back."""
        while (reason := self.reserve(request)) and self.pending and not self.store.in_flight:
            time.sleep(_POLL_SECONDS)
        return reason

    @property
    def pending(self) -> bool:
        """Whether anything is set aside for requests in flight, in any process that is alive."""
        return self.store.pending

    def forfeit(self, request: Request) -> None:
        """Book what was set aside for `request`, if anything, as spent: it was sent, and nothing says what it cost."""
        if self.store.holds(request):
            with self.store.open() as state:
                worst = self.store.give_back(state, request)
                state.usage.cost += worst
                state.usage.assumed += worst

    def settle(self, request: Request, outcome: Completion | Failure) -> None:
        """Book what the engine made of `request`, and give back what was set aside for it.

        Raises:
            [`RunError`]: if there is a cap, and the answer cost more than was set aside for the worst case: with a
                server that does not keep to `max_tokens` no cap can be kept, so nothing more is sent, by any process.
        """
        cost, overbilled = self._price(outcome.prompt_tokens, outcome.completion_tokens), False
        with self.store.open() as state:
            worst = self.store.give_back(state, request)
            answers = isinstance(outcome, Completion) or outcome.answered
            state.usage.calls += answers
            self.store.bought += answers
            state.usage.failures += isinstance(outcome, Failure)
            state.usage.prompt_tokens += outcome.prompt_tokens
            state.usage.completion_tokens += outcome.completion_tokens
            state.usage.cost += cost
            if self._cap is not None and worst and cost > worst * (1 + 1e-9):  # a sum of floats may be off by a hair
                overbilled, state.stopped = True, self._overbilled(request, outcome, state.usage.cost)
        if overbilled:
            raise RunError(state.stopped)

    def _overbilled(self, request: Request, outcome: Completion | Failure, spent: float) -> str:
        return (
            f"the server billed {outcome.prompt_tokens:,} tokens of prompt and {outcome.completion_tokens:,} of"
            f" completion where {request.max_tokens:,} of completion were allowed, so max_cost cannot be kept and"
            f" nothing more is sent; {spent:.6g} of {self._cap:g} is spent, and what was bought is in the ledger. Use"
            " a server that keeps to max_tokens, or set no max_cost"
        )

    def count(self, *, retries: int = 0, from_ledger: int = 0) -> None:
        """Book what costs nothing."""
        if retries:
            with self.store.open() as state:
                state.usage.retries += retries
        self.store.from_ledger += from_ledger

    def _price(self, prompt_tokens: int, completion_tokens: int) -> float:
        return (prompt_tokens * self._prices[0] + completion_tokens * self._prices[1]) / 1e6
