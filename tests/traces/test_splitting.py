from __future__ import annotations

import runpy
from itertools import accumulate
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asap_hf.traces.splitting import SPLITTERS, split_code, split_paper, split_steps
from tests.draft_programs import PROGRAMS

BENCH = runpy.run_path(str(Path(__file__).resolve().parents[2] / "bench" / "split.py"))
needs_traces = pytest.mark.skipif(not BENCH["REAL"].exists(), reason="needs the shared traces")

WORDS = """
x = 1
i += 1
for i in a:
else:
print(x)
n = 5
Wait, no.
So:
é → 中
```
```py
~~~~
""".strip().splitlines()
MARKS = ("\n", "\n\n", "\r\n", "\r\n\r\n", "\n \t\n", "\t", "    ", "- ", "1. ", "> ", "# ", "'", "(", "}", "{")
PIECES = st.one_of(st.sampled_from(WORDS), st.sampled_from(MARKS), st.text(max_size=3))
TEXTS = st.lists(PIECES, max_size=40).map("".join)


def apart(text: str) -> str:
    """`text` as R1 writes programs: a blank line between any two lines."""
    return "\n\n".join(dedent(text).strip("\n").splitlines())


@pytest.mark.parametrize("splitter", SPLITTERS)
@settings(deadline=None)
@given(text=TEXTS)
def test_joining_every_step_gives_the_text_back(splitter: str, text: str) -> None:
    steps = split_steps(text, splitter)
    assert "".join(steps) == text
    assert "" not in steps


@settings(deadline=None)
@given(text=TEXTS)
def test_code_cuts_only_where_paper_cuts(text: str) -> None:
    assert set(accumulate(map(len, split_code(text)))) <= set(accumulate(map(len, split_paper(text))))


@settings(deadline=None)
@given(text=TEXTS.filter(str.strip))
def test_blank_lines_belong_to_the_step_before(text: str) -> None:
    for step in split_code(text)[1:]:
        assert step.split("\n")[0].strip()


def test_paper_cuts_at_blank_lines_only() -> None:
    assert split_paper("one\ntwo\n\n \nthree\r\n\r\n    x = 1") == ("one\ntwo\n\n \n", "three\r\n\r\n", "    x = 1")


def test_an_unknown_splitter_is_named() -> None:
    with pytest.raises(ValueError, match="no splitter 'lines'; there are paper, code"):
        split_steps("text", "lines")


@pytest.mark.parametrize("splitter", SPLITTERS)
def test_no_text_has_no_steps(splitter: str) -> None:
    assert split_steps("", splitter) == ()


PROGRAM = apart("""
    import sys
    n = int(input())
    best = 0
    for i in range(n):
        # odd rows count twice
        if i % 2:
            best += 2
        else:
            best += 1
    print(best)
""")


@pytest.mark.parametrize("line_break", ["\n", "\r\n"])
def test_a_program_written_line_by_line_is_one_step(line_break: str) -> None:
    text = f"So the code is:\n\n{PROGRAM}\n\nYes, that works.".replace("\n", line_break)
    before, program, after = split_code(text)
    assert before.strip() == "So the code is:"
    assert program == f"{PROGRAM}\n\n".replace("\n", line_break)
    assert after == "Yes, that works."


def test_tabs_indent_too() -> None:
    text = PROGRAM.replace("    ", "\t")
    assert split_code(f"{text}\n\nDone.") == (f"{text}\n\n", "Done.")


@pytest.mark.parametrize(
    "prose", ["Wait, but what if n is 0?", "Yes.", "Then:", "k=1: '201020' → ends with 0", "1. Read n", "3 4"]
)
def test_prose_between_two_runs_cuts_them(prose: str) -> None:
    assert split_code(f"{PROGRAM}\n\n{prose}\n\n{PROGRAM}") == (f"{PROGRAM}\n\n", f"{prose}\n\n", PROGRAM)


def test_several_lines_to_a_paragraph_join_as_well() -> None:
    text = "n = int(input())\nrows = []\n\nfor _ in range(n):\n    rows.append(input())\n\nprint(len(rows))\n\nFine."
    assert len(split_code(text)) == 2


def test_a_paragraph_that_ends_in_prose_ends_the_run() -> None:
    steps = split_code("i += 1\n\nj += 1\nThat is the loop.\n\nprint(i)")
    assert [step.strip() for step in steps] == ["i += 1\n\nj += 1\nThat is the loop.", "print(i)"]


def test_a_doubtful_line_follows_its_neighbours() -> None:
    assert len(split_code("count = 0\n\nfor x in a:\n\n    count += x\n\nlimit = 5\n\nprint(count)")) == 1
    assert len(split_code("Sample 1:\n\nn = 5\n\na = [1, 2, 3]\n\nSo the sum is 6.")) == 4


def test_other_languages_join() -> None:
    program = apart("""
        #include <iostream>
        using namespace std;
        int main() {
            int n; cin >> n;
            for (int i = 0; i < n; i++) {
                cout << i << endl;
            }
            return 0;
        }
    """)
    assert split_code(f"In C++:\n\n{program}\n\nDone.") == ("In C++:\n\n", f"{program}\n\n", "Done.")


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("line_by_line", [True, False])
def test_a_program_in_any_language_is_one_step(name: str, line_by_line: bool) -> None:
    program = apart(PROGRAMS[name]) if line_by_line else PROGRAMS[name].strip().replace("\n}\n", "\n}\n\n")
    program = "\n".join(line for line in program.split("\n")).replace("\n\n\n", "\n\n")
    steps = split_code(f"I read n.\n\nLet me write it down.\n\n{program}\n\nThat looks right.\n\nSo I am done.")
    assert steps[2].strip() == program.strip()
    assert len(steps) == 5


def test_a_docstring_belongs_to_its_program() -> None:
    program = apart("""
        def solve(a):
            '''
            Return the largest number.
            1. It is never empty.
            ```
            solve([1, 2])
            ```
            '''
            return max(a)
    """)
    assert split_code(f"{program}\n\nThat is it.") == (f"{program}\n\n", "That is it.")


@pytest.mark.parametrize(
    "draft",
    [
        "x = sum(a)\n```",
        "```python\nx = sum(a)\nprint(x)```",
        "```\nx = sum(a)\nprint(x)",
        "```python\n\nx = sum(a)\n\nprint(x)",
        '```python\ndef f(a):\n    """Use:\n    ```\n    f([1])\n    """\n    return sum(a)\n```',
        "x = sum(a)\n~~~",
        "```",
        "x = 1\n```\n\ny = 2\n```\n\nz = 3\n```",
    ],
)
def test_a_stray_fence_leaves_what_follows_apart(draft: str) -> None:
    words = [f"Case {number}: I look at number {number} and see that it holds for it too." for number in range(20)]
    steps = split_code("\n\n".join([f"I start.\n\n{draft}", *words]))
    assert [step.strip() for step in steps[-20:]] == words


def test_a_block_announced_in_words_keeps_its_header() -> None:
    block = apart("""
        For each num in a:
           total = {}
           for x in dp:
              total[x ^ num] = dp[x]
    """)
    assert split_code(f"Read n.\n\n{block}\n\nThen print it.") == ("Read n.\n\n", f"{block}\n\n", "Then print it.")


@pytest.mark.parametrize(
    "lines",
    [
        ["For i=2:", "   2%2=0 → yes.", "   2%3=2 → no.", "So the count is 1."],
        ["Sample 2:", "n=4", "a = [2, 3, 4, 1]", "i=0: j=2, inverse[2] = 1.", "i=1: j=3, inverse[3] = 2."],
        ["a = 3, b = 4 → sum 7", "x = 3 → YES", "f(x) = x + 1", "gcd(4, 6) = 2", "s = 3 + 4 = 7"],
        ["Read n.", "Read the list a.", "Set count to 0.", "For each x in a, add 1.", "Print count."],
        ["1. Read n", "2. i += 1", "- x = max(a, b)", "* print(x)"],
    ],
)
def test_examples_formulas_and_lists_are_not_joined(lines: list[str]) -> None:
    assert split_code("\n\n".join(lines)) == split_paper("\n\n".join(lines))


@pytest.mark.parametrize(
    "fence",
    [
        "```python\nx = 1\n\nThis is inside.\n\ny = 2\n```",
        "~~~\none\n\n```\n\ntwo\n~~~~",
        "````md\n```\n\nno end yet\n\n```\n````",
        "   ```\n   one\n\n   two\n   ```",
        "- ```\n  one\n\n  two\n  ```",
        "> ```\n> one\n\n> two\n> ```",
        "```text\r\none\r\n\r\ntwo\r\n```",
    ],
)
def test_a_fenced_block_is_one_step(fence: str) -> None:
    steps = split_code(f"Here it is:\n\n{fence}\n\nAnd that was it.\n\nBye.")
    assert steps == ("Here it is:\n\n", f"{fence}\n\n", "And that was it.\n\n", "Bye.")


def test_a_fence_inside_a_list_leaves_the_items_apart() -> None:
    steps = split_code("1. Do this:\n\n   ```\n   one\n\n   two\n   ```\n\n2. And this.")
    assert [step.strip() for step in steps] == ["1. Do this:", "```\n   one\n\n   two\n   ```", "2. And this."]


def test_words_in_the_paragraph_of_a_fence_stay_with_it() -> None:
    assert split_code("Here:\n```\na\n\nb\n```\nThere.\n\nBye.") == ("Here:\n```\na\n\nb\n```\nThere.\n\n", "Bye.")


def test_a_fence_that_was_cut_off_reaches_to_the_end_of_its_program() -> None:
    assert split_code("Here:\n\n```\nx = 1\n\n3 4\n\nfor i in") == ("Here:\n\n", "```\nx = 1\n\n3 4\n\nfor i in")


def test_two_fences_and_code_next_to_them_are_separate_steps() -> None:
    assert len(split_code("```\na\n\nb\n```\n\n```\nc\n```\n\nx += 1\n\nprint(x)")) == 3


def test_backticks_within_a_line_open_no_fence() -> None:
    assert len(split_code("```x``` is code.\n\nOne.\n\nTwo.")) == 3


ADVERSARIAL = {
    "spaces": " " * 300_000,
    "indented": "x = 1\n\n" + " " * 300_000 + "y",
    "brackets": "(" * 300_000,
    "closers": "}" * 150_000 + "]" * 150_000 + "x",
    "quotes": "'\\" * 150_000,
    "headers": "if a:" * 60_000,
    "assignments": "a=" * 150_000 + "b",
    "statements": "a=1;" * 75_000,
    "backticks": "`" * 300_000 + "x",
    "fences": "```\n\n" * 60_000,
    "numbers": "1.1e" * 75_000,
    "one line each": "x = y + 1\n\n" * 27_000,
    "returns": "\r" * 300_000,
    "blank lines": "\n \t" * 100_000,
    "words": "x = " + "a " * 150_000 + ".",
}


@pytest.mark.parametrize("splitter", SPLITTERS)
@pytest.mark.parametrize("name", ADVERSARIAL)
def test_hostile_text_is_cut_in_the_end(name: str, splitter: str) -> None:
    assert "".join(split_steps(ADVERSARIAL[name], splitter)) == ADVERSARIAL[name]


@needs_traces
def test_real_traces_are_cut_without_loss() -> None:
    texts = BENCH["read_reasonings"](BENCH["REAL"]).values()
    assert len(texts) > 1000
    for text in texts:
        for splitter in SPLITTERS:
            steps = split_steps(text, splitter)
            assert "".join(steps) == text
            assert all(step.strip() for step in steps)


# Measured 1.000/1.000, 0.993/0.993, 1.000/0.994; two or three boundaries more may go wrong.
@needs_traces
@pytest.mark.parametrize(("part", "least"), [("dev", 0.98), ("test", 0.975), ("fresh", 0.975)])
def test_labelled_boundaries_of_real_traces(part: str, least: float) -> None:
    reasonings = BENCH["read_reasonings"](BENCH["REAL"])
    precision, recall, _ = BENCH["score"](BENCH["read_labels"]()[part], reasonings, split_code)
    assert precision >= least
    assert recall >= least


def test_labels_are_numbers_only_and_none_is_given_twice() -> None:
    labels = [label for labels in BENCH["read_labels"]().values() for label in labels]
    assert len({label[:2] for label in labels}) == len(labels) == 1560
    assert {type(value) for label in labels for value in label} == {int, bool}
