"""A benchmark's problem is found in a question; a phrase that many problems share is not one."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from asap_hf.filters.decontamination import BenchmarkText, Hit, NgramIndex, words_of

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.exists(), reason="needs the shared data")

BELOW_ZERO = BenchmarkText(
    "humaneval",
    "HumanEval/3",
    "You're given a list of deposit and withdrawal operations on a bank account that starts with zero balance. "
    "Your task is to detect if at any point the balance of account falls below zero.",
)
CARDS = BenchmarkText(
    "livecodebench",
    "1873_A",
    "There are three cards with letters $\\texttt{a}$, $\\texttt{b}$, $\\texttt{c}$ placed in a row in some order. "
    "You can do the following operation at most once: pick two cards, and swap them.",
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't add 1, 2 and\n10^5!", ["don", "t", "add", "1", "2", "and", "10", "5"]),
        ("def has_close(numbers: List[float])", ["def", "has", "close", "numbers", "list", "float"]),
        ("$a_i \\leq 3$ — Größe", ["a", "i", "leq", "3", "größe"]),
        ("Gro\u0308ße ﬁve Ｓｕｍ", ["größe", "five", "sum"]),
        ("Дано n чисел", ["дано", "n", "чисел"]),
        ("____ ** \n", []),
    ],
)
def test_words_are_letters_and_digits_of_any_script(text: str, words: list[str]) -> None:
    assert words_of(text) == words


@pytest.mark.parametrize(
    "text",
    [
        BELOW_ZERO.text,
        f"Solve this in Python.\n\n{BELOW_ZERO.text.upper()}\n\nRead the operations from standard input.",
        BELOW_ZERO.text.replace(" ", "\n  # ").replace(".", " ..."),
        BELOW_ZERO.text.split("Your task")[0],
    ],
)
def test_a_problem_in_other_clothes_is_found(text: str) -> None:
    [hit] = NgramIndex([BELOW_ZERO, CARDS]).hits(text)
    assert (hit.benchmark, hit.task_id) == ("humaneval", "HumanEval/3")
    assert hit.ngram == "you re given a list of deposit and withdrawal operations on a bank"


def test_the_share_is_that_of_the_problem_and_the_largest_comes_first() -> None:
    half = " ".join(words_of(BELOW_ZERO.text)[:18])  # 6 of its 23 runs
    hits = NgramIndex([BELOW_ZERO, CARDS]).hits(f"{half}. {CARDS.text} {half}")
    assert [(hit.task_id, hit.share) for hit in hits] == [("1873_A", 1.0), ("HumanEval/3", 6 / 23)]


def test_one_shared_run_is_a_hit_only_if_that_is_asked_for() -> None:
    """The evidence is the first run; 13 words of 150 are 1 run of 138."""
    words = [f"word{number}" for number in range(150)]
    problem, text = BenchmarkText("own", "1", " ".join(words)), f"now {' '.join(words[40:53])} then"
    assert NgramIndex([problem]).hits(text) == []
    assert NgramIndex([problem], min_share=0.0).hits(text) == [Hit("own", "1", " ".join(words[40:53]), 1 / 138)]
    assert NgramIndex([problem], min_share=0.0).hits(f"now {' '.join(words[40:52])} then") == []
    assert len(NgramIndex([problem], n=8, min_share=0.0).hits(f"now {' '.join(words[40:52])} then")) == 1


@pytest.mark.parametrize(
    ("problem", "text", "found"),
    [
        (
            "Return the greatest common divisor of a and b",
            "Please return the greatest common divisor of a and b!",
            True,
        ),
        ("Return the greatest common divisor of a and b", "Return the greatest common divisor of b and a", False),
        ("Return the sum of a and b", "Return the sum of a and b", False),
        ("", "Return the sum of a and b", False),
        ("Return the greatest common divisor of a and b", "", False),
    ],
)
def test_a_short_problem_is_matched_whole_or_not_at_all(problem: str, text: str, found: bool) -> None:
    assert bool(NgramIndex([BenchmarkText("own", "1", problem)]).hits(text)) is found


def test_what_the_problems_of_a_benchmark_have_in_common_is_no_problem() -> None:
    """With ten problems a frame may still be a text that ten of them quote; with eleven it is the benchmark's form."""
    frame = (
        "You are an expert programmer. You will be given a question and write a correct program that passes all tests."
    )
    tasks = [f"{frame} Count the {one} in the list." for one in "abcdefghijk"]

    def found(count: int) -> int:
        problems = [BenchmarkText("own", str(number), text) for number, text in enumerate(tasks[:count])]
        return len(NgramIndex(problems).hits(f"{frame} Sort the numbers."))

    assert found(10) == 10
    assert found(11) == 0
    other = [BenchmarkText("other", "1", frame)]
    eleven = [BenchmarkText("own", str(number), text) for number, text in enumerate(tasks)]
    assert [hit.benchmark for hit in NgramIndex(eleven + other).hits(frame)] == ["other"]


@pytest.mark.parametrize(("n", "min_share"), [(7, 0.1), (13, -0.1), (13, 1.1)])
def test_numbers_out_of_bounds_are_refused(n: int, min_share: float) -> None:
    with pytest.raises(ValueError, match="n is 8 or more"):
        NgramIndex([], n, min_share)


def test_every_process_finds_the_same() -> None:
    code = (
        "from asap_hf.filters.decontamination import *\n"
        f"problems = [{BELOW_ZERO!r}, {CARDS!r}, *(BenchmarkText(name, '1', {CARDS.text!r}) for name in 'ab')]\n"
        f"print(NgramIndex(problems).hits({(CARDS.text + BELOW_ZERO.text)!r}))"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True)
        for seed in ("1", "2")
    ]
    assert runs[0].stdout == runs[1].stdout != ""
    assert re.findall("benchmark='(.*?)'", runs[0].stdout) == ["livecodebench", "a", "b", "humaneval"]


def rows(name: str) -> list[dict[str, Any]]:
    with gzip.open(DATA / name, "rt") as lines:
        return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def benchmarks() -> dict[str, list[BenchmarkText]]:
    leetcode = rows("leetcode/LeetCodeDataset-v0.3.1-test.jsonl.gz")
    livecodebench = rows("livecodebench/lcb_release_v6_public.jsonl.gz")
    return {
        "humaneval": [
            BenchmarkText("humaneval", row["task_id"], row["prompt"]) for row in rows("humaneval/HumanEval.jsonl.gz")
        ],
        "leetcode": [BenchmarkText("leetcode", row["task_id"], row["problem_description"]) for row in leetcode],
        "livecodebench": [
            BenchmarkText(
                "livecodebench", re.sub("[^a-z0-9]+", "-", row["question_title"].lower()), row["question_content"]
            )
            for row in livecodebench
        ],
    }


@pytest.fixture(scope="module")
def codeforces() -> list[str]:
    """433 questions, none of which is in the benchmarks: those that share a run of 13 words were read."""
    statements = [row["statement"] for row in rows("traces/codeforces_cots_py.jsonl.gz") if row["statement"]]
    return statements + [row["prompt"] for row in rows("traces/codeforces_cots_prompt_response.jsonl.gz")]


@needs_data
@pytest.mark.parametrize(("n", "sharing", "most"), [(13, 18, 0.032), (8, 132, 0.087)])
def test_no_real_question_is_taken_for_a_problem(
    benchmarks: dict[str, list[BenchmarkText]], codeforces: list[str], n: int, sharing: int, most: float
) -> None:
    """By the rule of one shared run 18 of the 433 would leave, all of them wrongly; 132 with runs of 8 words."""
    index = NgramIndex([problem for problems in benchmarks.values() for problem in problems], n, min_share=0.0)
    hits = [found for text in codeforces if (found := index.hits(text))]
    assert len(hits) == sharing
    assert round(max(found[0].share for found in hits), 3) == most


@needs_data
@pytest.mark.parametrize(("n", "least"), [(13, 0.48), (8, 0.59)])
def test_every_real_problem_is_found_in_the_wording_of_another_benchmark(
    benchmarks: dict[str, list[BenchmarkText]], n: int, least: float
) -> None:
    """LiveCodeBench took 158 of LeetCodeDataset's test problems from the same site, with its own mark-up."""
    index = NgramIndex(benchmarks["livecodebench"], n)
    names = {problem.task_id for problem in benchmarks["livecodebench"]}
    common = [problem for problem in benchmarks["leetcode"] if problem.task_id in names]
    shares = [
        next(hit.share for hit in index.hits(problem.text) if hit.task_id == problem.task_id) for problem in common
    ]
    assert len(shares) == 158
    assert min(shares) > least


@needs_data
def test_real_prompts_around_humaneval_problems_are_found(benchmarks: dict[str, list[BenchmarkText]]) -> None:
    index = NgramIndex(benchmarks["humaneval"])
    for row in rows("traces/qwen3_thinking_humaneval.jsonl.gz"):
        assert row["task_id"] in [hit.task_id for hit in index.hits(row["prompt"]) if hit.share == 1.0]


@needs_data
def test_a_description_without_its_examples_is_found(benchmarks: dict[str, list[BenchmarkText]]) -> None:
    """What is missed are descriptions of a line or two."""
    ends = re.compile(r"\n\s*(?:Input\b|Example 1|Constraints|Sample Input)")
    docstring = re.compile(r"(\"\"\"|''')(?P<text>.*?)\1", re.DOTALL)
    examples = re.compile(r"\n\s*(?:>>>|for example|example)", re.IGNORECASE)
    missed = {}
    for name, problems in benchmarks.items():
        index = NgramIndex(problems)
        missed[name] = 0
        for problem in problems:
            described = ends.split(problem.text)[0]
            if name == "humaneval":
                described = examples.split(list(docstring.finditer(problem.text))[-1]["text"])[0]
            missed[name] += problem.task_id not in [hit.task_id for hit in index.hits(described)]
    assert missed == {"humaneval": 32, "leetcode": 0, "livecodebench": 11}


@needs_data
def test_the_frame_of_a_real_benchmark_is_no_problem(codeforces: list[str]) -> None:
    """LeetCodeDataset puts each problem into a frame, which its training split and others share."""
    problems = rows("leetcode/LeetCodeDataset-v0.3.1-test.jsonl.gz")
    index = NgramIndex([BenchmarkText("leetcode", row["task_id"], row["query"]) for row in problems])
    framed = problems[0]["query"].replace(problems[0]["problem_description"].strip(), codeforces[0])
    assert codeforces[0] in framed
    assert index.hits(framed) == []
