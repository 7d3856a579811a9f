"""Problems in HumanEval's form, written for these tests, and what a model might say to them."""

from __future__ import annotations

import json
from pathlib import Path

from ..llm.scripted_server import Script

# Name, docstring, right body, test.
_PROBLEMS = [
    ("add", "the sum of two numbers", "return a + b", "(a, b)", "assert candidate(1, 2) == 3"),
    ("double", "twice a number", "return 2 * a", "(a)", "assert candidate(4) == 8"),
    (
        "largest",
        "the largest of a list, 0 if it is empty",
        "return max(a, default=0)",
        "(a)",
        "assert candidate([]) == 0",
    ),
    ("backwards", "a text from its end to its beginning", "return a[::-1]", "(a)", "assert candidate('ab') == 'ba'"),
    (
        "vowels",
        "how many vowels are in a text",
        "return sum(c in 'aeiou' for c in a)",
        "(a)",
        "assert candidate('ee') == 2",
    ),
]
NAMES = [name for name, *_ in _PROBLEMS]
BODIES = {name: body for name, _, body, _, _ in _PROBLEMS}
HEADS = {name: f"def {name}{arguments}:\n" for name, _, _, arguments, _ in _PROBLEMS}
REASONING = "I need to think about this.\n\nThe empty case first. Then the others, one after the other."


def rows() -> list[dict[str, str]]:
    return [
        {
            "task_id": f"Small/{number}",
            "prompt": f'{HEADS[name]}    """Return {docstring}."""\n',
            "canonical_solution": f"    {body}\n",
            "test": f"def check(candidate):\n    {test}\n",
            "entry_point": name,
        }
        for number, (name, docstring, body, _, test) in enumerate(_PROBLEMS)
    ]


def write_benchmark(folder: Path) -> Path:
    path = folder / "small.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows()))
    return path


def asked_for(prompt: str) -> str:
    """The function that a prompt asks for."""
    return next(name for name in NAMES if f"def {name}(" in prompt)


def right(name: str) -> str:
    return f"{REASONING}\n</think>\n\nHere it is:\n\n```python\n{HEADS[name]}    {BODIES[name]}\n```\n"


def always_right(prompt: str, before: int) -> Script:
    return Script(right(asked_for(prompt)))


SAID = {
    "add": Script(right("add")),
    "double": Script(right("double").replace("2 * a", "3 * a")),
    "largest": Script(f"{REASONING}\n\n```python\n{HEADS['largest']}    {BODIES['largest']}\n```\n\nWait, " * 40),
    "backwards": Script("```python\ndef backwards(a):\n    return a[::-1]\n```\n\nI am done."),
    "vowels": Script(f"{REASONING}\n</think>\n\nI cannot do that."),
}
STATUSES = {"add": "pass", "double": "fail", "largest": "truncated", "backwards": "no_program", "vowels": "no_program"}


def mixed(prompt: str, before: int) -> Script:
    """Right, wrong, never ending though right within, stopped without closing, and without a program."""
    return SAID[asked_for(prompt)]
