"""What a run says it spent is what the server billed, whichever process asked, and however often it was broken off."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from datasets import load_dataset

from asap_hf.cli import main
from tests.strong_endpoint import StrongEndpoint
from tests.waiting import until

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "asap_hf" / "traces" / "samples" / "traces.jsonl"
PRICES = ("--prompt_price", "1000", "--completion_price", "1000")
Spoil = Callable[[str, int, str], str]


class BillingEndpoint(StrongEndpoint):
    """Adds up what its answers cost at a price of 1,000 a million tokens."""

    def __init__(self, spoil: Spoil | None = None):
        super().__init__(spoil)
        self.billed, self.answers = 0, 0

    def answer(self, prompt: str) -> str:
        text = super().answer(prompt)
        with self.lock:
            self.billed += len(prompt) // 4 + len(text) // 4
            self.answers += 1
        return text

    @property
    def cost(self) -> float:
        return self.billed / 1000


@contextmanager
def billing_endpoint(spoil: Spoil | None = None) -> Iterator[BillingEndpoint]:
    server = BillingEndpoint(spoil)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def traces(tmp_path: Path) -> Path:
    rows = sorted((json.loads(line) for line in SAMPLES.open()), key=lambda row: len(row["completion"]))[:8]
    path = tmp_path / "traces.jsonl"
    path.write_text(
        "".join(json.dumps({name: row[name] for name in ("id", "prompt", "completion")}) + "\n" for row in rows)
    )
    return path


def command(traces: Path, server: BillingEndpoint, *more: str) -> list[str]:
    llm = ("--anchor_model", "strong", "--anchor_base_url", server.url, "--anchor_max_tokens", "400")
    return ["prune", str(traces), *llm, *PRICES, "--pruner", "wo_fine", "--batch_size", "1", *more]


def account_of(folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder / "run.json").read_text())["summary"]["llm"]
    return told


def started(arguments: list[str], ledger: str, *launcher: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "ASAP_HF_LEDGER": ledger}
    return subprocess.Popen(
        [sys.executable, *launcher, "-m", "asap_hf.cli", *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(("ledger", "shards"), [("ledger", "1"), ("ledger", "3"), ("off", "1")])
def test_several_ranks_have_one_cap_and_tell_one_account(
    traces: Path, tmp_path: Path, embedded_model: str, ledger: str, shards: str
) -> None:
    kept = ledger if ledger == "off" else str(tmp_path / ledger)
    with billing_endpoint() as server:
        arguments = command(traces, server, "--num_shards", shards, "--output_dir", str(tmp_path / "out"))
        ranks = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "3")
        run = started([*arguments, "--max_cost", "9"], kept, *ranks)
        out, err = run.communicate(timeout=900)
        assert run.returncode == 0, err
        account = account_of(tmp_path / "out")
        assert account["calls"] == server.answers
        assert account["cost"] == pytest.approx(server.cost)
        assert 0 < server.cost <= 9
        assert max(server.asked.values()) == 1, "nothing is paid for twice"
        assert account["from_ledger"] == 0
        assert f"{account['cost']:,.4f}" in out
    reasons = load_dataset(str(tmp_path / "out"))["train"]["reason"]
    assert any("max_cost" in reason for reason in reasons)
    assert not (tmp_path / ".out.account").exists()


@pytest.mark.parametrize("shards", ["1", "3"])
def test_a_run_that_was_killed_goes_on_within_its_cap(
    traces: Path, tmp_path: Path, embedded_model: str, monkeypatch: pytest.MonkeyPatch, shards: str
) -> None:
    with billing_endpoint() as server:
        arguments = command(traces, server, "--num_shards", shards, "--output_dir", str(tmp_path / "out"))
        killed = started([*arguments, "--max_cost", "40"], str(tmp_path / "ledger"))
        until(lambda: server.answers >= 7 or killed.poll() is not None, "half of the answers")
        killed.kill()
        killed.communicate()
        monkeypatch.setenv("ASAP_HF_LEDGER", str(tmp_path / "ledger"))
        assert main([*arguments, "--max_cost", "40"]) == 0
        account = account_of(tmp_path / "out")
        assert server.cost <= account["cost"] <= 40
        assert account["cost"] - account["assumed"] <= server.cost, "what was in flight is assumed to be billed"
        assert account["calls"] >= server.answers - 1
        again = command(traces, server, "--output_dir", str(tmp_path / "again"))
        bought = server.answers
        assert main([*again, "--max_cost", "40"]) == 0
        assert server.answers == bought
    account = account_of(tmp_path / "again")
    assert (account["calls"], account["cost"], account["from_ledger"]) == (0, 0.0, 16)


def test_a_cap_that_an_earlier_start_used_up_is_used_up(
    traces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, embedded_model: str
) -> None:
    monkeypatch.setenv("ASAP_HF_LEDGER", "off")
    with billing_endpoint() as server:
        arguments = command(traces, server, "--max_cost", "9", "--output_dir", str(tmp_path / "out"))
        with monkeypatch.context() as patch:
            patch.setattr("asap_hf.dataset.run.finish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            assert main(arguments) == 130
        spent = server.cost
        assert main(arguments) == 0
        assert server.cost <= 9, "without a ledger everything is asked for again, as far as the money goes"
        assert account_of(tmp_path / "out")["cost"] == pytest.approx(server.cost)
        assert main([*arguments, "--overwrite"]) == 0
        assert account_of(tmp_path / "out")["cost"] == pytest.approx(spent), (
            "a finished run's successor is another run"
        )


EMPTY = {"empty": "", "blank": " \n\n", "only thoughts": "<think>\nLet me see.\n</think>\n"}


@pytest.mark.parametrize("name", EMPTY)
def test_an_empty_direct_chain_of_thought_uses_up_an_attempt_and_a_retry_asks_for_it_again(
    traces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, embedded_model: str
) -> None:
    monkeypatch.setenv("ASAP_HF_LEDGER", str(tmp_path / "ledger"))
    mended = False

    def spoil(_: str, before: int, good: str) -> str:
        return EMPTY[name] if good.startswith("Read the input") and not mended else good

    with billing_endpoint(spoil) as server:
        arguments = command(traces, server, "--max_attempts", "2", "--output_dir", str(tmp_path / "out"))
        assert main(arguments) == 0
        assert server.answers == 16
        rows = load_dataset(str(tmp_path / "out"))["train"]
        assert not any(rows["ok"])
        assert all(reason.startswith("anchor_rewrite: no direct CoT (empty: ") for reason in rows["reason"])
        assert account_of(tmp_path / "out")["cost"] == pytest.approx(server.cost)
        assert main([*arguments, "--overwrite"]) == 0
        assert server.answers == 16, "no attempt is paid for twice"
        mended = True
        assert main([*arguments, "--retry_failed"]) == 0
        assert server.answers == 16 + 16
    assert all(load_dataset(str(tmp_path / "out"))["train"]["ok"])


def shown(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main(["prune", *map(str, arguments), "--dry_run"]) == 0
    return capsys.readouterr().out


def test_no_dry_run_says_of_money_what_is_not_so(
    traces: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    embedded_model: str,
) -> None:
    monkeypatch.setenv("ASAP_HF_LEDGER", str(tmp_path / "ledger"))
    llm = ("--anchor_model", "m", "--anchor_base_url", "http://127.0.0.1:9")
    for pruner in ("wo_fine", "c3ot"):
        told = shown(capsys, traces, *llm, "--pruner", pruner)
        assert "no prices were given: give --prompt_price and --completion_price" in told
        assert "nothing\n" not in told
        assert "--completion_price is 0" in shown(capsys, traces, *llm, "--pruner", pruner, "--prompt_price", "1")
        assert "over --max_cost 0.001" in shown(
            capsys, traces, *llm, *PRICES, "--pruner", pruner, "--max_cost", "0.001"
        )
    assert "no model and no LLM" in shown(capsys, traces, "--pruner", "wo_fine")
    for pruner in ("pir", "step_entropy", "selective_context"):
        told = shown(capsys, traces, "--pruner", pruner)
        assert "a model reads every row" in told
        assert "nothing " not in told.partition("stage ")[2].partition("dry run")[0]
    assert "scoring FLOPs" in shown(capsys, traces, "--pruner", "wo_coarse", "--selector", "knapsack")
    told = shown(capsys, traces, "--pruner", "wo_fine", "--sample_tests")
    assert "rows that sample_tests would leave out are counted" in told


def test_a_dry_run_of_a_retry_counts_the_rows_that_are_redone(
    traces: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    embedded_model: str,
) -> None:
    monkeypatch.setenv("ASAP_HF_LEDGER", str(tmp_path / "ledger"))
    with billing_endpoint(lambda name, _, good: "" if name[0] in "01234567" else good) as server:
        arguments = command(traces, server, "--max_attempts", "1", "--output_dir", str(tmp_path / "out"))
        assert main(arguments) == 0
        failed = sum(not ok for ok in load_dataset(str(tmp_path / "out"))["train"]["ok"])
        assert 0 < failed < 8
        capsys.readouterr()
        told = shown(capsys, *arguments[1:], "--retry_failed")
    assert f"{failed} usable" in told
    assert [int(line.split()[2]) for line in told.splitlines() if "finished before" in line] == [8 - failed]
    assert [int(line.split()[2]) for line in told.splitlines() if "LLM calls" in line] == [2 * failed]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (("--max_cost", "1", "--prompt_price", "1"), "--max_cost needs --completion_price"),
        (("--max_cost", "1", "--completion_price", "1"), "--max_cost needs --prompt_price"),
        (("--max_cost", "nan", *PRICES), "max_cost is money"),
        (("--prompt_price", "-1"), "prompt_price is money"),
    ],
    ids=str,
)
def test_a_cap_that_could_not_hold_is_refused(
    traces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], given: tuple[str, ...], says: str
) -> None:
    llm = ("--anchor_model", "m", "--anchor_base_url", "http://127.0.0.1:9")
    assert main(["prune", str(traces), *llm, *given, "--output_dir", str(tmp_path / "out")]) == 2
    assert says in capsys.readouterr().err
