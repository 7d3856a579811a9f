"""`TransformersGenerator`: an LLM that transformers runs in this process. For a look at a few rows, on any machine."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ..models.causal_lm import CausalLM, continuations, load_causal_lm, sampling_processors
from ..runtime.ledger import ledger_key
from .generator import Completion, Failure, Generator, Request

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class _Row:
    index: int
    request: Request
    prompt: torch.Tensor  # (tokens,), int32
    limit: int  # tokens of the answer

    @property
    def kind(self) -> tuple[float, float, int]:
        """What all rows of a batch have in common."""
        return self.request.temperature, self.request.top_p, self.limit


@dataclass(frozen=True)
class TransformersGenerator(Generator):
    """`AutoModelForCausalLM.generate` in batches, through the chat template. Requests of like length share a batch,
    and each batch is stored when all of it is done. A request's `schema` is ignored, and so is the model's
    `generation_config.json` apart from its end tokens: only the request says how to sample.

    At temperature 0 the likeliest token is taken. Otherwise each answer is drawn from a random stream of its own,
    seeded with `seed` and the request. So in float32, on the same device and with the same libraries, an answer is the
    same again whatever else is in the batch; in bfloat16 the batch changes how sums are rounded, and now and then a
    token. What the ledger holds is replayed whatever the `seed`.

    Args:
        model (`str`):
            Hub id or local folder of a model with a chat template; `"embedded"` is the small one that comes with the
            tool.
        revision (`str`, *optional*):
            Branch, tag or commit on the Hub, of the weights and the tokenizer alike.
        dtype (`str`, *optional*, defaults to `"auto"`):
            Of weights and activations; `auto` is what the weights are stored in.
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

    def generate(self, requests: Sequence[Request], done: Callable[[int, Completion | Failure], None]) -> None:
        """The longest prompts first, so that memory that does not suffice shows at once. A prompt that leaves no room
        for an answer fails with `prompt_too_long`."""
        rows = []
        for index, request in enumerate(requests):
            row = self._row(index, request)
            if row.limit > 0:
                rows.append(row)
            else:
                done(index, Failure(f"prompt_too_long: {len(row.prompt)} tokens in {self._engine.context:.0f}"))
        waiting = deque(sorted(rows, key=lambda row: (row.kind, -len(row.prompt))))
        while waiting:
            batch: list[_Row] = []
            while waiting and len(batch) < self.batch_size and waiting[0].kind == (batch or waiting)[0].kind:
                refusal = self.account.reserve_in_turn(waiting[0].request)
                if refusal and batch:  # there may be money for it when these are settled
                    break
                row = waiting.popleft()
                if refusal:
                    done(row.index, Failure(refusal))
                else:
                    batch.append(row)
            if batch:
                self._answer(batch, done)

    def _row(self, index: int, request: Request) -> _Row:
        import torch

        tokenizer, context = self._engine.tokenizer, self._engine.context
        # Token ids, because the template writes BOS and encoding its text would put another before it.
        ids = tokenizer.apply_chat_template(list(request.messages), add_generation_prompt=True, return_dict=False)
        limit = int(min(request.max_tokens, context - len(ids)))
        return _Row(index, request, torch.tensor(ids, dtype=torch.int32), limit)

    def _answer(self, batch: list[_Row], done: Callable[[int, Completion | Failure], None]) -> None:
        import torch

        try:
            answers = self._continuations(batch)
        except torch.OutOfMemoryError:
            answers = None
        if answers is not None:
            for row, ids in zip(batch, answers, strict=True):
                done(row.index, self._completion(row, ids))
        elif len(batch) > 1:
            self._answer(batch[: len(batch) // 2], done)
            self._answer(batch[len(batch) // 2 :], done)
        else:
            done(batch[0].index, Failure(f"out_of_memory: with a prompt of {len(batch[0].prompt)} tokens"))

    def _continuations(self, batch: list[_Row]) -> list[list[int]]:
        """New token ids per row, padding and all."""
        temperature, top_p, limit = batch[0].kind
        seeds = [int(ledger_key(self.seed, *row.request.identity)[:15], 16) for row in batch]
        sampling = sampling_processors(temperature, top_p, seeds, self._engine.model.device)
        return continuations(self._engine, [row.prompt for row in batch], sampling, limit)

    def _completion(self, row: _Row, ids: list[int]) -> Completion:
        stops = (place for place, token in enumerate(ids) if token in self._engine.ends)
        end = next(stops, None)
        text = self._engine.tokenizer.decode(ids[:end], skip_special_tokens=True)
        tokens = len(ids) if end is None else end + 1
        return Completion(str(text), len(row.prompt), tokens, "length" if end is None else "stop")

    @cached_property
    def _engine(self) -> CausalLM:
        return load_causal_lm(self.model, self.revision, self.dtype, self.device, needs_template=True)
