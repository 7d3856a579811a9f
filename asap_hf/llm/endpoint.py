"""An LLM behind an OpenAI-compatible server or a Hugging Face Inference Provider: `EndpointEngine`, and
`EndpointGenerator` around one."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, ClassVar, Literal

import httpx2

from ..errors import UsageError
from .account import Account
from .chat import Chat
from .engine import Engine, Outcomes, Prompt
from .generator import Generator
from .outcomes import Request
from .server import Server, api_key_of, root_of
from .streams import Streams
from .workers import Transport, Workers

_VERSION_SECONDS = 5.0


@dataclass(frozen=True)
class EndpointEngine(Server, Engine):
    """Completions from a server, streamed, so that the time to the first token is known. Errors are treated as
    [`EndpointGenerator`] has it.

    Fields that OpenAI's API does not have are sent and left out again if the server refuses them: vLLM's
    `return_token_ids` brings the very tokens, `repetition_penalty`, `top_k` and `min_p` undo what the model's
    `generation_config.json` makes of greedy decoding. Without token ids the text is tokenised anew.

    Args:
        base_url, api_key_env, max_concurrency, max_retries, backoff:
            As in [`EndpointGenerator`].
        timeout (`float`, *optional*, defaults to 600.0):
            Seconds without a byte after which a request counts as lost.
        tokenizer (`str`, *optional*):
            Hub id or folder of the model's tokenizer; by default `model`.
        api (`str`, *optional*, defaults to `"completions"`):
            `completions`: the prompt goes as text through our copy of the chat template, `<think>` opened. `chat`: the
            messages go, and the server's template decides; a reasoning that comes in a field of its own is put before
            the answer, with its `</think>`. Where the server keeps the reasoning to itself, evaluate without `think`.
        stream (`bool`, *optional*, defaults to `True`):
            Otherwise chat completions come whole, as [`EndpointGenerator`] has it.

    Raises:
        [`UsageError`]: if the arguments do not fit together; when started, if there is no key.
    """

    tokenizer: str | None = None
    api: Literal["completions", "chat"] = "completions"
    stream: bool = True

    kind: ClassVar[str] = "endpoint"

    def __post_init__(self) -> None:
        if self.stream and not self.base_url:
            raise UsageError("an endpoint needs --base_url: where the server is")
        if self.api not in ("completions", "chat"):
            raise UsageError(f"api is completions or chat; got {self.api!r}")
        self.check_server()

    @property
    def version(self) -> str:
        """The server's own is among the facts: it need not be up for what needs no generation."""
        return "endpoint"

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
        tokenizer = _without_folder(self.tokenizer_name)
        return {"tokenizer": tokenizer, "api": self.api, "max_concurrency": self.max_concurrency}

    def start(self) -> None:
        """Nothing is loaded here; a missing key shows before the first request."""
        api_key_of(self)

    def facts(self) -> dict[str, Any]:
        return {"hardware": "the server's", "server": self._server()}

    def answer(self, asked: Iterable[tuple[Request, Prompt]], account: Account | None = None) -> Outcomes:
        """At most `max_concurrency` requests at once; what breaks off the loop ends those in flight."""
        transport: Transport = Streams(self, self.model, self.api) if self.stream else Chat(self, self.model)
        yield from Workers(self, transport, asked, account).outcomes()

    def close(self) -> None:
        """Nothing is held."""

    def _server(self) -> str:
        """vLLM's tells its version; of others nothing is known."""
        try:
            answer = httpx2.get(f"{root_of(self)}/version", timeout=_VERSION_SECONDS).json()
            return f"vllm {answer['version']}"
        except (httpx2.HTTPError, ValueError, KeyError, TypeError):
            return ""


@dataclass(frozen=True)
class EndpointGenerator(Server, Generator):
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
            know the model, or `HF_HUB_OFFLINE` is set.

    Example:
        >>> from asap_hf import EndpointGenerator
        >>> generator = EndpointGenerator("deepseek-chat", base_url="https://llm.example/v1", api_key_env="LLM_KEY")
        >>> (generator.max_concurrency, generator.usage.calls)
        (32, 0)
    """

    def __post_init__(self) -> None:
        super(Server, self).__post_init__()
        self.check_server()

    @cached_property
    def engine(self) -> EndpointEngine:
        fields_of_server = {one.name: getattr(self, one.name) for one in fields(Server)}
        return EndpointEngine(self.model, api="chat", stream=False, **fields_of_server)

    def _revision(self) -> None:
        return None


def _without_folder(name: str) -> str:
    """A folder of this machine by its name alone."""
    return os.path.basename(os.path.abspath(name)) if os.path.isdir(name) else name
