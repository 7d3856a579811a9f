"""Tests the metric `pass_at_1`: the estimator against its definition, and real programs through `evaluate`."""

from __future__ import annotations

import gzip
import json
from functools import partial
from itertools import combinations
from statistics import fmean
from typing import Any

import evaluate
import pytest

from evaluation.pass_at_1 import host_pass_at_k
from evaluation.pass_at_1.host_grader import NoJailError
from evaluation.pass_at_1.host_pass_at_k import pass_at_k
from tests.publishing import ROOT

ENTRY = str(ROOT / "evaluation" / "pass_at_1")
HUMANEVAL = ROOT.parent / "shared" / "data" / "humaneval" / "HumanEval.jsonl.gz"


def load(config: str = "default") -> Any:
    return evaluate.load(ENTRY, config)


def statuses(found: dict[str, Any]) -> list[list[str]]:
    return [[result["status"] for _, result in results] for results in found["results"].values()]


@pytest.mark.parametrize("samples", range(1, 9))
def test_pass_at_k_is_the_share_of_the_draws_with_a_right_one(samples: int) -> None:
    for correct in range(samples + 1):
        for k in range(1, samples + 1):
            draws = [any(one < correct for one in draw) for draw in combinations(range(samples), k)]
            assert pass_at_k(correct, samples, k) == pytest.approx(fmean(draws), abs=1e-14), (correct, k)


@pytest.mark.parametrize(
    ("correct", "samples", "k", "expected"),
    [
        (0, 200, 100, 0.0),
        (200, 200, 1, 1.0),
        (1, 200, 200, 1.0),
        (1, 200, 100, 0.5),
        (5, 20, 10, 1 - 3003 / 184756),  # C(15, 10) / C(20, 10)
        (1, 10**6, 1, 1e-6),
    ],
)
def test_pass_at_k_of_many_samples(correct: int, samples: int, k: int, expected: float) -> None:
    assert pass_at_k(correct, samples, k) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("correct", "samples", "k"), [(-1, 2, 1), (3, 2, 1), (1, 2, 3), (1, 2, 0), (0, 0, 1)])
def test_pass_at_k_refuses_what_cannot_be(correct: int, samples: int, k: int) -> None:
    with pytest.raises(ValueError, match="cannot be correct|needs k"):
        pass_at_k(correct, samples, k)


RIGHT, WRONG = "def f(x): return x + 1", "def f(x): return x"
TEST = "assert f(1) == 2\nassert f(-1) == 0"


def test_it_is_the_mean_over_problems_with_other_numbers_of_samples() -> None:
    found = load().compute(predictions=[[RIGHT, WRONG], [WRONG] * 3, [RIGHT] * 2], references=[TEST] * 3, k=[1, 2])
    assert found.keys() == {"pass@1", "pass@2", "results"}
    assert found["pass@1"] == pytest.approx((0.5 + 0 + 1) / 3)
    assert found["pass@2"] == pytest.approx((1 + 0 + 1) / 3)
    assert statuses(found) == [["pass", "fail"], ["fail"] * 3, ["pass"] * 2]


def test_the_results_are_as_those_of_code_eval() -> None:
    results = load().compute(predictions=[[RIGHT], [RIGHT, "def f(x): 1 / 0"]], references=[TEST, TEST])["results"]
    number, result = results[1][1]
    assert number == 1
    assert result.pop("cpu_seconds") > 0
    assert result == {
        "task_id": 1,
        "completion_id": 1,
        "passed": False,
        "status": "error",
        "detail": "ZeroDivisionError: division by zero",
    }
    assert results[0][0][1]["passed"] is True


FORMS: list[tuple[str, Any, dict[str, str]]] = [
    (
        "default",
        "counter = Counter(2)\ncounter.more()\nassert counter.count == 3",
        {
            "class Counter:\n def __init__(self, n): self.count = n\n def more(self): self.count += 1": "pass",
            "class Counter:\n def __init__(self, n): self.count = n\n def more(self): pass": "fail",
            "class Counter": "error",
            "import sys\nsys.exit(0)": "error",
        },
    ),
    (
        "stdin",
        [{"input": "2 3\n", "output": "5\n"}, {"input": "1 -1\n", "output": "0\n"}],
        {
            "print(sum(map(int, input().split())))": "pass",
            "print(5)": "fail",
            "print(int(input()))": "error",
        },
    ),
    (
        "call",
        {
            "function": "join",
            "tests": [
                {"input": '["a", "b"]\n"\u2028"', "output": '"a\u2028b"'},
                {"input": '[]\n"-"', "output": '""'},
            ],
        },
        {
            "def join(words, glue): return glue.join(words)": "pass",
            "class Solution:\n def join(self, words, glue): return glue.join(words)": "pass",
            "def join(words, glue): return words[0] + glue + words[1]": "error",
            "def join(words, glue): return ''": "fail",
        },
    ),
]


@pytest.mark.parametrize(("config", "reference", "programs"), FORMS)
def test_each_form_of_a_reference_is_graded(config: str, reference: Any, programs: dict[str, str]) -> None:
    found = load(config).compute(predictions=[list(programs)], references=[reference], k=1)
    assert statuses(found) == [list(programs.values())]


def test_the_limit_is_processor_time_and_in_stdin_that_of_each_test() -> None:
    """Two tests of 0.3 s each are within a limit of 0.5 s; one of 9 s is not."""
    busy = "import time\nwhile time.process_time() < {}: pass\nprint(1)"
    tests = [{"input": "", "output": "1"}] * 2
    found = load("stdin").compute(predictions=[[busy.format(0.3), busy.format(9)]], references=[tests], timeout=0.5)
    assert statuses(found) == [["pass", "timeout"]]


def test_a_program_cannot_report_its_own_success() -> None:
    always = "class Equal:\n def __eq__(self, other): return True\ndef f(x): return Equal()"
    found = load().compute(predictions=[[always, "import os\nos._exit(0)"]], references=[TEST])
    assert found["pass@1"] == 0.0


BAD: list[tuple[str, dict[str, Any], type[Exception], str]] = [
    ("default", {"predictions": [], "references": []}, ValueError, "nothing to grade"),
    ("default", {"predictions": [[RIGHT]], "references": [TEST], "k": [1, 2]}, ValueError, r"pass@2 .* 1 programs"),
    (
        "default",
        {"predictions": [[RIGHT], []], "references": [TEST] * 2},
        ValueError,
        r"0 programs in predictions\[1\]",
    ),
    ("default", {"predictions": [[RIGHT]], "references": [TEST], "k": 0}, ValueError, "pass@0"),
    ("default", {"predictions": [RIGHT], "references": [TEST]}, ValueError, "expected a list"),
    ("default", {"predictions": [[RIGHT]], "references": [""]}, RuntimeError, r"predictions\[0\]\[0\] has no verdict"),
    ("default", {"predictions": [[RIGHT]] * 2, "references": [TEST, "assert True"]}, RuntimeError, r"\[1\]\[0\]"),
    ("default", {"predictions": [[RIGHT]], "references": [TEST], "num_workers": 0}, ValueError, "needs a worker"),
    ("default", {"predictions": [[RIGHT]], "references": [TEST], "timeout": 0}, ValueError, "above 0; got 0"),
    ("default", {"predictions": [[RIGHT]], "references": [TEST], "timeout": float("nan")}, ValueError, "got nan"),
    ("stdin", {"predictions": [["print(1)"]], "references": [[]]}, RuntimeError, "the task has no tests"),
    (
        "call",
        {"predictions": [[RIGHT]], "references": [{"function": "f", "tests": [{"input": "1", "output": "two"}]}]},
        ValueError,
        "'two' is not",
    ),
]


@pytest.mark.parametrize(("config", "given", "error", "said"), BAD)
def test_it_refuses(config: str, given: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        load(config).compute(**given)


def test_an_unknown_config_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="default, stdin, call; got 'stdio'"):
        load("stdio")


def test_without_a_jail_nothing_runs_unless_that_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_ALLOW_CODE_EVAL", raising=False)
    metric = load()
    used = metric._compute.__globals__["verdicts_of"].__globals__
    assert used is not vars(host_pass_at_k)  # the copy that `evaluate` made
    monkeypatch.setitem(used, "Grader", partial(used["Grader"], tiers=()))
    given = {"predictions": [[RIGHT, WRONG]], "references": [TEST]}
    with pytest.raises(RuntimeError, match="no jail") as error:
        metric.compute(**given)
    assert type(error.value).__name__ == NoJailError.__name__
    assert metric.compute(**given, allow_unsafe=True)["pass@1"] == 0.5
    monkeypatch.setenv("HF_ALLOW_CODE_EVAL", "1")
    assert metric.compute(**given)["pass@1"] == 0.5


@pytest.mark.skipif(not HUMANEVAL.exists(), reason="the benchmark's data is not at hand")
def test_humaneval_in_the_form_of_code_eval() -> None:
    with gzip.open(HUMANEVAL, "rt") as lines:
        rows = [json.loads(line) for line in lines]
    rows = rows[::4] + [rows[number] for number in (33, 38, 50)]  # the latter need what their prompts define
    predictions = [[row["prompt"] + row["canonical_solution"], row["prompt"] + "    pass\n"] for row in rows]
    references = [f"{row['test']}\ncheck({row['entry_point']})" for row in rows]
    found = load().compute(predictions=predictions, references=references, k=[1, 2])
    assert (found["pass@1"], found["pass@2"]) == (0.5, 1.0)
