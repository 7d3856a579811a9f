"""`asap-hf grade`: samples that were made elsewhere."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from asap_hf.benchmarks import Benchmark, open_benchmark
from asap_hf.errors import UsageError
from asap_hf.evaluate.foreign_samples import grade_file
from asap_hf.evaluate.samples import Sample, pass_at_k
from asap_hf.evaluate.samples_file import read_samples
from asap_hf.evaluate.tables import graded_table

from ..benchmarks.rows import CALLED, LIVECODEBENCH
from ..benchmarks.serving import as_lines
from .small_benchmark import BODIES, HEADS, NAMES, REASONING, right, write_benchmark

ADD = f"{HEADS['add']}    {BODIES['add']}\n"


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    return open_benchmark("humaneval", write_benchmark(tmp_path_factory.mktemp("benchmark")), limit=len(NAMES))


def write(folder: Path, lines: Sequence[Any]) -> Path:
    path = folder / "samples.jsonl"
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return path


def all_right() -> list[dict[str, str]]:
    return [{"task_id": f"Small/{number}", "response": right(name)} for number, name in enumerate(NAMES)]


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ({"solution": ADD}, "pass"),
        ({"solution": ADD.replace("+", "-")}, "fail"),
        ({"solution": f"```python\n{ADD}```"}, "pass"),
        ({"solution": ADD.replace("+", "+ (")}, "error"),
        ({"solution": ""}, "no_program"),
        ({"completion": "    return a + b\n"}, "pass"),
        ({"completion": ADD}, "pass"),
        ({"completion": f"Sure:\n```python\n{ADD}```\nDone."}, "pass"),
        ({"completion": "    return a +\n"}, "no_program"),
        ({"response": right("add")}, "pass"),
        ({"response": f"<think>\n{right('add')}"}, "pass"),
        ({"response": f"<think>\n{REASONING}\n```python\n{ADD}```"}, "truncated"),
        ({"response": f"<THINK>\n{REASONING}\n</Think>\n```python\n{ADD}```"}, "pass"),
        ({"response": f"<think type='deep'>\n{REASONING}\n```python\n{ADD}```"}, "truncated"),
        ({"response": f"<think>\n{REASONING}\n</think>\n```python\nTAG = '</think>'\n{ADD}```"}, "pass"),
        ({"completion": f"TAG = '</think>'\n{ADD}"}, "pass"),
        ({"completion": "    return a + b\n```\nThat is all."}, "pass"),
        ({"completion": "     return a + b<|im_end|>"}, "pass"),
        ({"response": "I do not know."}, "no_program"),
        ({"response": ""}, "no_program"),
    ],
)
def test_a_solution_is_taken_as_it_is_and_code_is_found_in_the_rest(
    benchmark: Benchmark, tmp_path: Path, line: Mapping[str, str], status: str
) -> None:
    path = write(tmp_path, [{"task_id": "Small/0", **line}])
    [sample] = grade_file(path, benchmark, allow_missing=True, workers=1)
    assert sample.status == status
    assert sample.passed == (status == "pass")


@pytest.mark.parametrize("number", ["{}", "{}.0", '"{}"', '"Small/{}"'])
def test_a_problem_may_be_named_by_its_number(benchmark: Benchmark, tmp_path: Path, number: str) -> None:
    lines = [
        f'{{"task_id": {number.format(place)}, "response": {json.dumps(line["response"])}}}'
        for place, line in reversed(list(enumerate(all_right())))
    ]
    samples = grade_file(write(tmp_path, lines), benchmark, workers=2)
    assert [(one.task_id, one.status) for one in samples] == [(f"Small/{place}", "pass") for place in range(5)]


@pytest.mark.parametrize("task_id", [2727, 2727.0, "2727"])
def test_a_problem_whose_name_is_a_number_may_be_named_by_it(tmp_path: Path, task_id: object) -> None:
    """LiveCodeBench's problems of LeetCode."""
    (tmp_path / "rows.jsonl").write_bytes(as_lines(LIVECODEBENCH, CALLED))
    problems = open_benchmark("lcb_v1_v3", tmp_path / "rows.jsonl", limit=2)
    adds = "class Solution:\n    def add(self, a, b):\n        return a + b\n"
    path = write(tmp_path, [{"task_id": task_id, "solution": adds}])
    [sample] = grade_file(path, problems, allow_missing=True, workers=1)
    assert (sample.task_id, sample.status) == ("2727", "pass")


def test_several_samples_give_pass_at_k(benchmark: Benchmark, tmp_path: Path) -> None:
    wrong = [{**line, "response": line["response"].replace("return", "raise")} for line in all_right()]
    path = write(tmp_path, [*all_right(), *wrong, *all_right()[:1], *wrong[1:]])
    samples = grade_file(path, benchmark, per_problem=3, workers=2)
    assert [one.sample for one in samples] == [0, 1, 2] * 5
    assert pass_at_k(samples, 1) == pytest.approx((2 / 3 + 4 * 1 / 3) / 5)
    assert pass_at_k(samples, 3) == 1.0
    table = graded_table(samples, benchmark)
    assert "Pass@1        40.00%" in table
    assert "Pass@3       100.00%" in table


@pytest.mark.parametrize(
    ("passed", "k", "chance"),
    [
        ([True], 1, 1.0),
        ([False], 1, 0.0),
        ([True, False, False, False], 2, 0.5),
        ([True, False, None], 1, 0.5),
        ([True, False], 3, None),
        ([None], 1, None),
    ],
)
def test_pass_at_k_is_unbiased_and_leaves_out_what_was_not_judged(
    passed: list[bool | None], k: int, chance: float | None
) -> None:
    unknown: dict[str, Any] = dict.fromkeys(Sample.__dataclass_fields__)
    samples = [Sample(**{**unknown, "task_id": "a", "passed": one}) for one in passed]
    assert pass_at_k(samples, k) == chance


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            [*all_right(), {"task_id": "HumanEval/0", "response": ""}],
            "line 6: humaneval .* has no problem 'HumanEval/0'",
        ),
        ([*all_right(), all_right()[2]], "2 samples for 'Small/2' where 1 is expected.*--samples 2"),
        (all_right()[1:], "too few samples for 1 of the 5 problems of humaneval .'Small/0'.: .*--allow_missing"),
        (all_right()[2:], "too few samples for 2 of the 5 problems of humaneval .'Small/0', ….: "),
        (
            [{**all_right()[0], "benchmark": "leetcode"}],
            "line 1 is of the benchmark 'leetcode', not of 'humaneval': name it with --benchmark",
        ),
        ([{**all_right()[0], "revision": "v2"}], "was made for revision 'v2'"),
        ([{"task_id": "Small/0"}], "line 1: a sample has one text, as 'solution' or .*; this one has none"),
        ([{"task_id": "Small/0", "completion": "", "solution": ""}], "; this one has 'solution' and 'completion'"),
        ([{"task_id": 7, "completion": ""}], "has no problem '7'"),
        ([{"task_id": -1, "completion": ""}], "has no problem '-1'"),
        ([{"task_id": 0.5, "completion": ""}], "with a 'task_id', which is a text or a whole number"),
        ([{"task_id": True, "completion": ""}], "with a 'task_id'"),
        ([{"task_id": [0], "completion": ""}], "with a 'task_id'"),
        (['{"task_id": NaN, "completion": ""}'], "with a 'task_id'"),
        (['{"task_id": Infinity, "completion": ""}'], "with a 'task_id'"),
        ([all_right()[0], {**all_right()[0], "task_id": 0}], "2 samples for 'Small/0' where 1 is expected"),
        ([["Small/0", "x"]], "with a 'task_id'"),
        (
            [*all_right(), '{"task_id": "Small'],
            "line 6 is not JSON .Unterminated string starting, character 13.: mend or remove it",
        ),
        (["[" * 100_000], "line 1 is not JSON .maximum recursion depth"),
        (["1" * 5_000], "line 1 is not JSON .Exceeds the limit"),
        ([], "'samples.jsonl' holds no samples"),
    ],
)
def test_samples_that_do_not_fit_the_benchmark_are_refused(
    benchmark: Benchmark, tmp_path: Path, lines: Sequence[Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        grade_file(write(tmp_path, lines), benchmark)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("none.jsonl", None, "there is no file '.*none.jsonl': name one with a sample per line"),
        ("empty.jsonl", b"", "'empty.jsonl' holds no samples"),
        ("latin.jsonl", b'{"task_id": "\xe9"}', "'latin.jsonl', line 1 is not JSON"),
        ("plain.jsonl.gz", b"{}", "'plain.jsonl.gz' cannot be read: Not a gzipped file"),
        (
            "cut.jsonl.gz",
            gzip.compress(b"{}" * 100, mtime=0)[:-12],
            "'cut.jsonl.gz' cannot be read: Compressed file ended",
        ),
    ],
)
def test_what_is_no_file_of_samples_is_refused(
    benchmark: Benchmark, tmp_path: Path, name: str, content: bytes | None, said: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=said):
        grade_file(tmp_path / name, benchmark, allow_missing=True)


def test_a_folder_is_no_file_of_samples(benchmark: Benchmark, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder: name a file with a sample per line"):
        grade_file(tmp_path, benchmark)


@pytest.mark.parametrize(("field", "warned"), [({}, True), ({"benchmark": "humaneval"}, False)])
def test_samples_that_may_be_humaneval_pluss_are_graded_with_a_warning(
    benchmark: Benchmark, tmp_path: Path, caplog: pytest.LogCaptureFixture, field: dict[str, str], warned: bool
) -> None:
    read_samples(write(tmp_path, [{**line, **field} for line in all_right()]), benchmark)
    said = (
        "'samples.jsonl' does not say which benchmark it is for, and humaneval_plus has problems of the same names:"
        " graded as humaneval; a field 'benchmark' in its lines would tell"
    )
    assert caplog.messages == ([said] if warned else [])


def test_missing_samples_do_not_count_where_they_are_allowed(benchmark: Benchmark, tmp_path: Path) -> None:
    samples = grade_file(write(tmp_path, all_right()[:2]), benchmark, allow_missing=True)
    assert pass_at_k(samples, 1) == 1.0
    assert "HumanEval: 2 of 5 problems" in graded_table(samples, benchmark)


def test_the_verdicts_are_written_whole_and_say_which_file_they_are_of(benchmark: Benchmark, tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl.gz"
    with gzip.open(path, "wt") as file:
        file.writelines(json.dumps(line) + "\n" for line in reversed(all_right()))
    grade_file(path, benchmark, tmp_path / "out")
    rows = pq.read_table(tmp_path / "out" / "samples.parquet").to_pylist()
    assert [(row["task_id"], row["status"]) for row in rows] == [(f"Small/{n}", "pass") for n in range(5)]
    assert rows[0]["budget"] is None
    run = json.loads((tmp_path / "out" / "summary.json").read_text())["run"]
    assert (run["samples"], run["benchmark"], run["pass_at_1"]) == ("samples.jsonl.gz", "humaneval", 1.0)
    assert len(run["sha256"]) == 64
    with pytest.raises(UsageError, match="--overwrite"):
        grade_file(path, benchmark, tmp_path / "out")
