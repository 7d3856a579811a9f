"""kill -9 at any moment: no answer that was finished is asked for again, and the result is that of an unbroken run."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from ..llm.scripted_server import Script, scripted_server
from ..tiny_models import byte_level_tokenizer
from .small_benchmark import NAMES, SAID, asked_for, write_benchmark

ROOT = Path(__file__).parents[2]
KILLS = 8


@pytest.fixture(scope="module")
def runner() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.evaluate.kill_runner"],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.wait()


def order(runner: subprocess.Popen[str], argv: list[str], kill_after: float | None) -> int:
    """Exit code of a run; it is killed with all that it started after so many seconds."""
    assert runner.stdin is not None
    assert runner.stdout is not None
    runner.stdin.write(json.dumps(argv) + "\n")
    runner.stdin.flush()
    child = int(runner.stdout.readline())
    timer = threading.Timer(kill_after or 0.0, kill, [child])
    if kill_after is not None:
        timer.start()
    code = int(runner.stdout.readline())
    timer.cancel()  # nobody else who gets this number is to be killed
    return code


def kill(child: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)


def on_disk(partial: Path) -> set[str]:
    """Problems whose generation is there, read line by line as another program would."""
    path = partial / "generations.jsonl"
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    return {NAMES[int(json.loads(line)["task_id"].split("/")[1])] for line in lines if line}


def outcome(folder: Path) -> list[dict[str, Any]]:
    """All that does not depend on the clock."""
    tables = [pq.read_table(folder / name) for name in ("samples.parquet", "generations.parquet")]
    return [
        {name: value for name, value in row.items() if not name.endswith("_seconds")}
        for table in tables
        for row in table.to_pylist()
    ]


def test_killed_at_eight_moments(runner: subprocess.Popen[str], tmp_path: Path) -> None:
    tokenizer, randomness = byte_level_tokenizer(), random.Random(0)
    tokenizer.save_pretrained(tmp_path / "tok")
    path = write_benchmark(tmp_path)

    def script(prompt: str, before: int) -> Script:
        said = SAID[asked_for(prompt)]
        return Script(said.text, stalls=0.002)

    def argv(url: str, name: str) -> list[str]:
        asked = ["--benchmark", "humaneval", "--benchmark_path", f"humaneval={path}", "--limit", str(len(NAMES))]
        engine = ["--engine", "endpoint", "--base_url", url, "--tokenizer", str(tmp_path / "tok")]
        limits = ["--budget", "60,400", "--max_concurrency", "2", "--grader_workers", "1"]
        return ["m", *asked, *engine, *limits, "--output_dir", str(tmp_path / name)]

    with scripted_server(script, tokenizer) as server:
        begun = time.monotonic()
        assert order(runner, argv(server.url, "unbroken"), None) == 0
        seconds = time.monotonic() - begun
    expected = outcome(tmp_path / "unbroken")
    kills = rounds = 0
    while kills < KILLS:
        name = f"round{rounds}"
        rounds += 1
        with scripted_server(script, tokenizer) as server:
            while not (tmp_path / name).exists():
                known, seen = on_disk(tmp_path / f".{name}.partial"), len(server.seen)
                moment = randomness.uniform(0, 0.95 * seconds) if kills < KILLS else None
                code = order(runner, argv(server.url, name), moment)
                again = {asked_for(one.prompt) for one in server.seen[seen:]}
                assert not again & known, "an answer that was on disk was asked for again"
                assert code in (0, -signal.SIGKILL)
                kills += code == -signal.SIGKILL
        assert outcome(tmp_path / name) == expected
