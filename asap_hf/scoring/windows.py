"""Overlapping windows of a trace that is longer than the model's context, and batches of windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

Indexes = NDArray[np.int64]

# Share of a window that repeats the reasoning before the new tokens. With a quarter, and a question that takes at most
# half, at least a quarter of every window is new, and no token is scored with less than a quarter of a window of
# reasoning before it (but for the reasoning's own beginning).
_OVERLAP = 4
# Share of a batch that may be padding. Traces are sorted by length, so that large sets stay far below it.
_PADDING = 16


@dataclass(frozen=True)
class Window:
    """One sequence for the model and the tokens of it that are to be scored.

    Args:
        trace (`int`):
            Which trace it belongs to.
        ids (`NDArray` of shape `(length,)`):
            Token ids.
        rows (`NDArray` of shape `(wanted,)`):
            Positions whose hidden states predict the wanted tokens: each the one before its token.
        targets (`NDArray` of shape `(wanted,)`):
            Ids of the wanted tokens.
        slots (`slice`):
            Which of the trace's wanted tokens these are.
    """

    trace: int
    ids: Indexes
    rows: Indexes
    targets: Indexes
    slots: slice

    def __len__(self) -> int:
        return len(self.ids)


def context_limit(config: Any, max_context: int | None = None) -> int | None:
    """Most tokens that a model may see at once, or `None` if nothing limits it.

    That is the config's `max_position_embeddings`, but for one case: with YaRN scaling the unscaled number may be left
    there, as Qwen's model cards ask for; then the original length times the factor counts.
    """
    config = config.get_text_config()
    limit = getattr(config, "max_position_embeddings", None)
    rope = rope_parameters(config)
    original, factor = rope.get("original_max_position_embeddings"), rope.get("factor")
    if limit and rope.get("rope_type", rope.get("type")) == "yarn" and original and factor:
        limit = max(limit, int(original * factor))
    return min((one for one in (limit, max_context) if one), default=None)


def rope_parameters(config: Any) -> dict[str, Any]:
    """How the rotary embeddings are scaled; empty if they are not, or differ from layer to layer."""
    return getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}


@dataclass(frozen=True)
class Cut:
    """A trace in windows.

    Args:
        windows (`list[Window]`):
            Those that hold a wanted token; each wanted token is scored in one of them.
        count (`int`):
            How many there are with those that hold none.
        question_cut (`int`):
            Tokens of the question that no window shows.
    """

    windows: list[Window]
    count: int = 1
    question_cut: int = 0


def cut(trace: int, ids: Indexes, start: int, wanted: Indexes, limit: int | None) -> Cut:
    """Cut a trace into as many windows as the model needs to see every wanted token.

    Args:
        trace (`int`):
            Number to give to the windows.
        ids (`NDArray` of shape `(length,)`):
            The whole text: question, then reasoning.
        start (`int`):
            Where the reasoning begins.
        wanted (`NDArray`):
            Ascending positions of the tokens to score, all at `start` or later and above 0.
        limit (`int`, *optional*):
            Most tokens in a window. Every window begins with the question, cut in its middle if it would fill more
            than half of the window.
    """
    if limit is None or len(ids) <= limit:
        return Cut([Window(trace, ids, wanted - 1, ids[wanted], slice(0, len(wanted)))])
    question = _without_middle(ids[:start], limit // 2)
    windows, count, begin, done = [], 0, start, start
    while done < len(ids):
        end = min(begin + limit - len(question), len(ids))
        first, last = np.searchsorted(wanted, (done, end))
        if first < last:
            here = wanted[first:last]
            rows = here - begin + len(question) - 1
            seen = np.concatenate((question, ids[begin:end]))
            windows.append(Window(trace, seen, rows, ids[here], slice(int(first), int(last))))
        count += 1
        begin, done = end - limit // _OVERLAP, end
    return Cut(windows, count, start - len(question))


def _without_middle(ids: Indexes, most: int) -> Indexes:
    """The question's beginning says what is asked and its end how the answer begins; the middle is given up."""
    if len(ids) <= most:
        return ids
    tail = most // 2
    return np.concatenate((ids[: most - tail], ids[len(ids) - tail :]))


def next_batch(windows: Sequence[Window], place: int, max_tokens: int, mixed: bool) -> list[Window]:
    """The windows from `place` on that go through the model together; at least one.

    Args:
        windows (`Sequence[Window]`):
            The longest first, at least nearly.
        place (`int`):
            Where to begin.
        max_tokens (`int`):
            Most tokens, padding counted. A longer window goes alone.
        mixed (`bool`):
            Whether windows of different lengths may share a batch.
    """
    batch = [windows[place]]
    longest, tokens = len(batch[0]), len(batch[0])
    for window in islice(windows, place + 1, None):
        longest, tokens = max(longest, len(window)), tokens + len(window)
        padded = longest * (len(batch) + 1)
        padding = padded - tokens
        if padded > max_tokens or padding * _PADDING > padded or (padding and not mixed):
            break
        batch.append(window)
    return batch
