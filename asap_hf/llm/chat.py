"""`Chat`: whole chat completions through huggingface_hub's client, which knows the Inference Providers."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx2
from huggingface_hub import AsyncInferenceClient, is_offline_mode

from ..errors import UsageError
from .engine import Generation, Prompt
from .outcomes import Request
from .refusals import ERRORS, generation_of, refusal_of, while_reading
from .server import Server, api_key_of

NO_KEY = "-"  # never empty: without a key the client would send the Hub's token to whatever host `base_url` names


class Chat:
    """Asks for answers that come as one piece, in `timeout` seconds for the whole call.

    Args:
        server ([`Server`]):
            Who is asked.
        model (`str`):
            The name under which it serves the model.

    Raises:
        [`UsageError`]: if `HF_HUB_OFFLINE` is set; from `ask`, if the provider does not know the model.
    """

    def __init__(self, server: Server, model: str):
        if is_offline_mode():
            raise UsageError("HF_HUB_OFFLINE is set, so huggingface_hub sends no request, to no host: unset it")
        self._server, self._model = server, model
        self._reached = False

    def client(self) -> AbstractAsyncContextManager[AsyncInferenceClient]:
        seconds = self._server.timeout
        return AsyncInferenceClient(
            base_url=self._server.base_url,
            provider=self._server.provider,  # type: ignore[arg-type]
            api_key=api_key_of(self._server) or NO_KEY,
            # A host that swallows packets is given up sooner than a model that thinks.
            timeout=httpx2.Timeout(seconds, connect=min(seconds, 30.0), pool=None),  # type: ignore[arg-type]
        )

    async def ask(self, client: AsyncInferenceClient, request: Request, prompt: Prompt) -> Generation:
        asked = client.chat_completion(
            list(request.messages),
            model=self._model,
            max_tokens=request.max_tokens,
            temperature=request.temperature,
            top_p=request.top_p,
            **_structured(self._server.structured, request.schema),
        )
        try:
            output = await asyncio.wait_for(asked, self._server.timeout)
        except ERRORS as error:
            # Unsent and a plain ValueError: huggingface_hub does not know the provider, or the provider not the model.
            unsent = type(error) is ValueError and not while_reading(error)
            if self._server.provider is not None and unsent and not self._reached:
                raise UsageError(str(error)) from error
            refusal = refusal_of(error, self._server.base_url or f"provider {self._server.provider}")
            if refusal is None:
                raise
            self._reached = self._reached or not (refusal.unanswered or refusal.shared)
            raise refusal from error
        self._reached = True
        return generation_of(output)


def _structured(how: str, schema: dict[str, Any] | None) -> dict[str, Any]:
    if schema is None or how == "none":
        return {}
    if how == "vllm":
        return {"extra_body": {"structured_outputs": {"json": schema}}}
    form = {"name": "answer", "schema": schema, "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": form}}
