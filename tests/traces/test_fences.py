"""Fenced blocks are those of CommonMark where fences pair up; where they do not, none swallows the text after it."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from markdown_it import MarkdownIt

from asap_hf.traces.fences import find_blocks

WORDS = "\n\n".join(f"Step {n}: I look at case {n} of the list and see that it holds for it too." for n in range(9))
CODE = "x = sum(a)\nprint(x)"
DOCUMENTED = "def f(a):\n    Return the largest of all the numbers.\n    It is never empty as we know.\n    return a"


def blocks_of(text: str) -> list[tuple[str, str]]:
    return [(block.info, "\n".join(block.content)) for block in find_blocks(text.split("\n"))]


UNPAIRED: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "an end alone": (f"So:\n\n{CODE}\n```\n\n{WORDS}", []),
    "an end of tildes alone": (f"So:\n\n{CODE}\n~~~\n\n{WORDS}", []),
    "two ends": (f"So:\n\n{CODE}\n```\n\n{WORDS}\n\n{CODE}\n```\n\n{WORDS}", []),
    "an end, then pairs": (
        f"{CODE}\n```\n\n{WORDS}\n\n```\n{CODE}\n```\n\n{WORDS}\n\n```\n{CODE}\n```\n\n{WORDS}",
        [("", CODE), ("", CODE)],
    ),
    "a beginning alone": (f"So:\n\n```python\n{CODE}\n\n{WORDS}", []),
    "a beginning alone, no language": (f"So:\n\n```\n{CODE}\n\n{WORDS}", []),
    "two beginnings": (f"```\n{CODE}\n\n{WORDS}\n\n```\n{CODE}\n\n{WORDS}", []),
    "a beginning, then a pair": (
        f"```python\n{CODE}\n\n{WORDS}\n\n```python\n{CODE}\n```\n\n{WORDS}",
        [("python", CODE)],
    ),
    "among words": (f"{WORDS}\n\n```\n\n{WORDS}", []),
    "among words, with a language": (f"{WORDS}\n\n```python\n\n{WORDS}", []),
    "first of all": (f"```\n\n{WORDS}", []),
    "last of all": (f"{WORDS}\n\n```", []),
    "words behind it": (f"``` this is no fence at all but prose\n\n{WORDS}", []),
    "an end on a line of code": (f"```python\n{CODE}```\n\n{WORDS}", [("python", CODE)]),
    "an end with words behind it": (f"```python\n{CODE}\n``` And that is all of it.\n\n{WORDS}", [("python", CODE)]),
    "an end with a special token": (f"```python\n{CODE}\n```<|im_end|>\n\n{WORDS}", [("python", CODE)]),
    "a beginning behind words": (f"Here it is: ```python\n{CODE}\n```\n\n{WORDS}", [("python", CODE)]),
    "cut off in code": (f"{WORDS}\n\n```python\n{CODE}\n\nfor i in", [("python", f"{CODE}\n\nfor i in")]),
    "odd in a docstring": (
        f'```python\ndef f(a):\n    """Use:\n    ```\n    f([1])\n    """\n    return a\n```\n\n{WORDS}',
        [("python", 'def f(a):\n    """Use:\n    ```\n    f([1])\n    """\n    return a')],
    ),
    "odd in a docstring, two columns in": (
        f'```python\ndef f(a):\n  """Use:\n  ```\n  f([1])\n  """\n  return a\n```\n\n{WORDS}',
        [("python", 'def f(a):\n  """Use:\n  ```\n  f([1])\n  """\n  return a')],
    ),
    "within a line": (f"Use ```x``` here.\n\n{WORDS}\n\n```x```\n\n{WORDS}", []),
    "a text of sentences": (f"Statement:\n\n```\n{WORDS}\n```\n\n{WORDS}", [("", WORDS)]),
    "a program that is mostly docstring": (f"```\n{DOCUMENTED}\n```\n\n{WORDS}", [("", DOCUMENTED)]),
}


@pytest.mark.parametrize(("text", "blocks"), UNPAIRED.values(), ids=UNPAIRED)
def test_fences_that_may_not_pair_up(text: str, blocks: list[tuple[str, str]]) -> None:
    assert blocks_of(text) == blocks
    windows = [(info, "\n".join(code.splitlines())) for info, code in blocks_of(text.replace("\n", "\r\n"))]
    assert windows == blocks


PROSE_LINES = ["Some words here.", "I look at the first number of the list.", "- item one", "", "3 4 5", "So n = 5"]
CODE_LINES = ["x = 1", "for i in a:", "    print(i)", "def f(a):", "    return a", "# note", "3 4 5"]


def some_block(choose: random.Random) -> list[str]:
    marks = choose.choice(["```", "```", "~~~", "````"])
    before = choose.choice(["", "", " ", "   ", "- ", "1. ", "> ", "10. ", "> - ", "- - "])
    inside = "".join(sign if sign == ">" else " " for sign in before)
    lines = choose.choices(CODE_LINES, k=choose.randint(1, 6))
    if ">" not in before:
        lines.insert(choose.randint(0, len(lines)), "")
    if marks == "````":
        lines.insert(0, "```")
    opening = before + marks + choose.choice(["", "", "python", "cpp", "text"])
    return [opening, *(inside + line if line else "" for line in lines), inside + marks]


@pytest.mark.parametrize("seed", range(20))
def test_fences_that_pair_up_are_commonmarks(seed: int) -> None:
    choose = random.Random(seed)
    for _ in range(30):
        lines: list[str] = []
        for _ in range(choose.randint(1, 4)):
            lines += [*choose.choices(PROSE_LINES, k=choose.randint(0, 3)), "", *some_block(choose), ""]
        tokens = [one for one in MarkdownIt("commonmark").parse("\n".join(lines)) if one.type == "fence"]
        theirs = [(one.map and tuple(one.map), one.info.strip(), one.content.rstrip("\n")) for one in tokens]
        ours = [((one.start, one.end), one.info, "\n".join(one.content).rstrip("\n")) for one in find_blocks(lines)]
        assert ours == theirs, "\n".join(lines)


HOSTILE = {
    "fences": ["```", ""] * 10_000,
    "languages": ["```python", ""] * 10_000,
    "longer and longer": ["`" * count for count in range(3, 700)],
    "shorter and shorter": ["`" * count for count in range(700, 3, -1)],
    "a quote in each": ["```", '"""'] * 10_000,
    "at line ends": ["x = 1```"] * 10_000,
    "in lists": ["- " * 2000 + "```"] * 20,
    "quotations": ["> " * 2000 + "```"] * 20,
    "indented": [" " * 100_000 + "```"],
    "letters": ["a" * 100_000 + "``` b c"],
}


@pytest.mark.parametrize("lines", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_read_in_the_end(lines: list[str]) -> None:
    blocks = find_blocks(lines)
    assert all(0 <= one.start < one.end <= len(lines) for one in blocks)
    assert all(one.end <= other.start for one, other in pairwise(blocks))
