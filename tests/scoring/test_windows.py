"""Windows and batches: every token once, nothing cut, budgets kept."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import GPT2Config, LlamaConfig, Qwen2Config

from asap_hf.scoring.windows import Window, context_limit, cut, next_batch


@given(
    question=st.integers(1, 300),
    reasoning=st.integers(1, 2000),
    limit=st.integers(16, 200),
    keep_one_in=st.integers(1, 60),
)
def test_every_wanted_token_is_in_one_window(question: int, reasoning: int, limit: int, keep_one_in: int) -> None:
    ids = np.arange(question + reasoning)
    wanted = np.arange(question, question + reasoning, keep_one_in)
    trace = cut(3, ids, question, wanted, limit)
    windows, count = trace.windows, trace.count
    scored = np.concatenate([window.targets for window in windows])
    assert scored.tolist() == wanted.tolist()
    slots = [slot for window in windows for slot in range(window.slots.start, window.slots.stop)]
    assert slots == [*range(len(wanted))]
    assert len(windows) <= count
    assert (count == 1 and trace.question_cut == 0) == (len(ids) <= limit)
    for window in windows:
        assert window.trace == 3
        assert len(window) <= limit
        # The row of each target holds the token right before it.
        assert window.ids[window.rows + 1].tolist() == window.targets.tolist()
        assert window.ids[0] == 0


@given(question=st.integers(1, 300), reasoning=st.integers(100, 2000), limit=st.integers(16, 99))
def test_windows_repeat_the_question_and_a_quarter(question: int, reasoning: int, limit: int) -> None:
    ids = np.arange(question + reasoning)
    trace = cut(0, ids, question, np.arange(question, len(ids)), limit)
    windows = trace.windows
    assert len(windows) == trace.count > 1
    assert trace.question_cut == max(0, question - limit // 2)
    for before, window in pairwise(windows):
        asked = window.ids[window.ids < question]
        assert len(asked) == min(question, limit // 2)
        assert {0, question - 1} <= set(asked)
        seen_before_the_first = int(window.targets[0]) - int(window.ids[len(asked)])
        assert seen_before_the_first == limit // 4
        assert int(before.targets[-1]) + 1 == int(window.targets[0])
        assert len(window.targets) >= 1
    # All but the last are full: no more windows than needed.
    assert all(len(window) == limit for window in windows[:-1])


def test_windows_without_a_wanted_token_are_counted_but_not_run() -> None:
    ids = np.arange(1000)
    few = cut(0, ids, 10, np.array([10, 900]), 100)
    assert len(few.windows) == 2
    assert few.count == cut(0, ids, 10, np.arange(10, 1000), 100).count > 10


def window_of(length: int) -> Window:
    ids = np.arange(length)
    return Window(0, ids, ids[:-1], ids[1:], slice(0, length - 1))


def lengths_of_batches(lengths: list[int], max_tokens: int, mixed: bool = True) -> list[list[int]]:
    windows, batches, place = [window_of(length) for length in lengths], [], 0
    while place < len(windows):
        batch = next_batch(windows, place, max_tokens, mixed)
        batches.append([len(window) for window in batch])
        place += len(batch)
    return batches


@pytest.mark.parametrize(
    ("lengths", "max_tokens", "mixed", "expected"),
    [
        ([100, 100, 100], 200, True, [[100, 100], [100]]),
        ([1000, 100], 200, True, [[1000], [100]]),  # longer than the budget: alone
        ([100, 99, 50, 49], 10_000, True, [[100, 99], [50, 49]]),  # too much padding
        ([100, 99, 99], 10_000, False, [[100], [99, 99]]),  # models whose scaling sees the longest
        ([50, 100], 10_000, True, [[50], [100]]),
    ],
)
def test_batches(lengths: list[int], max_tokens: int, mixed: bool, expected: list[list[int]]) -> None:
    assert lengths_of_batches(lengths, max_tokens, mixed) == expected


def yarn() -> dict[str, object]:
    return {
        "rope_type": "yarn",
        "rope_theta": 1e6,
        "factor": 4.0,
        "original_max_position_embeddings": 32768,
    }


@pytest.mark.parametrize(
    ("config", "max_context", "expected"),
    [
        (LlamaConfig(max_position_embeddings=8192), None, 8192),
        (LlamaConfig(max_position_embeddings=8192), 1000, 1000),
        (LlamaConfig(max_position_embeddings=8192), 100_000, 8192),
        (GPT2Config(n_positions=1024), None, 1024),
        # As Qwen2.5's model card asks for: the unscaled length stays where it was.
        (Qwen2Config(max_position_embeddings=32768, rope_parameters=yarn()), None, 131072),
        (Qwen2Config(max_position_embeddings=131072, rope_parameters=yarn()), None, 131072),
        # Llama 3.1: the scaled length is what the config says.
        (
            LlamaConfig(
                max_position_embeddings=131072,
                rope_parameters={
                    "rope_type": "llama3",
                    "rope_theta": 5e5,
                    "factor": 8.0,
                    "low_freq_factor": 1.0,
                    "high_freq_factor": 4.0,
                    "original_max_position_embeddings": 8192,
                },
            ),
            None,
            131072,
        ),
    ],
)
def test_context_limit(config: object, max_context: int | None, expected: int) -> None:
    assert context_limit(config, max_context) == expected


def test_a_model_without_a_limit_has_none() -> None:
    from transformers import MambaConfig

    assert context_limit(MambaConfig()) is None
    assert context_limit(MambaConfig(), 5000) == 5000
