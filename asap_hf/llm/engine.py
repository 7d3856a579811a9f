"""`Engine`: prompts in, one generation per prompt out, each as it finishes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal

from ..models.identity import model_identity
from ..traces.rows import Message
from .generator import Failure

__all__ = ["Engine", "Failure", "FinishReason", "Generation", "Prompt", "Sampling"]

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True)
class Prompt:
    """What a model is asked.

    Args:
        messages (`tuple[dict[str, str], ...]`):
            Chat messages with `role` and `content`.
        text (`str`):
            The messages through the chat template. A tokenizer that writes BOS writes it before this.
        token_ids (`tuple[int, ...]`):
            The tokens of `text`, with BOS once where the model has one.
        seed (`int`, *optional*, defaults to 0):
            Of this prompt's own random stream, where decoding is not greedy.
    """

    messages: tuple[Message, ...]
    text: str
    token_ids: tuple[int, ...]
    seed: int = 0


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen.

    Args:
        temperature (`float`, *optional*, defaults to 0.0):
            0.0 takes the likeliest token (Appendix A).
        top_p (`float`, *optional*, defaults to 1.0):
            Nucleus mass; without effect at temperature 0.
    """

    temperature: float = 0.0
    top_p: float = 1.0


@dataclass(frozen=True)
class Generation:
    """What a model said after a prompt.

    Args:
        text (`str`):
            As the engine has it; empty where `token_ids` say it.
        token_ids (`tuple[int, ...]`):
            Every generated token, the one that ended it included; empty where the engine gives none.
        finish_reason (`str`):
            `stop`: the model ended it; `length`: the budget or the model's context did.
        queue_seconds, first_token_seconds, latency_seconds (`float`, *optional*):
            From the moment that the engine had the request: to the start of the work on it, to its first token, to its
            last. `None` where the engine does not tell.
    """

    text: str
    token_ids: tuple[int, ...]
    finish_reason: FinishReason
    queue_seconds: float | None = None
    first_token_seconds: float | None = None
    latency_seconds: float | None = None


NO_ROOM = Generation("", (), "length")
"""After a prompt that fills the model's context."""


@dataclass(frozen=True)
class Engine(ABC):
    """Who generates. Subclasses are frozen dataclasses of hyperparameters; the model is loaded on first use.

    Args:
        model (`str`):
            Hub id, local folder, or the name under which an endpoint serves the model; `"embedded"` is the small one
            that comes with the tool.
        revision (`str`, *optional*):
            Branch, tag or commit on the Hub, of the weights and the tokenizer alike.
    """

    model: str
    revision: str | None = field(default=None, kw_only=True)

    kind: ClassVar[str]
    """The word for it on the command line."""
    free: ClassVar[frozenset[str]] = frozenset({"model", "revision"})
    """Fields that say nothing about how the text comes about, or are told elsewhere."""

    @property
    @abstractmethod
    def version(self) -> str:
        """What generates, with its version: `vllm 0.32.0`."""

    @property
    def tokenizer_name(self) -> str:
        """Whose chat template renders prompts and whose tokens are counted."""
        return self.model

    @property
    def tokenizer_revision(self) -> str | None:
        """Branch, tag or commit of that."""
        return self.revision

    @property
    def identity(self) -> tuple[str, str]:
        """Name and revision for records: a local model's folder by its name alone, with a hash of its content.

        Raises:
            [`UsageError`]: if there is no such model.
            [`RunError`]: if the Hub cannot be reached and the model is not in the cache.
        """
        found = model_identity(self.model, self.revision)
        return found.name, found.revision

    def settings(self) -> dict[str, Any]:
        """What decides about the text, for records; no folder or host of this machine."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name not in self.free}

    @abstractmethod
    def start(self) -> None:
        """Load the model, so that the time this takes is not taken for generation. Does nothing where it is loaded.

        Raises:
            [`UsageError`]: if the model or the arguments cannot work.
            [`RunError`]: if it does not start all the same.
        """

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """What is known once it has started: the hardware, how much runs at once, the model's context."""

    @abstractmethod
    def generate(
        self, prompts: Sequence[Prompt], budget: int, sampling: Sampling
    ) -> Iterator[tuple[int, Generation | Failure]]:
        """Answer every prompt with at most `budget` tokens. Yields the prompt's place and its outcome as each
        finishes, in any order. All prompts are at the engine's disposal from the beginning, as one batch.

        Raises:
            [`RunError`]: if the engine breaks down; what was yielded before is good.
        """

    @abstractmethod
    def close(self) -> None:
        """Give back what it holds. It may be started again."""
