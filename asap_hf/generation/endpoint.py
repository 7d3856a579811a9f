"""`EndpointGenerator`: an LLM behind an OpenAI-compatible endpoint or a Hugging Face Inference Provider."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx2
from huggingface_hub import AsyncInferenceClient, get_token, is_offline_mode
from huggingface_hub.errors import InferenceTimeoutError

from ..errors import UsageError
from .base import Completion, Failure, Generator, Request

LONGEST_WAIT = 120.0  # seconds before a retry, whatever the server asks for
TRIES_BEFORE_CONTACT = 3
NOT_THE_ROWS_FAULT = {401, 402, 404}  # wrong key, no money left, wrong model or path: the next row fares no better
MAYBE_BILLED = {408, 502, 504}  # a gateway gave up on a model that may have answered
WORKERS_PER_CLIENT = 20  # as many connections as an HTTP client keeps open


@dataclass(frozen=True)
class EndpointGenerator(Generator):
    """Chat completions from `base_url`, or from an Inference Provider by model id.

    Errors that may pass (429, 5xx, timeouts, broken connections) are retried with growing, jittered waits or when
    `Retry-After` says; others fail at once. Where nothing answers, or key, account or model are refused, the requests
    that are left fail with the same reason instead of each trying in turn.

    Stored answers are found under the model's name alone, as ports and hosts change: give different models different
    names. A server may apply defaults of its own that this cannot undo; vLLM's takes top-k and repetition penalty from
    the model's `generation_config.json` unless it was started with `--generation-config vllm`.

    Args:
        model (`str`):
            The name under which the endpoint serves the model, or a Hub id for a provider.
        base_url (`str`, *optional*):
            Where the endpoint is, with or without `/v1`; without credentials or query.
        provider (`str`, *optional*):
            Inference Provider, `auto` for the Hub's choice. Exactly one of `base_url` and `provider`.
        api_key_env (`str`, *optional*):
            Name of the environment variable with the key. By default a `base_url` is sent no key, never the Hub's token;
            a provider is sent the token of `HF_TOKEN` or `hf auth login`.
        max_concurrency (`int`, *optional*, defaults to 32):
            Most requests in flight. The paper does not give it.
        timeout (`float`, *optional*, defaults to 600.0):
            Seconds for one try. The paper does not give it.
        max_retries (`int`, *optional*, defaults to 6):
            Most tries after the first, per request. The paper does not give it.
        backoff (`float`, *optional*, defaults to 1.0):
            Seconds before the first retry, doubled for each further one. The paper does not give it.
        structured (`str`, *optional*, defaults to `"none"`):
            How a request's `schema` is sent: `none`, it is not; `vllm`, as vLLM's `structured_outputs`; `json_schema`, as
            OpenAI's `response_format`, for providers only, because huggingface_hub rewrites it on the way to a `base_url`.

    Raises:
        [`UsageError`]: if the arguments do not fit together; when called, if there is no key, the provider does not know
            the model, or `HF_HUB_OFFLINE` is set.
    """

    base_url: str | None = None
    provider: str | None = None
    api_key_env: str | None = None
    max_concurrency: int = 32
    timeout: float = 600.0
    max_retries: int = 6
    backoff: float = 1.0
    structured: Literal["none", "vllm", "json_schema"] = "none"

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.base_url is None) == (self.provider is None):
            raise UsageError("an endpoint needs either a base_url or a provider")
        if self.structured not in ("none", "vllm", "json_schema"):
            raise UsageError(f"structured is none, vllm or json_schema; got {self.structured!r}")
        if self.structured == "json_schema" and self.base_url is not None:
            raise UsageError("structured='json_schema' reaches providers only: use 'vllm' or 'none' with a base_url")
        if self.max_concurrency < 1 or self.max_retries < 0 or not self.timeout > 0 or self.backoff < 0:
            raise UsageError("max_concurrency and timeout must be positive, max_retries and backoff not negative")
        if self.base_url is not None:
            url = urlsplit(self.base_url)
            if url.scheme not in ("http", "https") or not url.hostname:
                raise UsageError("base_url must begin with http:// or https:// and a host")
            if url.username or url.password or url.query:
                raise UsageError("base_url must not hold credentials: name a variable with the key in api_key_env")

    def generate(self, requests: Sequence[Request], done: Callable[[int, Completion | Failure], None]) -> None:
        """Runs an event loop in a thread of its own, so that it works inside a running one (Jupyter's). An exception in
        the caller's thread, `KeyboardInterrupt` too, cancels what is in flight; answers that had come in are delivered."""
        if is_offline_mode():
            raise UsageError("HF_HUB_OFFLINE is set, so huggingface_hub sends no request, to no host: unset it")
        arrived: SimpleQueue[Any] = SimpleQueue()
        run = _Run(self, requests, self._api_key(), arrived.put)
        run.start()
        item: Any = None
        try:
            while (item := arrived.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                done(*item)
        except KeyboardInterrupt:
            run.stop()
            for item in (item, *_rest(arrived)):
                if isinstance(item, tuple):
                    done(*item)
            raise
        finally:
            run.stop()

    def _api_key(self) -> str:
        """Never empty: without a key the client would send the Hub's token to whatever host `base_url` names."""
        if self.api_key_env is None and self.base_url is not None:
            return "-"
        key = (os.environ.get(self.api_key_env, "") if self.api_key_env else get_token() or "").strip()
        where = self.api_key_env or "HF_TOKEN (or after `hf auth login`)"
        if not key:
            raise UsageError(f"there is no API key in {where}")
        if not re.fullmatch(r"[!-~]+", key):
            raise UsageError(f"what is in {where} cannot be an API key: it holds blanks or non-ASCII characters")
        return key

    def _revision(self) -> None:
        return None


class _Refused(Exception):
    """One try that brought no completion.

    Args:
        reason (`str`): For the [`Failure`].
        retry (`bool`): Whether another try may fare better.
        wait (`float`, *optional*): Seconds the server asked to wait.
        unanswered (`bool`): Nothing was reached at all.
        shared (`bool`): Any other request would have been refused too.
        unknown_bill (`bool`): It may have been billed all the same.
    """

    def __init__(
        self,
        reason: str,
        *,
        retry: bool = False,
        wait: float | None = None,
        unanswered: bool = False,
        shared: bool = False,
        unknown_bill: bool = False,
    ):
        super().__init__(reason)
        self.reason, self.retry, self.wait = reason, retry, wait
        self.unanswered, self.shared, self.unknown_bill = unanswered, shared, unknown_bill
