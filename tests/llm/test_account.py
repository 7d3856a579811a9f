"""One account and one cap for all processes of a run, however they end. Real processes, and a real HTTP server."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from datasets import Dataset
from datasets.fingerprint import Hasher

from asap_hf.errors import RunError, UsageError
from asap_hf.llm import Completion, EndpointGenerator, Failure, Usage, run_account
from asap_hf.llm.account import Account
from asap_hf.llm.shared_account_store import shared_store
from asap_hf.pruners.anchor import AnchorPruner

from ..waiting import until
from .fake_endpoint import FakeEndpoint, Reply, ask

PRICES = {"prompt_price": 1e6, "completion_price": 1e6}  # one unit per token
WORST = 85  # of a prompt of five digits: 64 for the template, 5, and max_tokens


@pytest.fixture(autouse=True)
def _alone(tmp_path, monkeypatch, no_proxy) -> None:
    monkeypatch.setenv("ASAP_HF_LEDGER", str(tmp_path / "ledger"))


def generator(server: FakeEndpoint, **more) -> EndpointGenerator:
    return EndpointGenerator("m", base_url=server.url, **{"backoff": 0.01, **PRICES, **more})


CLIENT = """
import sys
from pathlib import Path
from asap_hf.llm import EndpointGenerator, Failure, Request, run_account
url, account, cap, first, count = sys.argv[1:]
generator = EndpointGenerator("m", base_url=url, prompt_price=1e6, completion_price=1e6, max_cost=float(cap))
prompts = [f"{number:05}" for number in range(int(first), int(first) + int(count))]
with run_account(Path(account), removes=False):
    outcomes = generator([Request(({"role": "user", "content": one},), 0.0, max_tokens=16) for one in prompts])
print(sum(isinstance(one, Failure) and one.reason.startswith("max_cost") for one in outcomes))
"""


def client(server: FakeEndpoint, account: Path, cap: float, first: int, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CLIENT, server.url, str(account), str(cap), str(first), str(count)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=hear_interrupts
    )


def hear_interrupts() -> None:
    """Where the tests run in the background of a shell, they and their children ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_several_processes_spend_one_cap_and_nearly_all_of_it(server, tmp_path):
    server.plan = lambda prompt, before: Reply(delay=0.02)
    clients = [client(server, tmp_path / "account", 600, 1000 * number, 100) for number in range(3)]
    told = [one.communicate(timeout=300) for one in clients]
    assert all(one.returncode == 0 for one in clients), told
    assert len(server.seen) == 52  # of 10 each, and at 520 the 85 of one more could pass 600
    assert sum(int(out) for out, _ in told) == 300 - 52
    usage = shared_store(tmp_path / "account").usage
    assert usage == Usage(calls=52, failures=248, prompt_tokens=260, completion_tokens=260, cost=520.0)


def test_what_a_killed_process_had_sent_counts_and_blocks_nobody(server, tmp_path):
    """Three of its requests hang when it is killed; what they may have cost is spent, and the rest is not."""
    server.plan = lambda prompt, before: Reply(delay=60.0 if prompt < "00003" else 0.0)
    killed = client(server, tmp_path / "account", 1000, 0, 3)
    until(lambda: len(server.seen) == 3, "three requests in flight")
    store = shared_store(tmp_path / "account")
    assert store.pending
    killed.kill()
    killed.wait()
    for stream in (killed.stdout, killed.stderr):
        stream.close()
    after = client(server, tmp_path / "account", 1000, 100, 100)
    out, err = after.communicate(timeout=300)
    assert after.returncode == 0, err
    bought = len(server.seen) - 3
    assert store.usage.assumed == 3 * WORST
    assert store.usage.cost == 3 * WORST + 10 * bought <= 1000
    assert 1000 - store.usage.cost < WORST, "the cap was used as far as it goes"
    assert int(out) == 100 - bought
    assert not store.pending


def test_a_process_that_dies_is_noticed_by_one_that_waits_for_its_money(server, tmp_path):
    """The cap holds one request: the other process waits while it is in flight, and gives up when nobody holds it."""
    server.plan = lambda prompt, before: Reply(delay=60.0 if prompt < "00003" else 0.0)
    killed = client(server, tmp_path / "account", 100, 0, 1)
    until(lambda: server.seen, "one request in flight")
    waits = client(server, tmp_path / "account", 100, 5, 1)
    until(lambda: len(list((tmp_path / "account").glob("*.process"))) == 2, "two processes that have an account")
    assert waits.poll() is None
    killed.kill()
    killed.communicate()
    out, err = waits.communicate(timeout=120)
    assert (waits.returncode, out) == (0, "1\n"), err
    assert len(server.seen) == 1
    assert shared_store(tmp_path / "account").usage.cost == WORST


def broken_off(folder: Path, work: Callable[[], object]) -> None:
    with suppress(KeyboardInterrupt), run_account(folder):
        work()
        raise KeyboardInterrupt


def test_a_run_that_goes_on_has_what_is_left(server, tmp_path):
    folder, made = tmp_path / "account", generator(server, max_cost=100.0)
    broken_off(folder, lambda: made([ask("00001")]))
    assert folder.exists()
    with run_account(folder) as account:
        assert made.usage.cost == 10.0
        assert isinstance(made([ask("00002")])[0], Completion)
        assert made([ask("00003")]) == [Failure("max_cost: may cost up to 85, and 80 of 100 is left")]
        account.begin_reading()
        made([ask("00001"), ask("00002"), ask("00002")])
        taken = account.take()
        assert (taken["calls"], taken["cost"], taken["from_ledger"]) == (2, 20.0, 1)
        assert not any(account.take().values())
    assert not folder.exists()
    with run_account(folder):
        assert made.usage == Usage(), "a new run has a new account"
    assert not folder.exists()


def test_a_run_in_which_nothing_was_asked_leaves_nothing(server, tmp_path):
    with pytest.raises(RunError), run_account(tmp_path / "account"):
        raise RunError
    assert list(tmp_path.iterdir()) == []


def test_within_a_run_the_outer_account_counts(server, tmp_path):
    first, second = generator(server, max_cost=100.0), generator(server, max_cost=100.0)
    with run_account(tmp_path / "outer"):
        first([ask("00001")])
        with run_account(tmp_path / "inner") as inner:
            second([ask("00002")])
            assert second.usage.cost == 20.0
            assert inner.take()["cost"] == 10.0
        assert not (tmp_path / "inner").exists()
        assert second([ask("00003")])[0].reason.startswith("max_cost")
    assert isinstance(second([ask("00003")])[0], Completion), "outside of the run each has its own again"


def test_an_account_that_cannot_be_kept_stops_before_anything_is_sent(server, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="account of what this run spends"), run_account(tmp_path / "file" / "account"):
        generator(server)([ask(1)])
    folder = tmp_path / "damaged"
    folder.mkdir()
    for damage in ("", "[]", '{"usage": {}}', '{"usage": {"calls": 1, "pennies": 2}, "reserved": {}, "stopped": ""}'):
        (folder / "state.json").write_text(damage)
        with pytest.raises(RunError, match=r"damaged.*remove the folder"), run_account(folder):
            generator(server)([ask(1)])
    assert server.seen == []


def test_an_account_that_is_removed_on_the_way_stops_the_run(server, tmp_path):
    made = generator(server, max_cost=1000.0)
    with run_account(tmp_path / "account"):
        made([ask("00001")])
        (tmp_path / "account" / "state.json").unlink()
        with pytest.raises(RunError, match="was removed"):
            made([ask("00002")])
    assert len(server.seen) == 1


def test_forked_processes_share_the_cap(server):
    made = generator(server, max_cost=200.0)
    made([ask("00000")])
    for number in range(1, 4):
        if (child := os.fork()) == 0:
            ended = [os._exit, made([ask(f"{number}{other:04}") for other in range(10)]) and 0]
            ended[0](ended[1])
        assert os.waitpid(child, 0)[1] == 0
    assert made.usage.cost == 10.0 * len(server.seen) == 120.0


SPAWNED = """
import pickle, sys
from asap_hf.llm import Request
generator = pickle.loads(bytes.fromhex(sys.argv[1]))
prompts = [f"{sys.argv[2]}{number:04}" for number in range(10)]
generator([Request(({"role": "user", "content": one},), 0.0, max_tokens=16) for one in prompts])
"""


def test_pickled_copies_share_the_cap_and_an_equal_generator_has_its_own(server):
    made, equal = generator(server, max_cost=200.0), generator(server, max_cost=200.0)
    assert made == equal
    assert Hasher.hash(made) == Hasher.hash(equal)
    for number in range(2):
        state = pickle.dumps(made).hex()
        subprocess.run([sys.executable, "-c", SPAWNED, state, str(number)], check=True, timeout=120)
    assert made.usage.cost == 10.0 * len(server.seen) == 120.0
    assert equal.usage == Usage()
    other = generator(server, max_cost=300.0)
    subprocess.run([sys.executable, "-c", SPAWNED, pickle.dumps(other).hex(), "7"], check=True, timeout=120)
    assert (made.usage.cost, other.usage.cost) == (120.0, 100.0)


def test_the_workers_of_map_share_the_cap(server):
    """Each has a copy of the generator, and each asks for more than the cap holds."""
    server.plan = lambda prompt, before: Reply(message={"content": "A short way."})
    completions = [f"<think>\nStep {number}.\n\nStep two.\n</think>\n\n5" for number in range(24)]
    rows = Dataset.from_dict({"prompt": [f"Question {n}" for n in range(24)], "completion": completions})
    made = generator(server, max_cost=15_000.0)
    pruner = AnchorPruner(made, max_attempts=1, direct_max_tokens=16, prune_max_tokens=16)
    pruned = rows.map(pruner, batched=True, batch_size=2, num_proc=3)
    assert any("max_cost" in reason for reason in pruned["reason"])
    billed = sum(len(seen.prompt) + 5 for seen in server.seen)
    assert made.usage.cost == billed <= 15_000
    assert made.usage.calls == len(server.seen) > 5


OVERBILLED = {"prompt_tokens": 5, "completion_tokens": 500, "total_tokens": 505}
SAID = r"^the server billed 5 tokens of prompt and 500 of completion where 16 .* Use a server that keeps to max_tokens"


def test_a_server_that_bills_more_than_it_was_asked_for_is_sent_nothing_more(server):
    server.plan = lambda prompt, before: Reply(delay=0.01, usage=OVERBILLED if prompt == "00003" else "")
    made = generator(server, max_cost=100_000.0, max_concurrency=2)
    with pytest.raises(RunError, match=SAID):
        made([ask(f"{number:05}") for number in range(200)])
    sent = len(server.seen)
    assert sent <= 4 + 2, "what was in flight, and no more"
    with pytest.raises(RunError, match=SAID):
        made([ask("00050")])
    assert len(server.seen) == sent
    assert isinstance(made([ask("00003")])[0], Completion), "what was bought is there"


def test_a_server_that_overbilled_stops_the_other_processes(server, tmp_path):
    server.plan = lambda prompt, before: Reply(delay=0.1, usage=OVERBILLED if prompt == "00020" else "")
    clients = [client(server, tmp_path / "account", 10**6, first, 2000) for first in (0, 5000)]
    told = [one.communicate(timeout=300) for one in clients]
    assert [one.returncode for one in clients] == [1, 1]
    assert all("RunError: the server billed 5 tokens" in err for _, err in told), told
    assert len(server.seen) < 1000
    again = client(server, tmp_path / "account", 10**6, 7000, 1)
    assert again.communicate(timeout=120)[0] == "0\n", "the next start tries again, within what is left"


def test_without_a_cap_a_server_may_bill_what_it_wants(server):
    server.plan = lambda prompt, before: Reply(usage={"prompt_tokens": 5, "completion_tokens": 500})
    made = generator(server)
    assert isinstance(made([ask("00001")])[0], Completion)
    assert (made.usage.cost, made.usage.assumed) == (505.0, 0.0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_cost": float("nan")},
        {"max_cost": -1.0},
        {"max_cost": float("inf")},
        {"prompt_price": -1.0},
        {"completion_price": float("nan")},
    ],
    ids=str,
)
def test_what_is_no_money_is_refused(wrong):
    """Nothing is ever over a cap of NaN."""
    with pytest.raises(UsageError, match="is money"):
        EndpointGenerator("m", base_url="http://h", **{**PRICES, **wrong})


def test_a_process_that_is_interrupted_gives_back_what_it_had_not_sent(server, tmp_path):
    server.plan = lambda prompt, before: Reply(delay=60.0)
    one = client(server, tmp_path / "account", 10**6, 0, 100)
    until(lambda: len(server.seen) == 32, "all places taken")
    one.send_signal(signal.SIGINT)
    one.communicate(timeout=120)
    usage = shared_store(tmp_path / "account").usage
    assert usage.cost == usage.assumed == 32 * WORST
    assert json.loads((tmp_path / "account" / "state.json").read_text())["reserved"] == {}


def test_equal_requests_of_one_process_are_two_purchases(tmp_path):
    account = Account(0.0, 1e6, 100.0, shared_store(tmp_path / "account"))
    one, two = ask("", max_tokens=60), ask("", max_tokens=60)
    assert account.reserve(one) == ""
    assert account.reserve(one) == ""
    assert account.reserve(two).startswith("max_cost: ")
    account.settle(one, Failure("http_500"))
    assert account.reserve(two) == ""
    assert account.usage == Usage(failures=1)


def test_what_was_spent_on_another_machine_counts(server, tmp_path):
    """Shards that were finished there say what they cost; those of this machine are in its account already."""
    made = generator(server, max_cost=120.0)
    elsewhere = {"calls": 2, "from_ledger": 1, "prompt_tokens": 10, "completion_tokens": 10, "cost": 20.0}
    with run_account(tmp_path / "account") as account:
        account.add(elsewhere)
        account.add_finished(elsewhere)
        assert isinstance(made([ask("00001")])[0], Completion)
        assert account.take()["cost"] == 10.0
        assert made.usage.cost == 30.0
    with run_account(tmp_path / "lost") as account:  # the account is gone, the shards are there
        account.add_finished({**elsewhere, "cost": 50.0})
        assert made([ask("00003")])[0].reason == "max_cost: may cost up to 85, and 70 of 120 is left"
        taken = account.take()
        assert (taken["calls"], taken["cost"], taken["failures"]) == (0, 0.0, 1)
