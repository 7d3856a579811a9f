"""`LocalGenerator`: a generator whose engine runs in this process."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from .engine import NO_ROOM, Engine, Generation, Prompt
from .generator import Generator
from .outcomes import Completion, Failure, Request

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class LocalEngine(Engine):
    """An engine that has the model's tokenizer."""

    @property
    @abstractmethod
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The model's own; loads it, and where the library does not part the two, the model."""
        raise NotImplementedError


class LocalGenerator(Generator):
    """Renders requests with the chat template of the model's own tokenizer. A prompt that leaves no room for an answer
    fails with `prompt_too_long`, alone."""

    @property
    def engine(self) -> LocalEngine:
        raise NotImplementedError

    def generate(self, requests: Sequence[Request], done: Callable[[int, Completion | Failure], None]) -> None:
        """Calls from several threads follow one another, as the engine's steps belong to no one request."""
        with self.__dict__.setdefault("_one_at_a_time", Lock()):
            if not getattr(self.engine.tokenizer, "chat_template", None):
                self.engine.close()
                raise UsageError(f"{self.model} has no chat template: name a model tuned to follow instructions")
            super().generate(requests, done)

    def close(self) -> None:
        """Stop the engine and give its memory back. The next request starts it again."""
        if "engine" in self.__dict__:
            self.engine.close()

    def _prompt(self, request: Request) -> Prompt:
        # Token ids, because the template writes BOS and encoding its text would put another before it.
        ids: Any = self.engine.tokenizer.apply_chat_template(
            list(request.messages), add_generation_prompt=True, return_dict=False
        )
        return Prompt(request.messages, token_ids=tuple(ids), seed=self._seed(request))

    def _seed(self, request: Request) -> int:
        """Of the random stream that the answer is drawn from."""
        raise NotImplementedError

    def _outcome(self, outcome: Generation | Failure) -> Completion | Failure:
        if outcome == NO_ROOM:
            return Failure(f"prompt_too_long: {outcome.prompt_tokens} tokens in {self.engine.facts()['context']}")
        if isinstance(outcome, Generation) and not outcome.text:
            ids = outcome.token_ids[:-1] if outcome.finish_reason == "stop" else outcome.token_ids
            text = self.engine.tokenizer.decode(list(ids), skip_special_tokens=True)
            outcome = replace(outcome, text=str(text))
        return super()._outcome(outcome)
