"""`VLLMGenerator`: an LLM that vLLM runs in this process, for whole datasets on one's own GPUs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING

from ..errors import RunError, UsageError
from ..models.vllm_engine import guard_children, start_vllm, stop_vllm
from ..runtime.child_guard import ChildGuard
from .generator import Completion, Failure, Generator, Request

if TYPE_CHECKING:
    from vllm import LLM, LLMEngine, RequestOutput, SamplingParams


@dataclass(frozen=True)
class VLLMGenerator(Generator):
    """Offline inference with vLLM. The engine starts with the first request that the ledger cannot answer and stays
    until [`close`] or the end of the process. Where vLLM starts its own processes, a script that uses this needs the
    `if __name__ == "__main__":` that Python's multiprocessing asks for.

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

    def generate(self, requests: Sequence[Request], done: Callable[[int, Completion | Failure], None]) -> None:
        """Feed the engine and deliver each answer in the step that finishes it. Calls from several threads follow one
        another, as the engine's steps belong to no one request."""
        with self.__dict__.setdefault("_one_at_a_time", Lock()):
            engine, _ = self._engine.llm_engine, self._child_guard
            from vllm.v1.engine.exceptions import EngineDeadError

            try:
                self._feed(engine, requests, done)
            except EngineDeadError as error:
                self.close()
                raise RunError("vLLM's engine died, as its log above tells; answers that came in are kept") from error

    def _feed(
        self, engine: LLMEngine, requests: Sequence[Request], done: Callable[[int, Completion | Failure], None]
    ) -> None:
        # Twice as many as run at once, so that no place of a batch stays empty; not all of them, because a finished
        # answer would wait until the last prompt is rendered.
        window = 2 * engine.vllm_config.scheduler_config.max_num_seqs
        waiting = deque(enumerate(requests))
        running: set[str] = set()
        try:
            while waiting or running:
                while waiting and len(running) < window:
                    index, request = waiting[0]
                    refusal = self.account.reserve_in_turn(request)
                    if refusal and running:
                        break
                    waiting.popleft()
                    failure = Failure(refusal) if refusal else self._submit(engine, str(index), request)
                    if failure:
                        done(index, failure)
                    else:
                        running.add(str(index))
                for output in engine.step() if running else ():
                    running.discard(output.request_id)
                    done(int(output.request_id), _outcome(output))
        except BaseException:
            engine.abort_request(list(running))  # or the next call would be given what this one asked for
            raise

    def close(self) -> None:
        """Stop the engine and give its memory back. The next request starts a new one."""
        if llm := self.__dict__.pop("_engine", None):
            stop_vllm(llm)
        if guard := self.__dict__.pop("_child_guard", None):
            guard.release()

    @cached_property
    def _child_guard(self) -> ChildGuard:
        return guard_children()

    @cached_property
    def _engine(self) -> LLM:
        llm = start_vllm(
            self.model,
            revision=self.revision,
            dtype=self.dtype,
            max_model_len=self.max_model_len,
            gpu_memory_utilization=self.gpu_memory_utilization,
            tensor_parallel_size=self.tensor_parallel_size,
            seed=self.seed,
            enforce_eager=self.enforce_eager,
            enable_prefix_caching=self.enable_prefix_caching,
            # Left to itself, a small model fills an answer with the blanks and line breaks that JSON allows.
            structured_outputs_config={"backend": "xgrammar", "disable_any_whitespace": True},
        )
        if not getattr(llm.get_tokenizer(), "chat_template", None):
            stop_vllm(llm)
            raise UsageError(f"{self.model} has no chat template: name a model that was tuned to follow instructions")
        return llm

    def _submit(self, engine: LLMEngine, name: str, request: Request) -> Failure | None:
        """Hand one request to the engine, unless it can be told already that it will not be answered."""
        from vllm.exceptions import VLLMValidationError

        # Token ids, because the template writes BOS and encoding its text would put another before it.
        prompt = engine.get_tokenizer().apply_chat_template(
            list(request.messages), add_generation_prompt=True, return_dict=False
        )
        limit = engine.model_config.max_model_len
        if len(prompt) >= limit:
            return Failure(f"prompt_too_long: {len(prompt)} tokens leave no room for an answer in {limit}")
        try:
            engine.add_request(name, {"type": "token", "prompt_token_ids": prompt}, self._sampling(request))
        except VLLMValidationError as error:
            return Failure(f"bad_request: {error}")
        return None

    def _sampling(self, request: Request) -> SamplingParams:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

        return SamplingParams(
            temperature=request.temperature,
            top_p=request.top_p,
            max_tokens=request.max_tokens,
            seed=self.seed + request.attempt if request.temperature > 0 else None,
            structured_outputs=StructuredOutputsParams(json=request.schema) if request.schema else None,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )


def _outcome(output: RequestOutput) -> Completion | Failure:
    answer = output.outputs[0]
    if answer.finish_reason not in ("stop", "length"):
        return Failure(f"unfinished: the engine ended with {answer.finish_reason}")
    prompt_tokens = len(output.prompt_token_ids or ())
    return Completion(answer.text, prompt_tokens, len(answer.token_ids), answer.finish_reason)
