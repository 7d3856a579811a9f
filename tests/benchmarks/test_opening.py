"""Benchmarks are opened from the Hub or from local copies, and what is none of them is refused in one sentence."""

from __future__ import annotations

import gzip
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from asap_hf.benchmarks import BENCHMARK_NAMES, open_benchmark
from asap_hf.benchmarks.registry import BENCHMARKS
from asap_hf.errors import UsageError
from tests.benchmarks.rows import CALLED, HUMANEVAL, LEETCODE, LIVECODEBENCH, PLUS, PLUS_ON_HUB
from tests.benchmarks.serving import as_lines, as_parquet, served
from tests.benchmarks.shared_data import PATHS, needs_data
from tests.hub_server import Hub


def test_the_benchmarks_are_those_of_the_results() -> None:
    assert tuple(BENCHMARKS) == BENCHMARK_NAMES


@needs_data
@pytest.mark.parametrize(
    ("name", "dataset", "count", "budget", "first", "statement"),
    [
        ("humaneval", "openai/openai_humaneval", 164, 6144, "HumanEval/0", "prompt"),
        ("humaneval_plus", "evalplus/humanevalplus", 164, 6144, "HumanEval/0", "prompt"),
        ("lcb_v1_v3", "livecodebench/code_generation_lite", 612, 10240, "1873_A", "question_content"),
        ("lcb_v4_v5", "livecodebench/code_generation_lite", 268, 10240, "abc366_f", "question_content"),
        ("leetcode", "newfacade/LeetCodeDataset", 228, 10240, None, "problem_description"),
    ],
)
def test_real_benchmarks(name: str, dataset: str, count: int, budget: int, first: str | None, statement: str) -> None:
    benchmark = open_benchmark(name, PATHS[name])
    assert (benchmark.name, benchmark.dataset, benchmark.split, benchmark.budget) == (name, dataset, "test", budget)
    assert len(benchmark.problems) == len({problem.task_id for problem in benchmark.problems}) == count
    assert first in (None, benchmark.problems[0].task_id)
    assert benchmark.revision == hashlib.sha256(PATHS[name].read_bytes()).hexdigest()
    for problem in benchmark.problems:
        [message] = problem.messages
        assert message == {"role": "user", "content": problem.prompt}
        assert problem.row[statement].strip() in problem.prompt
        assert "```python" in problem.prompt or "one Python code block" in problem.prompt


@needs_data
@pytest.mark.parametrize("name", ["humaneval", "humaneval_plus", "leetcode"])
def test_no_test_and_no_solution_is_in_a_prompt(name: str) -> None:
    for problem in open_benchmark(name, PATHS[name]).problems:
        solution = problem.row.get("canonical_solution") or problem.row["completion"]
        assert solution.strip() not in problem.prompt
        assert "def check(" not in problem.prompt
        assert "candidate(" not in problem.prompt


@needs_data
def test_the_two_parts_of_livecodebench_have_nothing_in_common() -> None:
    first, second = (open_benchmark(name, PATHS[name]) for name in ("lcb_v1_v3", "lcb_v4_v5"))
    assert not {problem.task_id for problem in first.problems} & {problem.task_id for problem in second.problems}


ROWS = {
    "humaneval": HUMANEVAL,
    "humaneval_plus": PLUS,
    "lcb_v1_v3": LIVECODEBENCH,
    "lcb_v4_v5": CALLED,
    "leetcode": LEETCODE,
}


@pytest.mark.parametrize("name", BENCHMARK_NAMES)
def test_a_small_copy_of_each(tmp_path: Path, name: str) -> None:
    (tmp_path / "copy.jsonl").write_bytes(as_lines(ROWS[name]))
    benchmark = open_benchmark(name, tmp_path / "copy.jsonl", limit=3)
    assert [problem.task_id for problem in benchmark.problems] == [ROWS[name][benchmark.id_field]]
    assert benchmark.prompts_hash == hashlib.sha256(json.dumps([benchmark.problems[0].prompt]).encode()).hexdigest()


def test_a_limit_takes_the_first(tmp_path: Path) -> None:
    rows = [{**HUMANEVAL, "task_id": f"HumanEval/{number}"} for number in range(3)]
    (tmp_path / "three.jsonl.gz").write_bytes(gzip.compress(as_lines(*rows)))
    benchmark = open_benchmark("humaneval", str(tmp_path / "three.jsonl.gz"), limit=2)
    assert [problem.task_id for problem in benchmark.problems] == ["HumanEval/0", "HumanEval/1"]


def test_prompts_decide_the_hash_and_so_does_their_order(tmp_path: Path) -> None:
    one, other = LEETCODE, {**LEETCODE, "task_id": "add-two", "query": "Other."}
    hashes = []
    for rows in ([one], [one, other], [other, one], [{**one, "completion": "other"}]):
        (tmp_path / "rows.jsonl").write_bytes(as_lines(*rows))
        hashes.append(open_benchmark("leetcode", tmp_path / "rows.jsonl", limit=9).prompts_hash)
    assert len({*hashes[:3]}) == 3
    assert hashes[3] == hashes[0]


def test_a_folder_may_be_a_copy_of_the_dataset(tmp_path: Path) -> None:
    files = [as_lines({**LIVECODEBENCH, "question_id": f"problem {number}"}) for number in range(1, 7)]
    for name, content in zip(["test.jsonl", *(f"test{number}.jsonl" for number in range(2, 7))], files, strict=True):
        (tmp_path / name).write_bytes(content)
    first, second = (open_benchmark(name, tmp_path, limit=9) for name in ("lcb_v1_v3", "lcb_v4_v5"))
    assert [problem.task_id for problem in first.problems] == ["problem 1", "problem 2", "problem 3"]
    assert [problem.task_id for problem in second.problems] == ["problem 4", "problem 5"]
    digests = "".join(f"{hashlib.sha256(content).hexdigest()}\n" for content in files[3:5])
    assert second.revision == hashlib.sha256(digests.encode()).hexdigest()


@pytest.mark.parametrize(
    ("name", "file", "content", "says"),
    [
        (
            "mbpp",
            "no.jsonl",
            None,
            "no benchmark 'mbpp': give one of humaneval, humaneval_plus, lcb_v1_v3, lcb_v4_v5, leetcode",
        ),
        ("livecodebench", "no.jsonl", None, "no benchmark 'livecodebench': give one of"),
        (
            "humaneval",
            "no.jsonl",
            None,
            "no file .*no.jsonl' .*, or a folder that is a copy of openai/openai_humaneval",
        ),
        ("humaneval", "rows.csv", b"prompt\n", r"rows.csv' to read humaneval from: give one that ends in .jsonl, "),
        ("leetcode", "", None, "has no LeetCodeDataset-test.jsonl; get all of newfacade/LeetCodeDataset, or give a f"),
        ("humaneval", "empty.jsonl", b"", "has 0 problems of humaneval, which has 164: it is of another version"),
        (
            "leetcode",
            "lc.jsonl",
            as_lines(LEETCODE),
            "lc.jsonl' has 1 problems of leetcode, which has 228: .* a limit",
        ),
        ("leetcode", "lc.jsonl", as_lines(LEETCODE, LEETCODE), "has two problems 'two-sum'"),
        ("leetcode", "he.jsonl", as_lines(HUMANEVAL), "he.jsonl' is no copy of leetcode: row 1 has no 'query'"),
        ("humaneval", "lc.jsonl", as_lines(HUMANEVAL, LEETCODE), "row 2 has no 'canonical_solution'"),
        ("humaneval", "he.jsonl", as_lines({**HUMANEVAL, "test": ["x"]}), "row 1 has no 'test' of the kind"),
        ("lcb_v4_v5", "he.jsonl", as_lines(HUMANEVAL), "row 1 has no 'question_id'"),
        ("lcb_v1_v3", "v4.jsonl", as_lines({**CALLED, "release": "v4"}), "v4.jsonl' has 0 problems of lcb_v1_v3"),
        ("humaneval", "plus.jsonl", as_lines(PLUS), "has the tests of HumanEval.; its name here is humaneval_plus"),
        ("humaneval", "plus.parquet", as_parquet(PLUS_ON_HUB), "its name here is humaneval_plus"),
        ("humaneval_plus", "he.jsonl", as_lines(HUMANEVAL), "has no tests of HumanEval.; HumanEval's name here is hu"),
        (
            "leetcode",
            "broken.jsonl",
            b'{"task_id"',
            "broken.jsonl' is no copy of leetcode: row 1 is no object in JSON",
        ),
        ("leetcode", "broken.jsonl.gz", b"no gzip", "'broken.jsonl.gz' cannot be read"),
    ],
)
def test_what_is_not_the_benchmark_is_one_sentence(
    tmp_path: Path, name: str, file: str, content: bytes | None, says: str
) -> None:
    if content is not None:
        (tmp_path / file).write_bytes(content)
    with pytest.raises(UsageError, match=says) as raised:
        open_benchmark(name, tmp_path / file)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "good", "broken", "told"),
    [
        (
            "humaneval",
            HUMANEVAL,
            as_lines({"task_id": "HumanEval/7", "prompt": "x"}),
            "HumanEval/7: row 2 has no 'canon",
        ),
        (
            "humaneval",
            HUMANEVAL,
            as_lines({**HUMANEVAL, "task_id": 7}),
            "row 2 of rows.jsonl: row 2 has no 'task_id' of",
        ),
        ("humaneval", HUMANEVAL, b'{"task_id": "HumanEv\n', "row 2 of rows.jsonl: row 2 is no object in JSON"),
        ("humaneval", HUMANEVAL, b"[" * 100_000 + b"\n", "row 2 of rows.jsonl: row 2 is no object in JSON"),
        ("humaneval", HUMANEVAL, b"null\n", "row 2 of rows.jsonl: row 2 is no object in JSON"),
        (
            "humaneval_plus",
            PLUS,
            as_lines({**HUMANEVAL, "task_id": "HumanEval/7"}),
            "HumanEval/7: row 2 has no tests of",
        ),
        (
            "leetcode",
            LEETCODE,
            as_lines({**LEETCODE, "task_id": "b", "query": None}),
            "b: row 2 has no 'query' of the ki",
        ),
        ("lcb_v1_v3", LIVECODEBENCH, as_lines({**CALLED, "starter_code": 5}), "2727: row 2 has no 'starter_code' of"),
    ],
)
def test_a_row_that_cannot_be_read_is_left_out_named_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, good: dict[str, Any], broken: bytes, told: str
) -> None:
    third = {**good, ("question_id" if name.startswith("lcb") else "task_id"): "third"}
    (tmp_path / "rows.jsonl").write_bytes(as_lines(good) + broken + as_lines(third))
    benchmark = open_benchmark(name, tmp_path / "rows.jsonl", limit=3)
    assert [problem.row for problem in benchmark.problems if problem.task_id == "third"]
    assert len(benchmark.problems) == 2
    [(problem, trouble)] = benchmark.unreadable.items()
    assert f"{problem}: {trouble}".startswith(told)
    [warning] = [message for message in caplog.messages if "cannot be read" in message]
    assert f"1 of 3 problems of {name} cannot be read and are left out ({told}" in warning


def test_what_cannot_be_read_counts_as_one_of_the_benchmark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rows.jsonl").write_bytes(as_lines(LEETCODE) + b"{\n")
    with pytest.raises(
        UsageError, match="has 1 problems of leetcode, and 1 that cannot be read .row 2 is no object in JS"
    ):
        open_benchmark("leetcode", tmp_path / "rows.jsonl")
    monkeypatch.setattr("asap_hf.benchmarks.leetcode.LeetCode.size", 2)
    assert len(open_benchmark("leetcode", tmp_path / "rows.jsonl").problems) == 1


def test_a_limit_is_at_least_one() -> None:
    with pytest.raises(UsageError, match="over 0, not 0"):
        open_benchmark("humaneval", limit=0)


ON_HUB = {
    "openai/openai_humaneval": {"openai_humaneval/test-00000-of-00001.parquet": as_parquet(HUMANEVAL)},
    "evalplus/humanevalplus": {"data/test-00000-of-00001-5973903632b82d40.parquet": as_parquet(PLUS_ON_HUB)},
    "newfacade/LeetCodeDataset": {
        "LeetCodeDataset-test.jsonl": as_lines(LEETCODE),
        "LeetCodeDataset-train.jsonl": as_lines({**LEETCODE, "task_id": "of the train split"}),
    },
    "livecodebench/code_generation_lite": {
        "code_generation_lite.py": b"raise SystemExit('a loading script was run')",
        "test.jsonl": as_lines(LIVECODEBENCH),
        **{f"test{number}.jsonl": as_lines({**LIVECODEBENCH, "question_id": f"{number}"}) for number in range(2, 7)},
    },
}


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with served(ON_HUB, tmp_path) as hub:
        yield hub


def opened(hub: Hub, *names: str, limit: int | None = 9, **environment: str) -> subprocess.CompletedProcess[str]:
    """What another process opens, whose client knows this Hub only."""
    code = (
        "import json, sys\nfrom asap_hf.benchmarks import open_benchmark\n"
        f"try:\n    for benchmark in (open_benchmark(name, limit={limit}) for name in sys.argv[1:]):\n"
        "        ids = [problem.task_id for problem in benchmark.problems]\n"
        "        programs = [benchmark.task(one, '').code for one in benchmark.problems if benchmark.left_in_file]\n"
        "        print(json.dumps([benchmark.name, benchmark.dataset, benchmark.revision, ids]))\n"
        "except Exception as error:\n    sys.exit(f'{type(error).__name__}: {error}')"
    )
    command = [sys.executable, "-c", code, *names]
    return subprocess.run(command, env=hub.env | environment, capture_output=True, text=True, check=False)


def test_benchmarks_come_from_the_hub_once(hub: Hub) -> None:
    """The second process is offline and finds them in the cache, with the commits that they are of."""
    read = opened(hub, *BENCHMARK_NAMES)
    assert read.stderr == ""
    found: list[list[Any]] = [json.loads(line) for line in read.stdout.splitlines()]
    assert [(name, dataset, ids) for name, dataset, _, ids in found] == [
        ("humaneval", "openai/openai_humaneval", ["HumanEval/0"]),
        ("humaneval_plus", "evalplus/humanevalplus", ["HumanEval/0"]),
        ("lcb_v1_v3", "livecodebench/code_generation_lite", ["abc301_a", "2", "3"]),
        ("lcb_v4_v5", "livecodebench/code_generation_lite", ["4", "5"]),
        ("leetcode", "newfacade/LeetCodeDataset", ["two-sum"]),
    ]
    for _, dataset, revision, _ in found:
        assert revision == hub.api().dataset_info(dataset).sha
    asked = {request["path"].rpartition("/")[2] for request in hub.log()}
    assert "test3.jsonl" in asked
    assert not asked & {"test6.jsonl", "code_generation_lite.py", "LeetCodeDataset-train.jsonl"}
    requests = len(hub.log())
    assert opened(hub, *BENCHMARK_NAMES, HF_HUB_OFFLINE="1").stdout == read.stdout
    assert len(hub.log()) == requests


def test_a_part_in_the_cache_is_not_taken_for_the_whole(hub: Hub) -> None:
    assert opened(hub, "lcb_v4_v5").stderr == ""
    offline = opened(hub, "lcb_v1_v3", HF_HUB_OFFLINE="1").stderr
    assert offline.startswith("UsageError: could not download test.jsonl, test2.jsonl, test3.jsonl of livecodebench/")


def test_a_dataset_of_another_size_is_another_version(hub: Hub) -> None:
    said = opened(hub, "leetcode", limit=None).stderr
    assert said.startswith(
        "UsageError: newfacade/LeetCodeDataset on the Hub has 1 problems of leetcode, which has 228"
    )


def test_nothing_heavy_is_loaded() -> None:
    heavy = ("torch", "transformers", "datasets", "pyarrow", "huggingface_hub", "numpy")
    script = f"import sys, asap_hf.benchmarks; print(*(name for name in {heavy} if name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "\n"
