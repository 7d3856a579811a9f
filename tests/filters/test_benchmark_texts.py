"""Benchmarks are read from the Hub's files or from local ones, and nothing of them is run."""

from __future__ import annotations

import gzip
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from asap_hf.errors import UsageError
from asap_hf.filters.benchmark_texts import open_benchmark_texts
from asap_hf.filters.decontamination import BenchmarkText
from tests.benchmarks.serving import as_lines, as_parquet, served
from tests.hub_server import Hub

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"


HUMANEVAL = {"task_id": "HumanEval/0", "prompt": "def f(): ...", "canonical_solution": "    return 1"}
LEETCODE = {
    "task_id": "two-sum",
    "question_id": 1,
    "prompt": "import math",
    "problem_description": "Add.",
    "query": "Q",
}
LIVECODEBENCH = {"question_id": "1873_A", "question_content": "Cards.", "private_test_cases": "gASVBQAAAAA="}


@pytest.mark.parametrize(
    ("file", "content", "problem"),
    [
        ("he.jsonl", as_lines(HUMANEVAL), BenchmarkText("he", "HumanEval/0", "def f(): ...")),
        (
            "he.jsonl.gz",
            gzip.compress(as_lines(HUMANEVAL), mtime=0),
            BenchmarkText("he", "HumanEval/0", "def f(): ..."),
        ),
        ("he.v1.parquet", as_parquet(HUMANEVAL), BenchmarkText("he.v1", "HumanEval/0", "def f(): ...")),
        ("lc.jsonl", as_lines(LEETCODE), BenchmarkText("lc", "two-sum", "Add.")),
        ("lc.parquet", as_parquet(LEETCODE), BenchmarkText("lc", "two-sum", "Add.")),
        ("lcb.jsonl", as_lines(LIVECODEBENCH), BenchmarkText("lcb", "1873_A", "Cards.")),
        (
            "own.jsonl",
            as_lines({"description": "A.", "prompt": "You will get a problem. A."}),
            BenchmarkText("own", "0", "A."),
        ),
        (
            "own.jsonl",
            as_lines({"query": "A.", "prompt": None, "slug": "a", "id": 7}),
            BenchmarkText("own", "a", "A."),
        ),
        ("large.jsonl", as_lines({"task_id": 0, "prompt": "A.", "input": 1 << 80}), BenchmarkText("large", "0", "A.")),
    ],
)
def test_every_kind_of_file(tmp_path: Path, file: str, content: bytes, problem: BenchmarkText) -> None:
    (tmp_path / file).write_bytes(content)
    assert open_benchmark_texts([str(tmp_path / file)]) == [problem]


def test_files_are_read_one_after_the_other(tmp_path: Path) -> None:
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    first.write_bytes(as_lines({"prompt": "one"}, {"prompt": None}, {"prompt": "three"}) + b"\n")
    second.write_bytes(as_lines({"prompt": "four"}))
    assert open_benchmark_texts([str(first), str(second)]) == [
        BenchmarkText("a", "0", "one"),
        BenchmarkText("a", "2", "three"),
        BenchmarkText("b", "0", "four"),
    ]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        (
            "mbpp",
            None,
            "no benchmark 'mbpp': give one of humaneval, humaneval_plus, leetcode, livecodebench, or a file",
        ),
        ("missing.jsonl", None, r"no benchmark 'missing.jsonl': .* \(.jsonl, .jsonl.gz, .parquet\)"),
        ("problems.csv", b"prompt\nA.\n", "no benchmark"),
        ("empty.jsonl", b"", "no problem's text in any of the columns question_content, problem_description"),
        ("solutions.jsonl", as_lines({"solution": "pass"}), "no problem's text in any of the columns"),
        ("solutions.parquet", as_parquet({"solution": "pass"}), "no problem's text in any of the columns"),
        ("messages.jsonl", as_lines({"prompt": [{"content": "A."}]}), "no problem's text in any of the columns"),
        ("lists.jsonl", b"[1]\n", "no problem's text in any of the columns"),
        ("broken.jsonl", b'{"prompt": "A."', "'broken.jsonl' cannot be read"),
        ("broken.jsonl.gz", gzip.compress(b"x" * 999, mtime=0)[:20], "'broken.jsonl.gz' cannot be read"),
        ("plain.jsonl.gz", b"{}", "'plain.jsonl.gz' cannot be read"),
        ("broken.parquet", b"no Parquet", "'broken.parquet' cannot be read"),
    ],
)
def test_what_is_no_benchmark_is_one_sentence(tmp_path: Path, name: str, content: bytes | None, says: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
        name = str(tmp_path / name)
    with pytest.raises(UsageError, match=says) as raised:
        open_benchmark_texts([name])
    assert "\n" not in str(raised.value)


ON_HUB = {
    "openai/openai_humaneval": {"openai_humaneval/test-00000-of-00001.parquet": as_parquet(HUMANEVAL)},
    "evalplus/humanevalplus": {
        "data/test-00000-of-00001-5973903632b82d40.parquet": as_parquet({**HUMANEVAL, "prompt": "def g(): ..."}),
        "test.jsonl": as_lines({"prompt": "another copy"}),
    },
    "newfacade/LeetCodeDataset": {
        "LeetCodeDataset-test.jsonl": as_lines(LEETCODE),
        "LeetCodeDataset-train.jsonl": as_lines({**LEETCODE, "task_id": "of the train split"}),
    },
    "livecodebench/code_generation_lite": {
        "code_generation_lite.py": b"raise SystemExit('a loading script was run')",
        "test.jsonl": as_lines(LIVECODEBENCH),
        **{
            f"test{release}.jsonl": as_lines({**LIVECODEBENCH, "question_id": f"abc{release}"})
            for release in range(2, 7)
        },
    },
}


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with served(ON_HUB, tmp_path) as hub:
        yield hub


def names_read(hub: Hub, *names: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What another process reads, whose client knows this Hub only."""
    code = (
        "import sys\nfrom asap_hf.filters.benchmark_texts import open_benchmark_texts\n"
        "try:\n    [print(*vars(one).values(), sep='|') for one in open_benchmark_texts(sys.argv[1:])]\n"
        "except Exception as error:\n    sys.exit(f'{type(error).__name__}: {error}')"
    )
    command = [sys.executable, "-c", code, *names]
    return subprocess.run(command, env=hub.env | environment, capture_output=True, text=True, check=False)


def test_benchmarks_come_from_the_hub_once(hub: Hub) -> None:
    """The second process is offline and finds them in the cache."""
    expected = [
        "humaneval|HumanEval/0|def f(): ...",
        "humaneval_plus|HumanEval/0|def g(): ...",
        "leetcode|two-sum|Add.",
        "livecodebench|1873_A|Cards.",
        *(f"livecodebench|abc{release}|Cards." for release in range(2, 7)),
    ]
    names = ["humaneval", "humaneval_plus", "leetcode", "livecodebench"]
    read = names_read(hub, *names)
    assert (read.stdout.splitlines(), read.stderr) == (expected, "")
    requests = len(hub.log())
    assert not any("code_generation_lite.py" in request["path"] for request in hub.log())
    assert names_read(hub, *names, HF_HUB_OFFLINE="1").stdout.splitlines() == expected
    assert len(hub.log()) == requests


def test_what_the_hub_does_not_have_is_one_sentence(hub: Hub) -> None:
    offline = names_read(hub, "humaneval", HF_HUB_OFFLINE="1").stderr
    assert offline.startswith("UsageError: could not download openai_humaneval/test-*.parquet of openai/openai_huma")
    assert "HF_HUB_OFFLINE is set" in offline
    hub.reset()
    gone = names_read(hub, "leetcode").stderr
    assert gone.startswith("UsageError: could not download LeetCodeDataset-test.jsonl of newfacade/LeetCodeDataset:")
    assert "404" in gone


@pytest.mark.skipif(not DATA.exists(), reason="needs the shared data")
@pytest.mark.parametrize(
    ("file", "count", "first"),
    [
        ("humaneval/HumanEval.jsonl.gz", 164, ("HumanEval", "HumanEval/0", "from typing import List")),
        ("humaneval_plus/HumanEvalPlus.jsonl.gz", 164, ("HumanEvalPlus", "HumanEval/0", "from typing import List")),
        (
            "leetcode/LeetCodeDataset-v0.3.1-test.jsonl.gz",
            228,
            ("LeetCodeDataset-v0.3.1-test", "shortest-distance-after-road-addition-queries-i", "You are given an int"),
        ),
        (
            "livecodebench/lcb_release_v6_public.jsonl.gz",
            1055,
            ("lcb_release_v6_public", "1873_A", "There are three cards"),
        ),
    ],
)
def test_real_benchmarks(file: str, count: int, first: tuple[str, str, str]) -> None:
    problems = open_benchmark_texts([str(DATA / file)])
    assert len(problems) == len({problem.task_id for problem in problems}) == count
    assert (problems[0].benchmark, problems[0].task_id) == first[:2]
    assert problems[0].text.startswith(first[2])
