"""Stuck models are seen; grids, tables, lists and enumerations are not taken for them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from asap_hf.traces.loops import is_looping

TRACES = Path(__file__).resolve().parents[3] / "shared" / "data" / "traces"
REAL = sorted(TRACES.glob("*.jsonl*")) if TRACES.exists() else []

PARAGRAPH = "So the answer for this case would be the sum of both halves, and that is what the example says."


def grid(rows: int, columns: int, cell: str = "0") -> str:
    return "\n".join([" ".join([cell] * columns)] * rows)


STUCK = {
    "paragraph": "\n\n".join([PARAGRAPH] * 30),
    "two paragraphs in turn": "It begins well. "
    + "\n\n".join([PARAGRAPH, "Wait, no. That is wrong, is it not?"] * 30)
    + " And so it ends.",
    "paragraph, and a number that counts": "\n\n".join(
        f"Attempt {number}: {PARAGRAPH} So I have to begin once more." for number in range(10, 30)
    ),
    "word": "Wait. " * 100,
    "short words": "No, no, no. " * 100,
    "word without spaces": "letmethink" * 300,
    "line": "Let me check again.\n" * 25,
    "lines in turn": "Wait.\nNo, that is right.\n" * 20,
    "statement": "x = x + 1\n" * 40,
    "formula": r"So $x = \boxed{5}$. " * 60,
    "sign": "!" * 5000,
    "letter": "a" * 5000,
    "picture": "🤔" * 3000,
    "number": "5," * 3000,
    "column of numbers": "0\n" * 400,
    "Chinese sentence": "让我再想一想。" * 300,
    "Chinese sign": "哈" * 500,
    "Chinese lines": "等等，让我重新考虑。\n\n" * 60,
    "Japanese": "もう一度考えよう。" * 60,
    "Korean": "다시 생각해 보자. " * 60,
    "Thai": "ฉันคิดว่า" * 60,
    "Russian": "Подождите. " * 60,
}

NOT_STUCK = {
    "nothing": "",
    "a few words": "Wait. " * 8,
    "a few paragraphs": "\n\n".join([PARAGRAPH] * 7),
    "grid of zeros": grid(20, 20),
    "large grid of zeros": grid(100, 100),
    "grid of letters": grid(30, 30, "W"),
    "grid of constants": grid(12, 12, "INF"),
    "maze": "\n".join(["#" + "." * 38 + "#"] * 40),
    "chess board": "\n".join(["BWBWBWBW" * 2, "WBWBWBWB" * 2] * 10),
    "matrix": "[[0, 0, 0, 0, 0],\n" + " [0, 0, 0, 0, 0],\n" * 40,
    "table": "| 0 | 1 | 0 |\n" * 60,
    "list of zeros": f"[{', '.join(['0'] * 500)}]",
    "list of constants": f"[{', '.join(['False'] * 200)}]",
    "outputs": "YES\nNO\n" * 60,
    "string of one letter": f"s = '{'a' * 1000}'",
    "string of two letters": f"s = '{'ab' * 500}'",
    "ruler": "-" * 300,
    "sentences that count up": "\n\n".join(f"Step {n}: add {n * n} to the sum and go on." for n in range(300)),
    "cases": "\n\n".join(f"Case {n}: I look at number {n} of the list and see that it holds." for n in range(90)),
    "tests": "\n".join(f"Test {n}: n = {n}, expected {2 * n}, got {2 * n}: passed." for n in range(100)),
    # The same table of a test case after each idea, at other distances.
    "at other distances": " ".join(PARAGRAPH + f" Idea {n}:" * (n**2 % 7) for n in range(40)),
}


@pytest.mark.parametrize("text", STUCK.values(), ids=STUCK)
def test_a_stuck_model_is_seen(text: str) -> None:
    assert is_looping(text)
    assert is_looping(f"First I read the statement.\n\n{text}\n\nSo the answer is 5.")


@pytest.mark.parametrize("text", NOT_STUCK.values(), ids=NOT_STUCK)
def test_values_and_enumerations_are_not_being_stuck(text: str) -> None:
    assert not is_looping(text)
    assert not is_looping(f"First I read the statement.\n\n{text}\n\nSo the answer is 5.")


@pytest.mark.parametrize("unit", ["a", "a b", " ", "\n", "ab\n", "0 "])
def test_a_very_long_text_is_judged_in_the_end(unit: str) -> None:
    assert is_looping(unit * 100_000) is bool(unit.strip())


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.name)
def test_no_real_reasoning_that_was_finished_is_a_loop(path: Path) -> None:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        texts = [
            next(row[name] for name in ("response", "completion", "generation") if name in row)
            for row in map(json.loads, file)
        ]
    finished = [text.partition("</think>")[0] for text in texts if "</think>" in text]
    assert finished
    assert not any(map(is_looping, finished))


def test_a_real_reasoning_that_never_ended_is_one() -> None:
    """`5,5,5,…` over 6,454 characters, until the limit; the wording around it is ours."""
    assert is_looping(f"So the list of the digits would be {'5,' * 3227}")
