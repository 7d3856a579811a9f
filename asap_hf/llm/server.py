"""`Server`: where an endpoint is, which key it is sent, and how often and when a request is sent again."""

from __future__ import annotations

import os
import random
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from huggingface_hub import get_token

from ..errors import UsageError

LONGEST_WAIT = 120.0  # seconds before a retry, whatever the server asks for
_VISIBLE = re.compile(r"[!-~]+")


@dataclass(frozen=True)
class Server:
    """An OpenAI-compatible server, or a Hugging Face Inference Provider. The fields are those of
    [`EndpointEngine`], which says what they mean.

    Raises:
        [`UsageError`]: if the values do not fit together.
    """

    base_url: str
    provider: str | None
    api_key_env: str | None
    max_concurrency: int
    timeout: float
    max_retries: int
    backoff: float

    def __post_init__(self) -> None:
        if self.max_concurrency < 1 or self.max_retries < 0 or not self.timeout > 0 or self.backoff < 0:
            raise UsageError("max_concurrency and timeout must be positive, max_retries and backoff not negative")
        if self.base_url:
            _check(self.base_url)

    @property
    def name(self) -> str:
        """What is asked, for the operator."""
        return self.base_url or f"provider {self.provider}"

    @property
    def root(self) -> str:
        """The server's address without `/v1`."""
        return self.base_url.rstrip("/").removesuffix("/v1")

    def api_key(self) -> str:
        """The key from the environment variable that is named; else none for a `base_url`, and the Hub's token for a
        provider.

        Raises:
            [`UsageError`]: if there is none where one is needed, or it holds what no key can hold.
        """
        if self.api_key_env is None and self.base_url:
            return ""
        key = (os.environ.get(self.api_key_env, "") if self.api_key_env else get_token() or "").strip()
        where = self.api_key_env or "HF_TOKEN (or after `hf auth login`)"
        if not key:
            raise UsageError(f"there is no API key in {where}")
        if not _VISIBLE.fullmatch(key):
            raise UsageError(f"what is in {where} cannot be an API key: it holds blanks or non-ASCII characters")
        return key

    def pause(self, attempt: int, asked: float | None) -> float:
        """Seconds before the retry after `attempt` (from 0): as the server `asked`, else growing; with jitter."""
        growing = self.backoff * float(2**attempt) * random.uniform(0.5, 1.0)
        return min(growing if asked is None else asked + self.backoff * random.random(), LONGEST_WAIT)


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
