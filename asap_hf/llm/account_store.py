"""`AccountStore`: an account in the memory of a process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from threading import RLock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .outcomes import Request


@dataclass
class Usage:
    """What was asked of an LLM, and what it cost, in the currency that the prices are in.

    Args:
        calls (`int`): Answers that the engine gave, those that cannot be used among them.
        from_ledger (`int`): Requests of this process for which nothing was bought.
        failures (`int`): Requests to the engine that ended in a failure, an answer that cannot be used among them.
        retries (`int`): Times that a request was sent again after an error.
        prompt_tokens, completion_tokens (`int`): Tokens of `calls`, as the engine counted them.
        cost (`float`): What `calls` cost, and `assumed`.
        assumed (`float`): The most that requests of unknown cost can have cost: the server does not say, no answer
            came, or the process that had sent them died.
    """

    calls: int = 0
    from_ledger: int = 0
    failures: int = 0
    retries: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    assumed: float = 0.0


@dataclass
class State:
    """What an account comes to.

    Args:
        usage ([`Usage`]): What is booked.
        reserved (`dict[str, float]`): By process, what is set aside for requests in flight.
        stopped (`str`): Why nothing more may be sent, if so.
    """

    usage: Usage = field(default_factory=Usage)
    reserved: dict[str, float] = field(default_factory=dict)
    stopped: str = ""

    @property
    def committed(self) -> float:
        """What is spent or set aside."""
        return self.usage.cost + sum(self.reserved.values())


class AccountStore:
    """An account in the memory of this process."""

    process = "this"

    def __init__(self) -> None:
        self.bought = self.from_ledger = 0  # answers of this process
        # By identity: equal requests of two threads are two purchases. The request itself is held, or its number could
        # go to another one while it is set aside.
        self.in_flight: dict[int, tuple[Request, float]] = {}
        self._lock = RLock()
        self._state = State()

    @contextmanager
    def open(self) -> Iterator[State]:
        """The state, for this thread alone; what is changed in it is kept."""
        with self._lock:
            yield self._state

    def look(self) -> State:
        """The state as it is now, to read."""
        return self._state

    def forfeit_of_the_dead(self, state: State) -> None:
        """Book as spent what processes had set aside that are no more: what they had sent may have been billed."""

    @property
    def usage(self) -> Usage:
        """What all processes together have used; what came from the ledger, of this one."""
        return Usage(**{**asdict(self.look().usage), "from_ledger": self.from_ledger})

    @property
    def answers(self) -> int:
        """What this process bought or found in the ledger."""
        return self.bought + self.from_ledger

    @property
    def pending(self) -> bool:
        """Whether anything is set aside, in any process."""
        return bool(self.look().reserved)

    def holds(self, request: Request) -> bool:
        """Whether something is set aside for this very request."""
        return id(request) in self.in_flight

    def set_aside(self, state: State, request: Request, worst: float) -> None:
        """Note what `request` may cost."""
        self.in_flight[id(request)] = request, worst
        self._sum_up(state)

    def give_back(self, state: State, request: Request) -> float:
        """Give back what was set aside for `request`, and return it; 0.0 if nothing was."""
        worst = self.in_flight.pop(id(request), (request, 0.0))[1]
        self._sum_up(state)
        return worst

    def _sum_up(self, state: State) -> None:
        state.reserved.pop(self.process, None)
        if self.in_flight:
            state.reserved[self.process] = sum(worst for _, worst in self.in_flight.values())
