"""kill -9 at any moment: nothing finished is done twice, and the result is that of a run that was left alone."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from asap_hf.runtime.ledger import open_ledger
from tests.strong_endpoint import strong_endpoint

ROOT = Path(__file__).parents[2]
KILLS = 20


@pytest.fixture(scope="module")
def runner() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.kill_runner"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    yield process
    process.kill()
    process.wait()


def order(runner: subprocess.Popen[str], argv: list[str], kill_after: float | None) -> dict[str, Any]:
    assert runner.stdin is not None
    assert runner.stdout is not None
    runner.stdin.write(json.dumps({"argv": argv, "kill_after": kill_after}) + "\n")
    runner.stdin.flush()
    return dict(json.loads(runner.stdout.readline()))


def sign(name: str, before: int, good: str) -> str:
    """Every answer carries the hash of its question, so that the ledger shows which questions were answered."""
    return f"{good}\n\n{name}" if good.startswith("Read the input") else good.replace('"}', f'", "id": "{name}"}}')


def stored(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Hashes of the questions whose answers are on disk, read line by line as another program would."""
    path = ledger / "llm.jsonl"
    texts = (
        [line.split(" ", 1)[1] for line in path.read_text().splitlines() if line.endswith("}}")]
        if path.exists()
        else []
    )
    answers = [json.loads(text)["value"]["text"] for text in texts]
    return {
        answer.rsplit("\n", 1)[-1] if answer.startswith("Read") else json.loads(answer)["id"] for answer in answers
    }


def files(folder: Path) -> dict[str, str]:
    paths = [*folder.rglob("*.parquet"), folder / "README.md"]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def test_killed_at_twenty_moments(
    runner: subprocess.Popen[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: str
) -> None:
    samples = (ROOT / "asap_hf" / "traces" / "samples" / "traces.jsonl").read_text().splitlines()
    shortest = sorted(samples, key=len)[:8]
    (tmp_path / "traces.jsonl").write_text("\n".join(shortest) + "\n")
    randomness = random.Random(0)

    def argv(url: str, name: str) -> list[str]:
        llm = ["--scorer", tiny, "--anchor_model", "strong", "--anchor_base_url", url, "--anchor_mode", "select"]
        work = ["--ratio", "0.3", "--batch_size", "3", "--max_concurrency", "2"]
        folders = ["--ledger_dir", str(tmp_path / f"ledger-{name}"), "--output_dir", str(tmp_path / name)]
        return ["prune", str(tmp_path / "traces.jsonl"), *llm, *work, *folders]

    with strong_endpoint(sign) as server:
        unbroken = order(runner, argv(server.url, "unbroken"), None)
    assert unbroken["code"] == 0
    expected = files(tmp_path / "unbroken")
    kills = rounds = 0
    while kills < KILLS:
        name = f"round{rounds}"
        rounds += 1
        with strong_endpoint(sign) as server:
            while True:
                known = stored(tmp_path / f"ledger-{name}", monkeypatch)
                asked = dict(server.asked)
                moment = randomness.uniform(0, 0.9 * unbroken["seconds"]) if kills < KILLS else None
                outcome = order(runner, argv(server.url, name), moment)
                again = {question for question, count in server.asked.items() if count > asked.get(question, 0)}
                assert not again & known, "an answer that was on disk was asked for again"
                if not outcome["killed"]:
                    assert outcome["code"] == 0
                    break
                kills += 1
                if (tmp_path / name).exists():  # killed after the last rename: whole
                    break
        assert files(tmp_path / name) == expected
        assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []
    assert kills >= KILLS
    monkeypatch.setenv("ASAP_HF_LEDGER", str(tmp_path / "ledger-round0"))
    assert len(open_ledger("scores")) == len(shortest)
