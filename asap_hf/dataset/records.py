"""Build the rows of a result: the training row, the conversation, and the record of every decision."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..pruners.base import Pruning
from ..traces.rows import Message
from ..traces.sft import render_completion
from ..traces.trace import Trace, encodable

if TYPE_CHECKING:
    from datasets import Features

# Scores that a record holds, one value per step, in nats (perplexity: none); null where a step was not scored.
SCORES = ("first_token_surprisal", "first_token_entropy", "mean_surprisal", "mean_entropy", "perplexity")
# Names that the training config uses itself, or that TRL would take for the text to train on.
_LENGTHS = ("tokens_before", "tokens_after", "tokens_in_all")
RESERVED = {"prompt", "completion", "messages", "text", "ok", "reason", "remark", "row", *_LENGTHS} | {
    "chat_template_kwargs",
    "completion_mask",
    "assistant_masks",
    "images",
    "input_ids",
    "labels",
}


@dataclass(frozen=True)
class Row:
    """One source row during a run: its number, its id columns, and its prompt in three forms: rendered for training,
    as plain text, and as chat messages."""

    number: int
    ids: Mapping[str, Any]
    prompt: str = ""
    question: str = ""
    turns: Sequence[Message] = ()


def id_columns(names: list[str], keep: tuple[str, ...] = ()) -> list[str]:
    """The source's columns that are copied: those that name a row (`id`, `idx`, `uuid`, `…_id`), and those asked for.

    Raises:
        `UsageError`: if a column that is asked for is not there, or its name means something else in the result.
    """
    if taken := RESERVED.intersection(keep):
        raise UsageError(f"the column {sorted(taken)[0]!r} cannot be kept under that name: rename it first")
    if missing := [name for name in keep if name not in names]:
        raise UsageError(f"there is no column {missing[0]!r} to keep; the columns are: {', '.join(names)}")
    telling = {"id", "idx", "index", "uuid"}
    return [
        name
        for name in names
        if name not in RESERVED and (name in keep or name.lower() in telling or name.lower().endswith(("_id", "_idx")))
    ]


@dataclass(frozen=True)
class Tokens:
    """Lengths of one row in tokens of the model to be trained."""

    before: int
    """Of the whole reasoning."""
    after: int
    """Of what is left of it."""
    around: int
    """Of prompt, `</think>`, answer, BOS and EOS."""

    @classmethod
    def of(cls, before: int, after: int, prompt: int, answer: int) -> Tokens:
        """From the lengths of the whole reasoning, of what is left of it, of the prompt, and of `</think>` and answer.
        Two more are counted: BOS, which not every tokenizer adds, and EOS."""
        return cls(before, after, prompt + answer + 2)


def training_row(row: Row, pruning: Pruning, tokens: Tokens) -> dict[str, Any]:
    """What `trl sft` trains on, with small scalar columns."""
    return {
        **row.ids,
        "row": row.number,
        "prompt": row.prompt,
        "completion": render_completion(pruning.trace),
        "tokens_before": tokens.before,
        "tokens_after": tokens.after,
        "tokens_in_all": tokens.after + tokens.around,
        "ok": not pruning.reason,
        "reason": pruning.reason,
        "remark": pruning.remark,
    }


def messages_row(row: Row, pruning: Pruning, tokens: Tokens) -> dict[str, Any]:
    """The same row as a conversation, for models whose chat template keeps an assistant's `<think>` block."""
    content = f"<think>\n{render_completion(pruning.trace)}"
    return {
        **row.ids,
        "row": row.number,
        "messages": [*row.turns, {"role": "assistant", "content": content}],
        "tokens_in_all": tokens.after + tokens.around,
        "ok": not pruning.reason,
    }


def unusable_row(row: Row, completion: str, reason: str) -> dict[str, Any]:
    """A row that no pruner can work on, as it came; half a surrogate pair, which no file takes, is written out."""
    uncounted = dict.fromkeys(_LENGTHS, 0)
    kept = {"prompt": encodable(row.prompt), "completion": encodable(completion)}
    return {**row.ids, "row": row.number, **kept, **uncounted, "ok": False, "reason": reason, "remark": ""}


def step_record(row: Row, pruning: Pruning, tokens: Tokens) -> dict[str, Any]:
    """Every decision about one row that a `Sequential` made, positions always counted in the original's steps."""
    source = pruning.trace.source
    stages = list(pruning.record["stages"])
    first, last = (stages[0], stages[-1]) if stages else ({}, {})
    coarse = _steps_before(source, stages)
    scores = last.get("scores") or {}
    return {
        **row.ids,
        "row": row.number,
        "question": row.question,
        "steps": list(source.steps),
        "answer": source.answer,
        "opening": source.opening,
        "closing": source.closing,
        "splitter": source.splitter,
        "kept": list(pruning.trace.kept),
        "coarse_kept": coarse,
        **{name: _spread(scores.get(name), coarse, len(source.steps)) for name in SCORES},
        "removal_order": [coarse[position] for position in last.get("order", ())],
        "lengths": list(last.get("lengths", ())),
        "budget": int(last.get("budget", 0)),
        "tokens_before": tokens.before,
        "tokens_after": tokens.after,
        "tokens_in_all": tokens.after + tokens.around,
        "anchor": str(first.get("anchor", "")),
        "attempts": int(first.get("attempts", 0)),
        "windows": int(last.get("windows", 0)),
        "stage_reasons": [stage.get("reason", "") for stage in stages],
        "reason": pruning.reason,
        "remark": pruning.remark,
        "record": json.dumps(_remaining(stages), ensure_ascii=False),
    }


def _steps_before(source: Trace, stages: list[Mapping[str, Any]]) -> list[int]:
    """Positions that the last stage was given: what the one before it kept, or everything."""
    return list(stages[-2]["kept"]) if len(stages) > 1 else list(range(len(source.steps)))


def _spread(values: Any, positions: list[int], count: int) -> list[float | None]:
    """Values of the scored steps at their places among all steps; an empty list where there are none."""
    if not values:
        return []
    spread: list[float | None] = [None] * count
    for position, value in zip(positions, values, strict=True):
        spread[position] = value
    return spread


def _remaining(stages: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What a stage recorded beyond the columns above."""
    columns = {"scores", "order", "lengths", "budget", "anchor", "windows", "kept"}
    remaining = [{name: value for name, value in stage.items() if name not in columns} for stage in stages]
    for stage, left in zip(stages, remaining, strict=True):
        if others := {name: values for name, values in (stage.get("scores") or {}).items() if name not in SCORES}:
            left["scores"] = others
    return remaining


def training_features(ids: Mapping[str, Any]) -> Features:
    """Column types of the training config; `ids` are the features of the id columns."""
    from datasets import Features, Value

    return Features(
        {
            **ids,
            "row": Value("int64"),
            "prompt": Value("string"),
            "completion": Value("string"),
            **dict.fromkeys(_LENGTHS, Value("int32")),
            "ok": Value("bool"),
            "reason": Value("string"),
            "remark": Value("string"),
        }
    )


def messages_features(ids: Mapping[str, Any]) -> Features:
    """Column types of the conversational config."""
    from datasets import Features, List, Value

    message = {"role": Value("string"), "content": Value("string")}
    return Features(
        {
            **ids,
            "row": Value("int64"),
            "messages": List(message),
            "tokens_in_all": Value("int32"),
            "ok": Value("bool"),
        }
    )


def step_features(ids: Mapping[str, Any]) -> Features:
    """Column types of the per-step config."""
    from datasets import Features, List, Value

    text, count, positions = Value("string"), Value("int32"), List(Value("int32"))
    return Features(
        {
            **ids,
            "row": Value("int64"),
            **dict.fromkeys(("question",), text),
            "steps": List(text),
            **dict.fromkeys(("answer", "opening", "closing", "splitter"), text),
            **dict.fromkeys(("kept", "coarse_kept"), positions),
            **{name: List(Value("float64")) for name in SCORES},
            **dict.fromkeys(("removal_order", "lengths"), positions),
            **dict.fromkeys(("budget", *_LENGTHS), count),
            "anchor": text,
            **dict.fromkeys(("attempts", "windows"), count),
            "stage_reasons": List(text),
            **dict.fromkeys(("reason", "remark", "record"), text),
        }
    )


def source_trace(record: Mapping[str, Any]) -> Trace:
    """The unpruned trace of a record."""
    return Trace(
        record["question"],
        tuple(record["steps"]),
        record["answer"],
        record["opening"],
        record["closing"],
        record["splitter"],
    )


def tokens_by_stage(record: Mapping[str, Any]) -> dict[str, int]:
    """Tokens of a record's reasoning after each stage: a last stage's own record says what it was given."""
    stages = json.loads(record["record"])
    given = {before["stage"]: stage["tokens_before"] for before, stage in pairwise(stages) if "tokens_before" in stage}
    return given | ({stages[-1]["stage"]: record["tokens_after"]} if stages else {})


def recorded_stages(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The stages of a record as a pruner wrote them: `step_record` undone."""
    stages: list[dict[str, Any]] = json.loads(record["record"])
    coarse = record["coarse_kept"]
    if not stages:
        return []
    stages[-1]["kept"] = list(record["kept"])
    if len(stages) > 1:
        stages[-2]["kept"] = list(coarse)
    if record["anchor"]:
        stages[0]["anchor"] = record["anchor"]
    scores = {name: [record[name][position] for position in coarse] for name in SCORES if record[name]}
    scores |= stages[-1].get("scores", {})
    if scores:
        places = {position: index for index, position in enumerate(coarse)}
        stages[-1] |= {
            "scores": scores,
            "order": [places[position] for position in record["removal_order"]],
            "lengths": list(record["lengths"]),
            "budget": record["budget"],
            "windows": record["windows"],
        }
    return stages
