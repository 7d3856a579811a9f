"""`Purse`: what one generator has spent, and whether it may send one more request."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .base import Completion, Request


@dataclass
class Usage:
    """Running account of one generator in one process; money in the currency that the prices are in.

    Args:
        calls (`int`): Completions that the engine gave.
        from_ledger (`int`): Completions for which nothing was bought.
        failures (`int`): Requests to the engine that ended in a failure.
        retries (`int`): Times that a request was sent again after an error.
        prompt_tokens, completion_tokens (`int`): Tokens of `calls`, as the engine counted them.
        cost (`float`): What `calls` cost, and the most that an answer which was sent for and never came can have cost.
    """

    calls: int = 0
    from_ledger: int = 0
    failures: int = 0
    retries: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0


class Purse:
    """Keeps the [`Usage`] and holds spending under a hard cap. Safe in threads and in coroutines: nothing here waits.

    An engine calls `reserve` before it sends a request and `forfeit` when it cannot know whether the request was
    billed; the generator settles each request when its outcome is in.

    Args:
        prompt_price, completion_price (`float`):
            Money per million tokens.
        max_cost (`float`, *optional*):
            The cap; without one every reservation is granted.
    """

    template_tokens = 64  # what a chat template adds around the messages and their role names

    def __init__(self, prompt_price: float = 0.0, completion_price: float = 0.0, max_cost: float | None = None):
        self.usage = Usage()
        self._prices = prompt_price, completion_price
        self._cap = max_cost
        # By identity: equal requests of two threads are two purchases. The request itself is held, or its number could
        # go to another one while it is set aside.
        self._reserved: dict[int, tuple[Request, float]] = {}
        self._lock = Lock()

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
        """
        worst = self.worst(request)
        with self._lock:
            if id(request) in self._reserved:
                return ""
            if self._cap is not None:
                left = self._cap - self.usage.cost - sum(worst for _, worst in self._reserved.values())
                if worst > left:
                    return f"max_cost: may cost up to {worst:.6g}, and {max(left, 0.0):.6g} of {self._cap:g} is left"
            self._reserved[id(request)] = request, worst
            return ""

    @property
    def pending(self) -> bool:
        """Whether anything is set aside for requests in flight."""
        return bool(self._reserved)

    def forfeit(self, request: Request) -> None:
        """Book what was set aside for `request`, if anything, as spent: it was sent, and nothing says what it cost."""
        with self._lock:
            self.usage.cost += self._reserved.pop(id(request), (request, 0.0))[1]

    def settle(self, request: Request, completion: Completion | None) -> None:
        """Book what the engine made of `request`, `None` for a failure, and give back what was set aside for it."""
        with self._lock:
            self._reserved.pop(id(request), None)
            if completion is None:
                self.usage.failures += 1
                return
            self.usage.calls += 1
            self.usage.prompt_tokens += completion.prompt_tokens
            self.usage.completion_tokens += completion.completion_tokens
            self.usage.cost += self._price(completion.prompt_tokens, completion.completion_tokens)

    def count(self, *, retries: int = 0, from_ledger: int = 0) -> None:
        """Book what costs nothing."""
        with self._lock:
            self.usage.retries += retries
            self.usage.from_ledger += from_ledger

    def _price(self, prompt_tokens: int, completion_tokens: int) -> float:
        return (prompt_tokens * self._prices[0] + completion_tokens * self._prices[1]) / 1e6
