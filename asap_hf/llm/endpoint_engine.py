"""`EndpointEngine`: a model behind any OpenAI-compatible server."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import httpx2

from ..errors import UsageError
from .endpoint import EndpointGenerator
from .engine import Engine, Failure, Generation, Prompt, Sampling
from .streams import Streams

_VERSION_SECONDS = 5.0


@dataclass(frozen=True)
class EndpointEngine(Engine):
    """Streamed completions from `base_url`, so that the time to the first token is known.

    Errors that may pass (429, 5xx, broken connections, a server that falls silent) are retried with growing, jittered
    waits or when `Retry-After` says. Where nothing answers, or key or model are refused, the prompts that are left
    fail with the same reason instead of each trying in turn.

    Fields that OpenAI's API does not have are sent and left out again if the server refuses them: vLLM's
    `return_token_ids` brings the very tokens, `repetition_penalty`, `top_k` and `min_p` undo what the model's
    `generation_config.json` makes of greedy decoding. Without token ids the text is tokenised anew.

    Args:
        base_url (`str`):
            Where the server is, with or without `/v1`; without credentials or query.
        tokenizer (`str`, *optional*):
            Hub id or folder of the model's tokenizer; by default `model`.
        api (`str`, *optional*, defaults to `"completions"`):
            `completions`: the prompt goes as text through our copy of the chat template, `<think>` opened. `chat`: the
            messages go, and the server's template decides; a reasoning that comes in a field of its own is put before
            the answer, with its `</think>`. Where the server keeps the reasoning to itself, evaluate without `think`.
        api_key_env (`str`, *optional*):
            Name of the environment variable with the key. By default none is sent.
        max_concurrency (`int`, *optional*, defaults to 32):
            Most requests in flight. The latency depends on it. The paper does not give it.
        timeout (`float`, *optional*, defaults to 600.0):
            Seconds without a byte after which a request counts as lost.
        max_retries (`int`, *optional*, defaults to 6):
            Most tries after the first, per request.
        backoff (`float`, *optional*, defaults to 1.0):
            Seconds before the first retry, doubled for each further one.

    Raises:
        [`UsageError`]: if the arguments do not fit together; when started, if there is no key.
    """

    base_url: str = ""
    tokenizer: str | None = None
    api: Literal["completions", "chat"] = "completions"
    api_key_env: str | None = None
    max_concurrency: int = 32
    timeout: float = 600.0
    max_retries: int = 6
    backoff: float = 1.0

    kind: ClassVar[str] = "endpoint"
    free: ClassVar[frozenset[str]] = Engine.free | {"base_url", "api_key_env", "timeout", "max_retries", "backoff"}

    def __post_init__(self) -> None:
        if not self.base_url:
            raise UsageError("an endpoint needs --base_url: where the server is")
        if self.api not in ("completions", "chat"):
            raise UsageError(f"api is completions or chat; got {self.api!r}")
        # Refuses what it would refuse as the LLM of stage 1.
        EndpointGenerator(
            self.model,
            base_url=self.base_url,
            max_concurrency=self.max_concurrency,
            timeout=self.timeout,
            max_retries=self.max_retries,
            backoff=self.backoff,
        )

    @property
    def version(self) -> str:
        """The server's own is among the facts: it need not be up for what needs no generation."""
        return "endpoint"

    @property
    def root(self) -> str:
        """The server's address without `/v1`."""
        return self.base_url.rstrip("/").removesuffix("/v1")

    @property
    def tokenizer_name(self) -> str:
        return self.tokenizer or self.model

    @property
    def tokenizer_revision(self) -> str | None:
        return None if self.tokenizer else self.revision

    @property
    def identity(self) -> tuple[str, str]:
        """What the server calls the model, and the revision if somebody says which it serves."""
        return _without_folder(self.model), self.revision or ""

    def settings(self) -> dict[str, Any]:
        return super().settings() | {"tokenizer": _without_folder(self.tokenizer_name)}

    def start(self) -> None:
        """Nothing is loaded here; a missing key shows before the first request."""
        self.headers()

    def facts(self) -> dict[str, Any]:
        return {"hardware": "the server's", "server": self._server()}

    def headers(self) -> dict[str, str]:
        """What authorises a request.

        Raises:
            [`UsageError`]: if there is no usable key in the variable that was named.
        """
        if self.api_key_env is None:
            return {}
        key = os.environ.get(self.api_key_env, "").strip()
        if not (key.isascii() and key.isprintable() and key and " " not in key):
            raise UsageError(f"there is no API key in {self.api_key_env}, or it holds what no key can hold")
        return {"Authorization": f"Bearer {key}"}

    def generate(
        self, prompts: Sequence[Prompt], budget: int, sampling: Sampling
    ) -> Iterator[tuple[int, Generation | Failure]]:
        """At most `max_concurrency` requests at once; what breaks off the loop ends those in flight."""
        streams = Streams(self, prompts, budget, sampling)
        try:
            yield from streams.outcomes()
        finally:
            streams.stop()

    def close(self) -> None:
        """Nothing is held."""

    def _server(self) -> str:
        """vLLM's tells its version; of others nothing is known."""
        try:
            told = httpx2.get(f"{self.root}/version", timeout=_VERSION_SECONDS).json()
            return f"vllm {told['version']}"
        except (httpx2.HTTPError, ValueError, KeyError, TypeError):
            return ""


def _without_folder(name: str) -> str:
    """A folder of this machine by its name alone."""
    return os.path.basename(os.path.abspath(name)) if os.path.isdir(name) else name
