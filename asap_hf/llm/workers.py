"""`Workers`: send the requests of one call to an endpoint, some at a time, again where that may help, and know when to
give up."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING, Any

import httpx2
from huggingface_hub import AsyncInferenceClient

from ..errors import UsageError
from .outcomes import Completion, Failure, Request
from .refusals import ERRORS, Refusal, completion_of, refusal_of, while_reading

if TYPE_CHECKING:
    from .endpoint import EndpointGenerator

NO_KEY = "-"
LONGEST_WAIT = 120.0  # seconds before a retry, whatever the server asks for
TRIES_BEFORE_CONTACT = 3  # per worker, while nothing was ever reached
WORKERS_PER_CLIENT = 20  # as many connections as an HTTP client keeps open


class Workers:
    """One call of `generate`: workers that share the requests, in a thread and an event loop of their own.

    Args:
        deliver (`Callable`):
            Gets `(index, outcome, stored)` per request, an exception if the run broke off, and `None` at the end. The
            worker sends nothing more until somebody calls `stored`, so that however slow the disk is, a kill costs no
            more answers than are in flight anyway.
    """

    def __init__(
        self, generator: EndpointGenerator, requests: Sequence[Request], api_key: str, deliver: Callable[[Any], None]
    ):
        self._generator = generator
        self._api_key = api_key
        self._todo = iter(enumerate(requests))
        self._workers = min(generator.max_concurrency, len(requests))
        self._deliver = deliver
        self._reached = False
        self._streak = 0  # tries in a row that say nothing good of any other request
        self._closed = ""  # why nothing more is sent
        self._stopping = False
        self._cancel: Callable[[], object] | None = None
        self._thread = Thread(target=self._work, name="asap-hf-endpoint", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
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
            self._deliver(error)
        else:
            self._deliver(None)

    async def _main(self) -> None:
        self._wake, self._turn = asyncio.Event(), asyncio.Lock()
        count = -(-self._workers // WORKERS_PER_CLIENT)
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(self._client()) for _ in range(count)]
            all_of_them = asyncio.gather(*(self._worker(clients[number % count]) for number in range(self._workers)))
            self._cancel = partial(asyncio.get_running_loop().call_soon_threadsafe, all_of_them.cancel)
            if self._stopping:
                all_of_them.cancel()
            await all_of_them

    def _client(self) -> AsyncInferenceClient:
        seconds = self._generator.timeout
        return AsyncInferenceClient(
            base_url=self._generator.base_url,
            provider=self._generator.provider,  # type: ignore[arg-type]
            api_key=self._api_key,
            # A host that swallows packets is given up sooner than a model that thinks.
            timeout=httpx2.Timeout(seconds, connect=min(seconds, 30.0), pool=None),  # type: ignore[arg-type]
        )

    async def _worker(self, client: AsyncInferenceClient) -> None:
        loop, stored = asyncio.get_running_loop(), asyncio.Event()
        for index, request in self._todo:
            stored.clear()
            self._deliver(
                (index, await self._outcome(client, request), partial(loop.call_soon_threadsafe, stored.set))
            )
            await stored.wait()

    async def _outcome(self, client: AsyncInferenceClient, request: Request) -> Completion | Failure:
        account, retries = self._generator.account, self._generator.max_retries
        for attempt in range(retries + 1):
            if reason := self._closed or await self._beyond_means(request):
                return Failure(reason)
            account.count(retries=int(attempt > 0))
            try:
                completion = await self._ask(client, request)
            except Refusal as refusal:
                if self._api_key != NO_KEY:
                    refusal.reason = refusal.reason.replace(self._api_key, "***")
                self._note(refusal)
                if refusal.maybe_billed:
                    account.forfeit(request)
                last = refusal
            else:
                self._note(None)
                return completion
            if not last.retry or attempt == retries:
                break
            await self._pause(attempt, last.wait)
        return Failure(last.reason, last.answered)

    async def _ask(self, client: AsyncInferenceClient, request: Request) -> Completion:
        generator = self._generator
        asked = client.chat_completion(
            list(request.messages),
            model=generator.model,
            max_tokens=request.max_tokens,
            temperature=request.temperature,
            top_p=request.top_p,
            **_structured(generator.structured, request.schema),
        )
        try:
            output = await asyncio.wait_for(asked, generator.timeout)
        except ERRORS as error:
            # Unsent and a plain ValueError: huggingface_hub does not know the provider, or the provider not the model.
            unsent = type(error) is ValueError and not while_reading(error)
            if generator.provider is not None and unsent and not self._reached:
                raise UsageError(str(error)) from error
            refusal = refusal_of(error, generator.base_url or f"provider {generator.provider}")
            if refusal is None:
                raise
            raise refusal from error
        completion = completion_of(output)
        if not completion.prompt_tokens:  # the server does not say what it will charge
            generator.account.forfeit(request)
        return completion

    async def _beyond_means(self, request: Request) -> str:
        """Why there is no money for this request. While others are in flight the answer waits for theirs, because they
        mostly cost less than was set aside for them."""
        account = self._generator.account
        if not account.reserve(request):
            return ""
        async with self._turn:  # one at a time looks, as the account may be in a file that others want to write
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
            limit = self._workers * (self._generator.max_retries + 1 if self._reached else TRIES_BEFORE_CONTACT)
        if self._streak >= limit:
            self._closed = self._closed or refusal.reason
            self._wake.set()

    async def _pause(self, attempt: int, wait: float | None) -> None:
        step = self._generator.backoff
        seconds = step * 2**attempt * random.uniform(0.5, 1.0) if wait is None else wait + step * random.random()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), min(seconds, LONGEST_WAIT))


def _structured(how: str, schema: dict[str, Any] | None) -> dict[str, Any]:
    if schema is None or how == "none":
        return {}
    if how == "vllm":
        return {"extra_body": {"structured_outputs": {"json": schema}}}
    form = {"name": "answer", "schema": schema, "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": form}}
