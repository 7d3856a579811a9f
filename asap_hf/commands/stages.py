"""From the arguments of `asap-hf prune` to its filters, LLM and tokenizer; nothing is loaded or started here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..filters.filters import Filter
    from ..llm.generator import Generator
    from .prune_arguments import PruneArguments


def generator_of(arguments: PruneArguments) -> Generator:
    """The LLM of stage 1 on the backend that was asked for; nothing is started yet."""
    from .. import llm

    values: dict[str, Any] = {
        "model": arguments.anchor_model or "",
        "prompt_price": arguments.prompt_price or 0.0,
        "completion_price": arguments.completion_price or 0.0,
        "max_cost": arguments.max_cost,
    }
    match arguments.anchor_backend:
        case "endpoint":
            return llm.EndpointGenerator(
                **values,
                base_url=arguments.anchor_base_url,
                provider=arguments.anchor_provider or (None if arguments.anchor_base_url else "auto"),
                api_key_env=arguments.anchor_api_key_env,
                max_concurrency=arguments.max_concurrency,
                timeout=arguments.timeout,
                structured=arguments.anchor_structured,
            )
        case "vllm":
            gpu_memory, most = arguments.anchor_gpu_memory, arguments.anchor_max_model_len
            return llm.VLLMGenerator(**values, max_model_len=most, gpu_memory_utilization=gpu_memory)
        case "transformers":
            return llm.TransformersGenerator(**values)


def tokenizer_of(arguments: PruneArguments) -> str:
    """Whose tokens count: the model to be trained, which is the scorer unless another is named (as in the paper)."""
    return arguments.tokenizer or arguments.scorer


@contextmanager
def filters_of(arguments: PruneArguments) -> Iterator[tuple[Filter, ...]]:
    """The filters that these arguments ask for, closed at the end; nothing is loaded or started by this alone."""
    filters: list[Filter] = []
    if arguments.decontaminate:
        from ..filters.filters import Decontamination

        filters.append(Decontamination(tuple(arguments.decontaminate.split(",")), n=arguments.decontaminate_n))
    if arguments.sample_tests:
        from ..filters.filters import SampleTests

        filters.append(SampleTests())
    try:
        yield tuple(filters)
    finally:
        for one in filters:
            one.close()
