"""`EndpointGenerator`: an LLM behind an OpenAI-compatible endpoint or a Hugging Face Inference Provider."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Literal
from urllib.parse import urlsplit

from huggingface_hub import get_token, is_offline_mode

from ..errors import UsageError
from .generator import Completion, Failure, Generator, Request
from .workers import NO_KEY, Workers

_VISIBLE = re.compile(r"[!-~]+")


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
            Name of the environment variable with the key. By default a `base_url` is sent no key, never the Hub's
            token; a provider is sent the token of `HF_TOKEN` or `hf auth login`.
        max_concurrency (`int`, *optional*, defaults to 32):
            Most requests in flight. The paper does not give it.
        timeout (`float`, *optional*, defaults to 600.0):
            Seconds for one try. The paper does not give it.
        max_retries (`int`, *optional*, defaults to 6):
            Most tries after the first, per request. The paper does not give it.
        backoff (`float`, *optional*, defaults to 1.0):
            Seconds before the first retry, doubled for each further one. The paper does not give it.
        structured (`str`, *optional*, defaults to `"none"`):
            How a request's `schema` is sent: `none`, it is not; `vllm`, as vLLM's `structured_outputs`; `json_schema`,
            as OpenAI's `response_format`, for providers only, because huggingface_hub rewrites it on the way to a
            `base_url`.

    Raises:
        [`UsageError`]: if the arguments do not fit together; when called, if there is no key, the provider does not
        know
            the model, or `HF_HUB_OFFLINE` is set.

    Example:
        >>> from asap_hf import EndpointGenerator
        >>> generator = EndpointGenerator("deepseek-chat", base_url="https://llm.example/v1", api_key_env="LLM_KEY")
        >>> (generator.max_concurrency, generator.usage.calls)
        (32, 0)
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
            _check(self.base_url)

    def generate(self, requests: Sequence[Request], done: Callable[[int, Completion | Failure], None]) -> None:
        """Runs an event loop in a thread of its own, so that it works inside a running one (Jupyter's). An exception
        in the caller's thread, `KeyboardInterrupt` too, cancels what is in flight; answers that had come in are
        delivered."""
        if is_offline_mode():
            raise UsageError("HF_HUB_OFFLINE is set, so huggingface_hub sends no request, to no host: unset it")
        arrived: SimpleQueue[Any] = SimpleQueue()
        workers = Workers(self, requests, self._api_key(), arrived.put)
        item: Any = None
        try:
            workers.start()
            while (item := arrived.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                done(*item[:2])
                with suppress(RuntimeError):  # the loop ended meanwhile, and why comes next
                    item[2]()
        except KeyboardInterrupt:
            workers.stop()
            for late in (item, *_rest(arrived)):
                if isinstance(late, tuple):
                    done(*late[:2])
            raise
        finally:
            workers.stop()

    def _api_key(self) -> str:
        """Never empty: without a key the client would send the Hub's token to whatever host `base_url` names."""
        if self.api_key_env is None and self.base_url is not None:
            return NO_KEY
        key = (os.environ.get(self.api_key_env, "") if self.api_key_env else get_token() or "").strip()
        where = self.api_key_env or "HF_TOKEN (or after `hf auth login`)"
        if not key:
            raise UsageError(f"there is no API key in {where}")
        if not _VISIBLE.fullmatch(key):
            raise UsageError(f"what is in {where} cannot be an API key: it holds blanks or non-ASCII characters")
        return key

    def _revision(self) -> None:
        return None


def _check(base_url: str) -> None:
    try:
        url = urlsplit(base_url)
        good = url.scheme in ("http", "https") and url.hostname and url.port != 0 and _VISIBLE.fullmatch(base_url)
    except ValueError:  # of the port
        good = False
    if not good:
        raise UsageError("base_url must begin with http:// or https:// and name a host")
    if url.username or url.password or url.query:
        raise UsageError("base_url must not hold credentials: name the variable with the key in api_key_env")


def _rest(arrived: SimpleQueue[Any]) -> Iterator[Any]:
    with suppress(Empty):
        while True:
            yield arrived.get_nowait()
