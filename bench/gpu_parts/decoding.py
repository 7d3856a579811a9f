"""Greedy decoding of the transformers engine: tokens a second against the batch."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from asap_hf.models.causal_lm import CausalLM, continuations

from .attention import random_ids
from .machine import Machine
from .models import random_model, shape
from .report import Table

BATCHES = (1, 4, 16, 64)
PROMPT, NEW = 512, 96  # tokens


def decoding(machine: Machine) -> Iterator[Table]:
    """Answers of the same length, so that no row ends early."""
    from transformers import GenerationConfig

    model = random_model(shape("qwen2-7b", machine), machine.device)
    model.generation_config = GenerationConfig(do_sample=False, eos_token_id=None, pad_token_id=0, bos_token_id=None)
    lm = CausalLM(model, float("inf"), [0])
    prompt, new = (PROMPT, NEW) if not machine.smallest else (16, 4)
    table = Table(
        f"qwen2-7b, bfloat16, greedy: {new} tokens after prompts of {prompt}", ["batch", "tokens/s", "ms a step"]
    )
    for batch in BATCHES:
        prompts = [ids[0].cpu() for ids in random_ids([prompt] * batch, machine.device)]
        answer = partial(continuations, lm, prompts, [], new)
        answers = answer()
        assert [*map(len, answers)] == [new] * batch
        times = machine.time(answer, repeats=1, warmup=0)
        table.rows.append([str(batch), batch * new / times.median, 1000 * times.median / new])
    yield table
