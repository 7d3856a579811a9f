"""`Engine`: prompts in, one generation or failure per prompt out, each as it finishes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, ClassVar

from ..models.identity import model_identity
from ..traces.rows import Message
from .account import Account
from .outcomes import Failure, Request


@dataclass(frozen=True)
class Prompt:
    """What a model is asked, as the model sees it.

    Args:
        messages (`tuple[dict[str, str], ...]`):
            Chat messages with `role` and `content`.
        text (`str`, *optional*):
            The messages through the chat template, for servers that take a text. A tokenizer that writes BOS writes it
            before this.
        token_ids (`tuple[int, ...]`, *optional*):
            The tokens of that, with BOS once where the model has one; needed by engines in this process.
        seed (`int`, *optional*, defaults to 0):
            Of this prompt's own random stream, where decoding is not greedy.
    """

    messages: tuple[Message, ...]
    text: str = ""
    token_ids: tuple[int, ...] = ()
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
            `stop`: the model ended it; `length`: the budget or the model's context did. Answers that a server sends in
            one piece may have another word of the server's.
        queue_seconds, first_token_seconds, latency_seconds (`float`, *optional*):
            From the moment that the engine had the request: to the start of the work on it, to its first token, to its
            last. `None` where the engine does not tell.
        prompt_tokens, completion_tokens (`int`, *optional*, defaults to 0):
            As the engine counts them; 0 and 0 where it does not tell.
    """

    text: str
    token_ids: tuple[int, ...]
    finish_reason: str
    queue_seconds: float | None = None
    first_token_seconds: float | None = None
    latency_seconds: float | None = None
    prompt_tokens: int = field(default=0, compare=False)
    completion_tokens: int = field(default=0, compare=False)

    def record(self) -> dict[str, Any]:
        """What an evaluation writes down: all but the usage, which follows from the rest."""
        values = asdict(self)
        return {name: value for name, value in values.items() if name not in ("prompt_tokens", "completion_tokens")}


Outcomes = Generator[tuple[int, Generation | Failure], None, None]
"""Places of prompts, with what became of them."""

NO_ROOM = Generation("", (), "length")
"""After a prompt that fills the model's context."""


def no_room(prompt: Prompt) -> Generation:
    """[`NO_ROOM`] after this prompt."""
    return replace(NO_ROOM, prompt_tokens=len(prompt.token_ids))


@dataclass(frozen=True)
class Engine(ABC):
    """A model and what runs it. Subclasses are frozen dataclasses of hyperparameters; the model is loaded on first
    use.

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

    def generate(self, prompts: Sequence[Prompt], budget: int, sampling: Sampling) -> Outcomes:
        """Answer every prompt with at most `budget` tokens, whatever that costs. All prompts are at the engine's
        disposal from the beginning, as one batch. Yields and raises as `answer` does."""
        return self.answer(
            [(Request(one.messages, sampling.temperature, sampling.top_p, budget), one) for one in prompts]
        )

    @abstractmethod
    def answer(self, asked: Iterable[tuple[Request, Prompt]], account: Account | None = None) -> Outcomes:
        """Answer every request: its limit of tokens, its sampling and its schema, for its prompt. Yields the request's
        place and its outcome as each finishes, in any order; [`NO_ROOM`] where the prompt fills the context.

        With an `account`, each request is reserved before it is sent, and sent once there is money for it.

        Raises:
            [`RunError`]: if the engine breaks down; what was yielded before is good.
        """

    @abstractmethod
    def close(self) -> None:
        """Give back what it holds. It may be started again."""
