"""Where in an answer the program is."""

from __future__ import annotations

import ast
import gc
import gzip
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from asap_hf.benchmarks.extract_code import program_in

TRACES = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "traces"

SOLUTION = "def half(n):\n    return n // 2\n"
USE = "print(half(4))  # 2\n"
TEST = "def test_half():\n    assert half(4) == 2\n"
DRAFT = "n = 1\n"
DOCTEST = ">>> half(4)\n2\n"
VALUE = "[2]\n"
ONE_LINE = "print(sum(map(int, input().split())))\n"
CPP = "int main() {}\n"
METHOD = "class Solution:\n    def half(self, n):\n        return n // 2\n"


def block(code: str, language: str = "python") -> str:
    return f"```{language}\n{code}```"


ANSWERS = {
    "one block": (f"So:\n\n{block(SOLUTION)}\n\nDone.", SOLUTION),
    "nothing after the fence": (block(SOLUTION), SOLUTION),
    "Windows line ends": (block(SOLUTION).replace("\n", "\r\n"), SOLUTION.replace("\n", "\r\n")),
    "two versions: the last": (f"{block(DRAFT)}\nFaster:\n{block(SOLUTION)}", SOLUTION),
    "a call after the function": (f"{block(SOLUTION)}\nFor example:\n{block(USE)}", SOLUTION),
    "a doctest before the function": (f"{block(DOCTEST)}\n{block(SOLUTION)}", SOLUTION),
    "a value after the function": (f"{block(SOLUTION)}\nIt gives\n{block(VALUE)}", SOLUTION),
    "nothing but a call": (block(ONE_LINE), ONE_LINE),
    "output in a block that says nothing": (f"{block(SOLUTION)}\n{block(DRAFT, language='')}", SOLUTION),
    "a block that says nothing": (f"Code:\n{block(SOLUTION, language='')}", SOLUTION),
    "other names for Python": (f"{block(DRAFT, 'py')}\n{block(SOLUTION, 'Python3')}", SOLUTION),
    "words after the language": (f"```python title=half\n{SOLUTION}```", SOLUTION),
    "another language": (block(CPP, "cpp"), None),
    "another language after it": (f"{block(SOLUTION)}\n{block(CPP, 'cpp')}", SOLUTION),
    "tildes around backticks": ("~~~python\ns = '''\n```\n'''\n~~~", "s = '''\n```\n'''\n"),
    "four backticks around three": ("````python\ns = '''\n```\n'''\n````", "s = '''\n```\n'''\n"),
    "in a list item": ("1. So:\n   ```python\n   def f():\n       pass\n   ```", "def f():\n    pass\n"),
    "an empty block": ("```python\n\n```", None),
    "a mistake in the syntax": (block("def f(:\n"), "def f(:\n"),
    "cut off": (f"So:\n```python\n{SOLUTION}    retu", None),
    "never closed, but whole": (f"So:\n```python\n{SOLUTION}print(half(4))\n", f"{SOLUTION}print(half(4))\n"),
    "cut off after a whole one": (f"{block(SOLUTION)}\nFaster:\n```python\ndef half", SOLUTION),
    "code with no fence": (f"import sys\n\n{SOLUTION}", f"import sys\n\n{SOLUTION}"),
    "a sentence": ("The answer is 4.", None),
    "one word, which is Python too": ("Yes", None),
    "a number": ("42", None),
    "nothing": ("", None),
    "a null byte": ("x = 1\0", None),
    "the end tag in the program": (block(f"TAG = '</think>'\n{SOLUTION}"), f"TAG = '</think>'\n{SOLUTION}"),
    "the end tag in bare code": (f"TAG = '</think>'\n{SOLUTION}", f"TAG = '</think>'\n{SOLUTION}"),
    "other tags around the reasoning": (f"<THINK a='b'>\n{block(DRAFT)}\n</Think>\n{block(SOLUTION)}", SOLUTION),
    "a draft in the reasoning": (f"<think>\n{block(DRAFT)}\n</think>\n{block(SOLUTION)}", SOLUTION),
    "only a draft in the reasoning": (f"<think>\n{block(DRAFT)}\n</think>\nSee above.", None),
    "a reasoning that never ends": (f"<think>\n{block(SOLUTION)}", None),
}


@pytest.mark.parametrize(("answer", "program"), ANSWERS.values(), ids=ANSWERS.keys())
def test_the_program_of_an_answer(answer: str, program: str | None) -> None:
    assert program_in(answer) == program


PRINTS = 'def half(n):\n    """Halve it."""\n    return n // 2\n\n\nprint(half(int(input())))\n'
QUOTED = PRINTS.replace('"', "&quot;")
FORMS = {
    "tildes": f"~~~\n{PRINTS}~~~",
    "indented fence": "Code:\n\n" + "".join(f"    {line}\n" for line in block(PRINTS).splitlines()),
    "nested list": "1. First\n   - Code:\n\n" + "".join(f"     {line}\n" for line in block(PRINTS).splitlines()),
    "tabs": "- Code:\n" + "".join(f"\t{line}\n" for line in block(PRINTS).splitlines()),
    "quotation": "".join(f"> {line}\n" for line in block(PRINTS).splitlines()),
    "label before the fence": f"Answer: {block(PRINTS)}",
    "label before bare code": f"**Answer:**\n{PRINTS}\nThat's all, isn't it?",
    "label on the first line": f"Answer: {PRINTS}",
    "words before": f"Here is the function:\n\n{PRINTS}",
    "words after": f"{PRINTS}\nIt halves, doesn't it?",
    "headings": f"## Solution\n\n{PRINTS}\n## Complexity\n\nIt takes no time at all.",
    "fence at its end only": f"{PRINTS}```\n\nIt's what was asked for.",
    "language in its first line": f"python\n{PRINTS}```",
    "language below the fence": f"```\npython\n{PRINTS}```",
    "end on a line of code": f"```python\n{PRINTS.rstrip()}```",
    "end behind bare code": f"{PRINTS.rstrip()}```",
    "end with words": f"```python\n{PRINTS}``` And that is all of it.",
    "beginning on a line of its own, and again": f"```\n{block(PRINTS)}\n```",
    "fence in a docstring": block(PRINTS.replace("Halve it.", "Halve:\n    ```\n    half(4)\n    ```\n    ")),
    "odd fence in a docstring": block(PRINTS.replace("Halve it.", "Halve:\n```\nhalf(4)\n")),
    "special token": f"{block(PRINTS)}<|im_end|>",
    "another special token": f"{block(PRINTS)}</s>",
    "special token after bare code": f"{PRINTS}<｜end▁of▁sentence｜>",
    "channels": f"<|channel|>a<|message|>{block(DRAFT)}<|end|><|channel|>final<|message|>{block(PRINTS)}<|end|>",
    "braces": f"```{{.python .numberLines}}\n{PRINTS}```",
    "file name": f"```solution.py\n{PRINTS}```",
    "language and file name": f"```python:solution.py\n{PRINTS}```",
    "text": f"```text\n{PRINTS}```",
    "byte order mark": f"\ufeff{PRINTS}",
    "no-break spaces": block(PRINTS.replace("    ", "\u00a0" * 4)),
    "answer tags": f"So:\n<answer>\n{PRINTS}</answer>\nDone.",
    "square tags": f"[PYTHON]\n{PRINTS}[/PYTHON]",
    "HTML": f"So:\n<pre><code class='python'>\n{QUOTED}</code></pre>",
    "JSON": json.dumps({"why": "It is halved.", "code": PRINTS}),
    "JSON with a fence": json.dumps({"answer": block(PRINTS)}),
    "LaTeX": f"\\begin{{lstlisting}}[language=Python]\n{PRINTS}\\end{{lstlisting}}",
    "session": "".join(f"{'...' if line[:1] in ' ' else '>>>'} {line}\n" for line in PRINTS.splitlines()) + "2\n",
    "escaped line breaks": PRINTS.replace("\n", "\\n"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("windows", [False, True])
def test_a_program_in_another_form(form: str, windows: bool) -> None:
    answer = FORMS[form].replace("\n", "\r\n") if windows else FORMS[form]
    for entry_point in ("half", None):
        program = program_in(answer, entry_point)
        assert program is not None
        tree = ast.parse(program)
        assert [type(one) for one in tree.body if not _is_string(one)][:2] == [ast.FunctionDef, ast.Expr]
        said: list[int] = []
        exec(compile(tree, "program", "exec"), {"input": lambda: "9", "print": said.append})
        assert said == [4]


def _is_string(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


@pytest.mark.parametrize(
    "answer",
    [
        "I think that n = 5 is the answer.",
        "The answer is\n\nn = 5\n\nand nothing else.",
        "Call `half(4)` and see.",
        "Use `x = 5` here.",
        f"{block(CPP, 'cpp')}\nThat is C++.",
        "for each of the rows:\n    add it up",
        json.dumps({"answer": "It is 5."}),
        "\\boxed{5}",
        "<answer>5</answer>",
        "def half(n):\n    return n //\n",
        f"Sure:\n```python\n{SOLUTION[:-4]}(",
        "class Answer:\n    def half(self, n):\n        return n // 2 +\n",
    ],
)
def test_what_is_no_program_stays_none(answer: str) -> None:
    assert program_in(answer) is None
    assert program_in(answer, "half") is None


LONG = ("def f(", "x = 1\n", "a: ", "```\n", "<code>", '{"a":', "\\boxed{", ">>> x\n", "`x` ")


@pytest.mark.parametrize("part", LONG)
def test_a_very_long_answer_is_read_in_the_end(part: str) -> None:
    assert program_in(part * 5_000, "half") in (None, part * 5_000)


@pytest.mark.parametrize(
    ("answer", "entry_point", "program"),
    [
        (f"{block(SOLUTION)}\nA test:\n{block(TEST)}", "half", SOLUTION),
        (f"{block(SOLUTION)}\nA test:\n{block(TEST)}", "test_half", TEST),
        (f"{block(SOLUTION)}\nA test:\n{block(TEST)}", "third", TEST),
        (f"{block(METHOD)}\nIts use:\n{block(DRAFT)}", "Solution", METHOD),
        (f"{block(DRAFT)}\n{block(SOLUTION)}\nAgain:\n{block(SOLUTION + DRAFT)}", "half", SOLUTION + DRAFT),
    ],
)
def test_the_last_block_that_defines_the_entry_point(answer: str, entry_point: str, program: str) -> None:
    assert program_in(answer, entry_point) == program


@pytest.mark.skipif(not TRACES.exists(), reason="needs the shared traces")
def test_real_answers_give_the_program_that_others_found_in_them() -> None:
    """The 1,002 closed traces of DeepSeek-R1; five answers are cut off and hold no whole program."""
    with gzip.open(TRACES / "codeforces_cots_py.jsonl.gz", "rt") as lines:
        rows = [row for row in map(json.loads, lines) if row["closed"]]
    found = [program_in(row["response"]) for row in rows]
    assert [program is None for program in found] == [not row["final_code"] for row in rows]
    assert found.count(None) == 5
    assert all(
        program.strip() == row["final_code"].strip() for program, row in zip(found, rows, strict=True) if program
    )


@pytest.mark.skipif(not TRACES.exists(), reason="needs the shared traces")
def test_real_answers_that_show_the_use_of_their_function() -> None:
    """In 17 of 115 answers to HumanEval a block shows a value, a call or a test beside the function."""
    with gzip.open(TRACES / "qwen3_thinking_humaneval.jsonl.gz", "rt") as lines:
        rows = [row for row in map(json.loads, lines) if row["closed"]]
    for row in rows:
        name = row["prompt"].rpartition("def ")[2].partition("(")[0]
        assert f"def {name}(" in (program_in(row["response"], name) or ""), row["task_id"]


class _Garbage:
    """What only the collector of garbage finds, in the midst of something else; then other threads go on."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        time.sleep(1e-5)


def test_a_right_program_is_one_while_other_threads_parse() -> None:
    """Before 3.11.9, Python raises SystemError where two threads are in `ast.parse`."""
    program = f"x = {[[list(range(9))] * 5] * 5}\nprint(x)"

    def found(_: int) -> str:
        for _ in range(5):
            _Garbage()
        return program_in(program, None)

    threshold = gc.get_threshold()
    gc.set_threshold(2)
    try:
        with ThreadPoolExecutor(8) as threads:
            assert set(threads.map(found, range(200))) == {program}
    finally:
        gc.set_threshold(*threshold)
