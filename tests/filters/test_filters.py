"""Rows that are a benchmark's problem, or whose answer fails its own samples, leave with a reason."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from asap_hf.errors import UsageError
from asap_hf.filters.filters import Decontamination, Filter, Finding, SampleTests
from asap_hf.traces.rows import Columns, trace_of
from asap_hf.traces.trace import Trace

TRACES = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "traces"

PROBLEM = "Detect if at any point the balance of the bank account falls below zero, and return True in that case."


@pytest.fixture
def benchmark(tmp_path: Path) -> str:
    (tmp_path / "bank.jsonl").write_text(json.dumps({"task_id": "bank/3", "prompt": PROBLEM}))
    return str(tmp_path / "bank.jsonl")


def test_a_question_of_a_benchmark_leaves(benchmark: str) -> None:
    """The reasoning and the answer are not looked at: what a model may not see is the problem."""
    traces = [
        Trace("Sum two numbers.", (PROBLEM,), PROBLEM),
        Trace(f"Write Python.\n\n{PROBLEM.upper()}", ("Hm.",), "x"),
    ]
    decontamination = Decontamination((benchmark,))
    assert decontamination.judge([{}, {}], traces) == [
        None,
        Finding(
            "bank",
            "bank/3: 100% of its 13-grams, the first of them "
            "'detect if at any point the balance of the bank account falls below'",
        ),
    ]
    assert decontamination.unjudged == Counter()
    decontamination.close()


def test_the_settings_name_no_folder(benchmark: str) -> None:
    filter = Decontamination((benchmark, "humaneval"), n=8)
    assert filter.settings() == {
        "decontaminate": "bank.jsonl,humaneval",
        "decontaminate_n": 8,
        "decontaminate_share": 0.1,
    }
    assert SampleTests().settings() == {"sample_tests": True, "sample_tests_cpu_seconds": 6.0}
    assert SampleTests("own").settings()["sample_tests_column"] == "own"


@pytest.mark.parametrize(
    ("sources", "changed", "says"),
    [
        ((), {}, "needs at least one benchmark"),
        (("humaneval",), {"n": 7}, "fewer than 8 words"),
        (("humaneval",), {"min_share": 1.5}, "0 to 1; got 1.5"),
    ],
)
def test_what_cannot_be_compared_is_refused_at_once(sources: tuple[str, ...], changed: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Decontamination(sources, **changed)


def test_an_unknown_benchmark_is_refused_with_what_is_known() -> None:
    with pytest.raises(UsageError, match="no benchmark 'mbpp': give one of humaneval"):
        Decontamination(("mbpp",)).judge([{}], [Trace("q", ("s",), "a")])


def test_filters_are_their_hyperparameters(benchmark: str) -> None:
    filters: list[Filter] = [Decontamination((benchmark,)), SampleTests()]
    assert [one.name for one in filters] == ["decontamination", "sample_tests"]
    assert Decontamination((benchmark,)) == filters[0]
    assert replace(SampleTests(), cpu_seconds=1.0) != filters[1]
    assert len({SampleTests(), SampleTests(), SampleTests("tests")}) == 2


def answer(program: str) -> Trace:
    return Trace("q", ("Hm.",), f"So:\n\n```python\n{program}\n```")


DOUBLE = answer("print(2 * int(input()))")
SAMPLES = [{"input": "1\n", "output": "2\n"}, {"input": "2", "output": "4"}]


@pytest.fixture(scope="module")
def sample_tests() -> Iterator[SampleTests]:
    sample_tests = SampleTests(cpu_seconds=0.5)
    yield sample_tests
    sample_tests.close()


@pytest.mark.parametrize(
    ("trace", "reason"),
    [
        (DOUBLE, None),
        (answer("print(2 * int(input()), end=' \\n\\n')"), None),
        (answer("import sys\nfor line in sys.stdin:\n    print(int(line) + 1)"), "failed"),
        (answer("print('2')"), "failed"),
        (answer("print(2 * int(input()))\n1 / 0"), "error"),
        (answer("print(2 * int(input())"), "error"),
        (answer("while True: pass"), "timeout"),
        (Trace("q", ("Hm.",), "```cpp\nint main() {}\n```"), "no_program"),
        (Trace("q", ("Hm.",), "```python\nprint(2 * int("), "no_program"),
        (Trace("q", ("Hm.",), "The answer is twice the number."), "no_program"),
        (Trace("q", ("Hm.",), "n = int(input())\nprint(2 * n)\n"), None),
    ],
)
def test_an_answer_must_pass_the_samples_of_its_row(
    sample_tests: SampleTests, trace: Trace, reason: str | None
) -> None:
    [finding] = sample_tests.judge([{"examples": SAMPLES}], [trace])
    assert (finding.reason if finding else None) == reason
    assert finding is None or (finding.evidence and "\n" not in finding.evidence)


def test_numbers_may_be_longer_than_python_prints_unasked(sample_tests: SampleTests) -> None:
    digits = "7" * 6000
    row = {"examples": [{"input": f"{digits}\n", "output": f"{digits}0\n"}]}
    right, wrong = answer("print(int(input()) * 10)"), answer("print(int(input()) * 100)")
    findings = sample_tests.judge([row, row], [right, wrong])
    assert [finding.reason if finding else None for finding in findings] == [None, "failed"]


@pytest.mark.parametrize(
    "row",
    [
        {"examples": SAMPLES},
        {"io_examples": SAMPLES},
        {"tests": SAMPLES},
        {"public_tests": {"input": ["1\n", "2"], "output": ["2\n", "4"]}},
        {"examples": [], "io_examples": None, "tests": SAMPLES},
        {"examples": SAMPLES, "tests": [{"input": "1", "output": "not looked at"}]},
        {"examples": SAMPLES, "interaction_format": ""},
    ],
)
def test_where_a_row_keeps_its_samples(sample_tests: SampleTests, row: dict[str, Any]) -> None:
    wrong = answer("print(input())")
    findings = sample_tests.judge([row, row], [DOUBLE, wrong])
    assert [finding.reason if finding else None for finding in findings] == [None, "failed"]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({}, "no_tests"),
        ({"examples": None}, "no_tests"),
        ({"examples": []}, "no_tests"),
        ({"public_tests": {"input": [], "output": []}}, "no_tests"),
        ({"tests": "assert double(1) == 2"}, "no_tests"),
        ({"tests": ["assert double(1) == 2"]}, "no_tests"),
        ({"tests": [{"input": "1", "output": None}]}, "no_tests"),
        ({"examples": SAMPLES, "interaction_format": "Ask the judge."}, "interactive"),
    ],
)
def test_a_row_that_cannot_be_judged_stays_and_is_counted(row: dict[str, Any], why: str) -> None:
    sample_tests = SampleTests()
    assert sample_tests.judge([row, row], [DOUBLE, answer("print('wrong')")]) == [None, None]
    assert sample_tests.unjudged == Counter({why: 2})


def test_what_the_machine_could_not_judge_stays_and_is_counted(
    sample_tests: SampleTests, monkeypatch: pytest.MonkeyPatch
) -> None:
    from asap_hf.evaluation.pass_at_1.host_grader import Grader, Verdict

    infra = Verdict("infra", "no answer", cpu_seconds=0.0, wall_seconds=0.0)
    monkeypatch.setattr(Grader, "grade", lambda grader, tasks: [infra for _ in tasks])
    before = sample_tests.unjudged["infra"]
    assert sample_tests.judge([{"tests": SAMPLES}], [answer("print('wrong')")]) == [None]
    assert sample_tests.unjudged["infra"] == before + 1


def test_only_the_named_column_is_looked_at() -> None:
    wrong = answer("print('wrong')")
    named = SampleTests(column="own")
    [left, stays] = named.judge([{"own": SAMPLES}, {"own": [], "examples": SAMPLES}], [wrong, wrong])
    assert (left and left.reason, stays) == ("failed", None)
    with pytest.raises(UsageError, match="no column 'own' with tests; the columns are: id, examples"):
        named.judge([{"id": 1, "examples": SAMPLES}], [wrong])
    named.close()


def test_a_filter_works_again_after_it_was_closed() -> None:
    sample_tests = SampleTests(workers=1)
    for _ in range(2):
        [finding] = sample_tests.judge([{"tests": SAMPLES}], [answer("print('wrong')")])
        assert finding is not None
        sample_tests.close()
    sample_tests.close()


def test_a_machine_without_a_jail_is_told_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    from asap_hf.evaluation.pass_at_1.host_grader import Grader, NoJailError

    def refuse(grader: Grader) -> Grader:
        raise NoJailError("this machine offers no jail: install bubblewrap")

    monkeypatch.setattr(Grader, "__enter__", refuse)
    with pytest.raises(UsageError, match="the programs in the answers: this machine offers no jail: install bubble"):
        SampleTests().judge([{"tests": SAMPLES}], [DOUBLE])
    assert SampleTests().judge([{}], [DOUBLE]) == [None]


@pytest.mark.parametrize("changed", [{"workers": 0}, {"cpu_seconds": 0.0}])
def test_no_workers_or_no_time_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="sample tests need a worker and processor time"):
        SampleTests(**changed)


def test_the_bundled_samples_pass_their_tests() -> None:
    lines = resources.files("asap_hf.traces.samples").joinpath("traces.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    sample_tests = SampleTests()
    assert sample_tests.judge(rows, [trace_of(row, Columns.recognise(list(row))) for row in rows]) == [None] * 24
    assert sample_tests.unjudged == Counter()
    sample_tests.close()


@pytest.mark.skipif(not TRACES.exists(), reason="needs the shared traces")
def test_real_answers_that_fail_are_wrong() -> None:
    """78 closed traces carry samples; each of the five that leave was looked at, and its program is wrong."""
    with gzip.open(TRACES / "codeforces_cots_py.jsonl.gz", "rt") as lines:
        rows = [row for row in map(json.loads, lines) if row["closed"] and row.get("io_examples")]
    sample_tests = SampleTests()
    findings = sample_tests.judge(rows, [Trace.parse("q", row["response"]) for row in rows])
    sample_tests.close()
    assert len(rows) == 78
    assert {
        row["idx"]: finding.reason for row, finding in zip(rows, findings, strict=True) if finding
    } == dict.fromkeys((167, 184, 503, 619, 666), "failed")
