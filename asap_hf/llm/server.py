"""`Server`: where an endpoint is, which key it is sent, and how often and when a request is sent again."""

from __future__ import annotations

import os
import random
import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from huggingface_hub import get_token

from ..errors import UsageError

LONGEST_WAIT = 120.0  # seconds before a retry, whatever the server asks for
_VISIBLE = re.compile(r"[!-~]+")


@dataclass(frozen=True, kw_only=True)
class Server:
    """An OpenAI-compatible server or an Inference Provider, and how often it is asked. [`EndpointGenerator`] says what
    the fields mean.

    Raises:
        [`UsageError`]: from `check_server`, if the values do not fit together.
    """

    base_url: str | None = None
    provider: str | None = None
    api_key_env: str | None = None
    max_concurrency: int = 32
    timeout: float = 600.0
    max_retries: int = 6
    backoff: float = 1.0
    structured: Literal["none", "vllm", "json_schema"] = "none"

    def check_server(self) -> None:
        """Refuse values that cannot work."""
        if bool(self.base_url) == bool(self.provider):
            raise UsageError("an endpoint needs either a base_url or a provider")
        if self.structured not in ("none", "vllm", "json_schema"):
            raise UsageError(f"structured is none, vllm or json_schema; got {self.structured!r}")
        if self.structured == "json_schema" and self.base_url:
            raise UsageError("structured='json_schema' reaches providers only: use 'vllm' or 'none' with a base_url")
        if self.max_concurrency < 1 or self.max_retries < 0 or not self.timeout > 0 or self.backoff < 0:
            raise UsageError("max_concurrency and timeout must be positive, max_retries and backoff not negative")
        if self.base_url:
            _check_url(self.base_url)


def root_of(server: Server) -> str:
    """The server's address without `/v1`."""
    return (server.base_url or "").rstrip("/").removesuffix("/v1")


def api_key_of(server: Server) -> str:
    """The key from the environment variable that is named; else none for a `base_url`, and the Hub's token for a
    provider.

    Raises:
        [`UsageError`]: if there is none where one is needed, or it holds what no key can hold.
    """
    if server.api_key_env is None and server.base_url:
        return ""
    key = (os.environ.get(server.api_key_env, "") if server.api_key_env else get_token() or "").strip()
    where = server.api_key_env or "HF_TOKEN (or after `hf auth login`)"
    if not key:
        raise UsageError(f"there is no API key in {where}")
    if not _VISIBLE.fullmatch(key):
        raise UsageError(f"what is in {where} cannot be an API key: it holds blanks or non-ASCII characters")
    return key


def pause_of(server: Server, attempt: int, asked: float | None) -> float:
    """Seconds before the retry after `attempt` (from 0): as the server `asked`, else growing; with jitter."""
    growing = server.backoff * float(2**attempt) * random.uniform(0.5, 1.0)
    return min(growing if asked is None else asked + server.backoff * random.random(), LONGEST_WAIT)


def _check_url(base_url: str) -> None:
    try:
        url = urlsplit(base_url)
        good = url.scheme in ("http", "https") and url.hostname and url.port != 0 and _VISIBLE.fullmatch(base_url)
    except ValueError:  # of the port
        good = False
    if not good:
        raise UsageError("base_url must begin with http:// or https:// and name a host")
    if url.username or url.password or url.query:
        raise UsageError("base_url must not hold credentials: name the variable with the key in api_key_env")
