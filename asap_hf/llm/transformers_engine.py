"""`TransformersEngine`: a model that transformers runs in this process. For a look at a few problems, anywhere."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from ..models.causal_lm import CausalLM, continuations, load_causal_lm, sampling_processors
from ..models.devices import processor
from .engine import NO_ROOM, Engine, Failure, Generation, Prompt, Sampling

if TYPE_CHECKING:
    import torch


class _Asked(NamedTuple):
    number: int
    prompt: Prompt
    limit: int  # tokens of the answer


@dataclass(frozen=True)
class TransformersEngine(Engine):
    """`AutoModelForCausalLM.generate` in batches of prompts of like length. The model's `generation_config.json` is
    ignored apart from its end tokens. A generation waits for the batches before its own, and then for the longest one
    of its batch.

    Sampled answers are drawn from a random stream of their own, whatever else is in the batch.

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

    def start(self) -> None:
        _ = self._loaded

    def facts(self) -> dict[str, Any]:
        import torch

        device, context = self._loaded.model.device, self._loaded.context
        hardware = torch.cuda.get_device_name(device) if device.type == "cuda" else processor()
        return {"hardware": hardware, "context": None if context == float("inf") else int(context)}

    def generate(
        self, prompts: Sequence[Prompt], budget: int, sampling: Sampling
    ) -> Iterator[tuple[int, Generation | Failure]]:
        """The longest prompts first, so that memory that does not suffice shows at once."""
        begun = time.monotonic()
        asked = []
        for number, prompt in enumerate(prompts):
            limit = int(min(budget, self._loaded.context - len(prompt.token_ids)))
            if limit > 0:
                asked.append(_Asked(number, prompt, limit))
            else:
                yield number, NO_ROOM
        asked.sort(key=lambda one: (-one.limit, -len(one.prompt.token_ids)))
        for _, alike in groupby(asked, key=lambda one: one.limit):
            rows = list(alike)
            for start in range(0, len(rows), self.batch_size):
                yield from self._answers(rows[start : start + self.batch_size], sampling, begun)

    def close(self) -> None:
        self.__dict__.pop("_loaded", None)

    def _answers(
        self, batch: list[_Asked], sampling: Sampling, begun: float
    ) -> Iterator[tuple[int, Generation | Failure]]:
        import torch

        try:
            answers = self._generations(batch, sampling, begun)
        except torch.OutOfMemoryError:
            answers = []
        if answers:
            yield from zip((one.number for one in batch), answers, strict=True)
        elif len(batch) > 1:
            yield from self._answers(batch[: len(batch) // 2], sampling, begun)
            yield from self._answers(batch[len(batch) // 2 :], sampling, begun)
        else:
            yield batch[0].number, Failure(f"out_of_memory: with a prompt of {len(batch[0].prompt.token_ids)} tokens")

    def _generations(self, batch: list[_Asked], sampling: Sampling, begun: float) -> list[Generation]:
        clock = _Clock()
        seeds = [one.prompt.seed for one in batch]
        processors = sampling_processors(sampling.temperature, sampling.top_p, seeds, self._loaded.model.device)
        prompts = [one.prompt.token_ids for one in batch]
        answers = continuations(self._loaded, prompts, processors, batch[0].limit, [clock])
        times = [moment - begun for moment in (clock.started, clock.first, time.monotonic())]
        return [self._generation(answer, times) for answer in answers]

    def _generation(self, ids: list[int], times: list[float]) -> Generation:
        end = next((place for place, token in enumerate(ids) if token in self._loaded.ends), None)
        kept = ids if end is None else ids[: end + 1]
        return Generation("", tuple(kept), "length" if end is None else "stop", *times)

    @cached_property
    def _loaded(self) -> CausalLM:
        return load_causal_lm(self.model, self.revision, self.dtype, self.device)


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
