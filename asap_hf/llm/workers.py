"""`Workers`: send the requests of one call to a server, several at a time, again where that may help, until all are
answered or nothing more can be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from functools import partial
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Protocol

from .account import Account
from .engine import Generation, Outcomes, Prompt
from .outcomes import Failure, Request
from .refusals import Refusal
from .server import Server, api_key_of, pause_of

TRIES_BEFORE_CONTACT = 3  # per worker, while nothing was ever reached
WORKERS_PER_CLIENT = 20  # as many connections as an HTTP client keeps open


class Transport(Protocol):
    """How one request is sent and its answer read."""

    def client(self) -> AbstractAsyncContextManager[Any]:
        """A new client of the server, for up to `WORKERS_PER_CLIENT` workers."""

    async def ask(self, client: Any, request: Request, prompt: Prompt) -> Generation:
        """Send one request, once.

        Raises:
            [`Refusal`]: if it brings no answer.
        """


class Workers:
    """One call: workers that share the requests, in a thread and an event loop of their own, so that it works inside a
    running loop (Jupyter's).

    Args:
        server ([`Server`]):
            How many requests at once, and how often each is tried.
        transport ([`Transport`]):
            How one is sent.
        asked (`Iterable`):
            The requests with their prompts.
        account ([`Account`], *optional*):
            What may be spent. With one, a worker sends nothing more until the caller is done with the worker's last
            outcome: however slow the disk is, a kill then costs no more answers than are in flight anyway.
    """

    def __init__(
        self,
        server: Server,
        transport: Transport,
        asked: Iterable[tuple[Request, Prompt]],
        account: Account | None,
    ):
        self._server = server
        self._transport = transport
        self._key = api_key_of(server)
        pairs = list(asked)
        self._todo = iter(enumerate(pairs))
        self._workers = min(server.max_concurrency, len(pairs))
        self._account = account
        self._arrived: SimpleQueue[Any] = SimpleQueue()  # (index, outcome, stored), an exception, None at the end
        self._reached = False
        self._streak = 0  # tries in a row after which any other request may fail as well
        self._closed = ""  # why nothing more is sent
        self._stopping = False
        self._cancel: Callable[[], object] | None = None
        self._thread = Thread(target=self._work, name="asap-hf-endpoint", daemon=True)

    def outcomes(self) -> Outcomes:
        """Place and outcome of every request, as each arrives. Whatever ends the iteration cancels what is in flight;
        after an interrupt, also one thrown in by the caller, the outcomes that had come in are still yielded."""
        try:
            self._thread.start()
            while (item := self._arrived.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                yield item[:2]
                item[2]()
        except KeyboardInterrupt:
            self._stop()
            yield from self._rest()
            raise
        finally:
            self._stop()

    def _rest(self) -> Outcomes:
        with suppress(Empty):
            while True:
                if isinstance(item := self._arrived.get_nowait(), tuple):
                    yield item[:2]

    def _stop(self) -> None:
        """Cancel what is in flight and wait for it, but not for ever: a name server that does not answer cannot be
        cancelled, and the thread ends with the process."""
        self._stopping = True
        if self._cancel is not None:
            with suppress(RuntimeError):  # the loop had ended by itself
                self._cancel()
        if self._thread.is_alive():
            self._thread.join(timeout=5.0)

    def _work(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as error:
            self._arrived.put(error)
        else:
            self._arrived.put(None)

    async def _main(self) -> None:
        self._wake, self._turn = asyncio.Event(), asyncio.Lock()
        count = -(-self._workers // WORKERS_PER_CLIENT)
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(self._transport.client()) for _ in range(count)]
            all_of_them = asyncio.gather(*(self._worker(clients[number % count]) for number in range(self._workers)))
            self._cancel = partial(asyncio.get_running_loop().call_soon_threadsafe, all_of_them.cancel)
            if self._stopping:
                all_of_them.cancel()
            await all_of_them

    async def _worker(self, client: Any) -> None:
        loop, stored = asyncio.get_running_loop(), asyncio.Event()

        def tell_stored() -> None:
            with suppress(RuntimeError):  # the loop ended meanwhile
                loop.call_soon_threadsafe(stored.set)

        for index, (request, prompt) in self._todo:
            stored.clear()
            self._arrived.put((index, await self._outcome(client, request, prompt), tell_stored))
            if self._account is not None:
                await stored.wait()

    async def _outcome(self, client: Any, request: Request, prompt: Prompt) -> Generation | Failure:
        retries = self._server.max_retries
        for attempt in range(retries + 1):
            if reason := self._closed or await self._over_the_cap(request):
                return Failure(reason)
            if attempt and self._account is not None:
                self._account.count(retries=1)
            try:
                generation = await self._transport.ask(client, request, prompt)
            except Refusal as refusal:
                if self._key:
                    refusal.reason = refusal.reason.replace(self._key, "***")
                self._note(refusal)
                if refusal.maybe_billed:
                    self._forfeit(request)
                last = refusal
            else:
                self._note(None)
                if not generation.prompt_tokens:  # the server does not say what it will charge
                    self._forfeit(request)
                return generation
            if not last.retry or attempt == retries:
                break
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), pause_of(self._server, attempt, last.wait))
        return Failure(last.reason, last.answered)

    def _forfeit(self, request: Request) -> None:
        if self._account is not None:
            self._account.forfeit(request)

    async def _over_the_cap(self, request: Request) -> str:
        """Why `max_cost` forbids this request; empty if it does not. While others are in flight this waits for them,
        as they mostly cost less than was set aside for them."""
        account = self._account
        if account is None or not account.reserve(request):
            return ""
        async with self._turn:  # one at a time, as the account may be in a file that others want to write
            while (reason := account.reserve(request)) and account.pending and not self._closed:
                await asyncio.sleep(0.05)
        return reason

    def _note(self, refusal: Refusal | None) -> None:
        """Give up on everything that is left when it cannot fare better than what was tried."""
        if refusal is None or not (refusal.unanswered or refusal.shared):
            self._reached, self._streak = True, 0
            return
        self._streak += 1
        if refusal.shared:
            limit = self._workers if self._reached else 1
        else:
            limit = self._workers * (self._server.max_retries + 1 if self._reached else TRIES_BEFORE_CONTACT)
        if self._streak >= limit:
            self._closed = self._closed or refusal.reason
            self._wake.set()
