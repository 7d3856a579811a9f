"""A model that transformers runs in this process, for a few rows or problems on any machine: `TransformersEngine`, and
`TransformersGenerator` around one."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from ..models.causal_lm import CausalLM, continuations, load_causal_lm, load_tokenizer_of, sampling_processors
from ..models.devices import processor
from ..runtime.ledger import ledger_key
from .account import Account
from .engine import Engine, Generation, Outcomes, Prompt, no_room
from .local import LocalEngine, LocalGenerator
from .outcomes import Failure, Request

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase


class _Row(NamedTuple):
    number: int
    request: Request
    prompt: Prompt
    limit: int  # tokens of the answer

    @property
    def kind(self) -> tuple[float, float, int]:
        """What all rows of a batch have in common."""
        return self.request.temperature, self.request.top_p, self.limit


@dataclass(frozen=True)
class TransformersEngine(LocalEngine):
    """`AutoModelForCausalLM.generate` in batches of prompts of like length. The model's `generation_config.json` is
    ignored apart from its end tokens, and so is a request's `schema`. A generation waits for the batches before its
    own, and then for the longest one of its batch.

    At temperature 0 the likeliest token is taken. Otherwise each answer is drawn from a random stream of its own. So
    in float32, on the same device and with the same libraries, an answer is the same again whatever else is in the
    batch; in bfloat16 the batch changes how sums are rounded, and now and then a token.

    Args:
        dtype (`str`, *optional*, defaults to `"bfloat16"`):
            Of weights and activations (Appendix A).
        device (`str`, *optional*):
            Such as `cuda:1`; by default the accelerator if there is one, else the CPU.
        batch_size (`int`, *optional*, defaults to 8):
            Prompts that are answered at once. A batch that does not fit into the accelerator's memory is halved. The
            paper does not give it.

    Raises:
        [`UsageError`]: when started, if the model cannot be loaded.
    """

    dtype: str = "bfloat16"
    device: str | None = None
    batch_size: int = 8

    kind: ClassVar[str] = "transformers"
    free: ClassVar[frozenset[str]] = Engine.free | {"device"}

    @property
    def version(self) -> str:
        from importlib.metadata import version

        return f"transformers {version('transformers')}"

    @cached_property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        return load_tokenizer_of(self.model, self.revision)

    def start(self) -> None:
        _ = self._loaded

    def facts(self) -> dict[str, Any]:
        import torch

        device, context = self._loaded.model.device, self._loaded.context
        hardware = torch.cuda.get_device_name(device) if device.type == "cuda" else processor()
        return {"hardware": hardware, "context": None if context == float("inf") else int(context)}

    def answer(self, asked: Iterable[tuple[Request, Prompt]], account: Account | None = None) -> Outcomes:
        """The longest prompts first, so that memory that does not suffice shows at once."""
        rows, begun = [], time.monotonic()
        for number, (request, prompt) in enumerate(asked):
            limit = int(min(request.max_tokens, self._loaded.context - len(prompt.token_ids)))
            if limit > 0:
                rows.append(_Row(number, request, prompt, limit))
            else:
                yield number, no_room(prompt)
        waiting = deque(sorted(rows, key=lambda row: (row.kind, -len(row.prompt.token_ids))))
        while waiting:
            batch: list[_Row] = []
            while waiting and len(batch) < self.batch_size and waiting[0].kind == (batch or waiting)[0].kind:
                refusal = account.reserve_in_turn(waiting[0].request) if account else ""
                if refusal and batch:  # there may be money for it when these are settled
                    break
                row = waiting.popleft()
                if refusal:
                    yield row.number, Failure(refusal)
                else:
                    batch.append(row)
            if batch:
                yield from self._answers(batch, begun)

    def close(self) -> None:
        self.__dict__.pop("_loaded", None)

    def _answers(self, batch: list[_Row], begun: float) -> Outcomes:
        import torch

        try:
            answers = self._generations(batch, begun)
        except torch.OutOfMemoryError:
            answers = []
        if answers:
            yield from zip((row.number for row in batch), answers, strict=True)
        elif len(batch) > 1:
            yield from self._answers(batch[: len(batch) // 2], begun)
            yield from self._answers(batch[len(batch) // 2 :], begun)
        else:
            yield batch[0].number, Failure(f"out_of_memory: with a prompt of {len(batch[0].prompt.token_ids)} tokens")

    def _generations(self, batch: list[_Row], begun: float) -> list[Generation]:
        clock, (temperature, top_p, limit) = _Clock(), batch[0].kind
        seeds = [row.prompt.seed for row in batch]
        processors = sampling_processors(temperature, top_p, seeds, self._loaded.model.device)
        prompts = [row.prompt.token_ids for row in batch]
        answers = continuations(self._loaded, prompts, processors, limit, [clock])
        times = clock.started - begun, clock.first - begun, time.monotonic() - begun
        return [self._generation(row, answer, times) for row, answer in zip(batch, answers, strict=True)]

    def _generation(self, row: _Row, ids: list[int], times: tuple[float, float, float]) -> Generation:
        end = next((place for place, token in enumerate(ids) if token in self._loaded.ends), None)
        kept = tuple(ids if end is None else ids[: end + 1])
        reason = "length" if end is None else "stop"
        return Generation("", kept, reason, *times, len(row.prompt.token_ids), len(kept))

    @cached_property
    def _loaded(self) -> CausalLM:
        return load_causal_lm(self.model, self.revision, self.dtype, self.device, self.tokenizer)


class _Clock:
    """A stopping criterion that never stops, called after each step: it notes when the first token was there."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.first = 0.0

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        if not self.first:
            int(input_ids[0, -1])  # waits for the device
            self.first = time.monotonic()
        return input_ids.new_zeros(len(input_ids), dtype=bool)  # type: ignore[call-overload, no-any-return]


@dataclass(frozen=True)
class TransformersGenerator(LocalGenerator):
    """Answers of [`TransformersEngine`] through the chat template. Each batch is stored when all of it is done.
    Answers are drawn with `seed` and the request; what the ledger holds is replayed whatever the `seed`.

    Args:
        model (`str`):
            Hub id or local folder of a model with a chat template; `"embedded"` is the small one that comes with the
            tool.
        revision (`str`, *optional*):
            Branch, tag or commit on the Hub, of the weights and the tokenizer alike.
        dtype (`str`, *optional*, defaults to `"auto"`):
            Of weights and activations; `auto` is what the weights are stored in, or float32 on a CPU without
            instructions for bfloat16.
        device (`str`, *optional*):
            Such as `cuda:1`; by default the accelerator if there is one, else the CPU.
        batch_size (`int`, *optional*, defaults to 8):
            Requests that are answered at once. A batch that does not fit into the accelerator's memory is halved. The
            paper does not give it.
        seed (`int`, *optional*, defaults to 0):
            Of the sampling. The paper does not give it.

    Raises:
        [`UsageError`]: on first use, if the model cannot be loaded or has no chat template.

    Example:
        >>> from asap_hf import TransformersGenerator
        >>> generator = TransformersGenerator("embedded", dtype="float32")
        >>> (generator.batch_size, generator.seed)
        (8, 0)
    """

    revision: str | None = None
    dtype: str = "auto"
    device: str | None = None
    batch_size: int = 8
    seed: int = 0

    @cached_property
    def engine(self) -> TransformersEngine:
        return TransformersEngine(
            self.model, revision=self.revision, dtype=self.dtype, device=self.device, batch_size=self.batch_size
        )

    def _seed(self, request: Request) -> int:
        return int(ledger_key(self.seed, *request.identity)[:15], 16)
