"""Calls into the publishing code in forked children of one process that has imported everything and asked nothing: a
child starts at once, may be killed, and shares no session, cache or delay with the next one."""

from __future__ import annotations

import importlib
import io
import logging.handlers
import os
import pickle
import ssl
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from asap_hf.hub import Publication
from tests.hub_server import Hub

ROOT = Path(__file__).parents[1]
LONGEST_DELAY = 0.01
"""Seconds between tries, the client's own too."""


@dataclass
class Outcome:
    """How a call ended."""

    value: Any = None
    error: str = ""
    """Name of the exception's class."""
    message: str = ""
    log: list[str] = field(default_factory=list)
    """Lines of the logger `asap_hf`."""
    killed: bool = False


class Driver:
    """The side that gives orders."""

    def __init__(self, environment: Mapping[str, str]):
        command = [sys.executable, "-c", "from tests.publish_driver import main; main()"]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=dict(environment), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def run(self, function: str, *arguments: Any, **environment: str | None) -> Outcome:
        """Call `module:name` in a child, and wait for its end.

        Args:
            function (`str`):
                For example `asap_hf.hub:push`.
            arguments:
                For it.
            environment (`str`, *optional*):
                Variables to set, or with `None` to unset, in the child.
        """
        return self.wait(self.start(function, *arguments, **environment))

    def start(self, function: str, *arguments: Any, **environment: str | None) -> int:
        """Call it in a child; returns the child's number."""
        return int(self._ask(("start", function, arguments, environment)))

    def wait(self, child: int) -> Outcome:
        """The outcome of a child, when it has ended."""
        outcome = self._ask(("wait", child))
        assert isinstance(outcome, Outcome)
        return outcome

    def close(self) -> None:
        self.process.communicate()

    def _ask(self, order: tuple[Any, ...]) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        pickle.dump(order, self.process.stdin)
        self.process.stdin.flush()
        return pickle.load(self.process.stdout)


@contextmanager
def driver(environment: Mapping[str, str]) -> Iterator[Driver]:
    """A driver in this environment, for as long as the block runs."""
    running = Driver(environment)
    try:
        yield running
    finally:
        running.close()


def load(repo_id: str, revision: str) -> dict[str, dict[str, dict[str, list[Any]]]]:
    """Config → split → columns, as anybody would load them."""
    import datasets

    with tempfile.TemporaryDirectory() as folder:
        options = {"revision": revision, "cache_dir": folder}
        configs = datasets.get_dataset_config_names(repo_id, revision=revision)
        loaded = {config: datasets.load_dataset(repo_id, config, **options) for config in configs}
        return {config: {split: rows.to_dict() for split, rows in splits.items()} for config, splits in loaded.items()}


def dataset_files(number: int, columns: tuple[str, ...] = ("prompt", "completion"), rows: int = 3) -> dict[str, bytes]:
    """A small dataset of two configs; the number is in its rows and in the names of its files."""
    numbers = range(100 * number, 100 * number + rows)
    default = pa.table({name: [f"{name} {one}" for one in numbers] for name in columns})
    kept = pa.array([[one] for one in numbers], pa.list_(pa.int32()))
    steps = pa.table({"kept": kept, "score": [one / 7 for one in numbers]})
    texts = "".join(f"  - name: {name}\n    dtype: string\n" for name in columns)
    card = _CARD.format(texts=texts, rows=rows, number=number)
    return {
        f"default/train-{number:08d}-00000-of-00001.parquet": parquet(default),
        f"steps/train-{number:08d}-00000-of-00001.parquet": parquet(steps),
        "README.md": card.encode(),
        "run.json": b'{"version": %d}\n' % number,
    }


_CARD = """\
---
tags:
- asap-hf
dataset_info:
- config_name: default
  features:
{texts}  splits:
  - name: train
    num_bytes: 1
    num_examples: {rows}
- config_name: steps
  features:
  - name: kept
    list: int32
  - name: score
    dtype: float64
  splits:
  - name: train
    num_bytes: 1
    num_examples: {rows}
configs:
- config_name: default
  data_files:
  - split: train
    path: default/train-{number:08d}-*
- config_name: steps
  data_files:
  - split: train
    path: steps/train-{number:08d}-*
---

# Version {number}
"""


def parquet(table: pa.Table) -> bytes:
    """The table as a file."""
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def edited(files: Mapping[str, bytes], old: str, new: str) -> dict[str, bytes]:
    """The files with another text in their card."""
    card = files["README.md"].decode()
    assert old in card
    return {**files, "README.md": card.replace(old, new).encode()}


_NUMBERS = count()


def publication(files: Mapping[str, bytes | Path], repo_id: str = "", **more: Any) -> Publication:
    """A dataset to publish, by default into a repo of its own."""
    return Publication(repo_id or f"me/traces-{next(_NUMBERS)}", "dataset", files, "Upload pruned traces", **more)


def push(client: Driver, what: Publication, **environment: str | None) -> Outcome:
    """`asap_hf.hub.push` in a child."""
    return client.run("asap_hf.hub:push", what, **environment)


def state(hub: Hub, repo_id: str, repo_type: str = "dataset") -> dict[str, Any]:
    """Everything that the test Hub has of a repo that must exist."""
    repo = hub.repo(repo_type, repo_id)
    assert repo is not None, f"there is no {repo_type} {repo_id}"
    return repo


def _hurry() -> None:
    """Nobody waits for seconds: not we, and not the client, where it tries again by itself. The certificates, which
    nobody needs here, are read once instead of by every child."""
    import httpx2
    from huggingface_hub import file_download, set_client_factory
    from huggingface_hub.utils import _http

    from asap_hf.hub import calls as hub_calls

    options = {"event_hooks": {"request": [_http.hf_request_event_hook]}, "follow_redirects": True, "timeout": None}
    context = ssl.create_default_context()
    set_client_factory(lambda: httpx2.Client(verify=context, **options))
    hub_calls.FIRST_DELAY = hub_calls.LONGEST_DELAY = hub_calls.LONGEST_PAUSE = LONGEST_DELAY
    hurried = SimpleNamespace(sleep=lambda seconds: time.sleep(min(seconds, LONGEST_DELAY)))
    _http.time = file_download.time = hurried  # type: ignore[assignment]


def _work(function: str, arguments: tuple[Any, ...], environment: Mapping[str, str | None]) -> Outcome:
    for name, value in environment.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
    outcome, log = Outcome(), logging.handlers.BufferingHandler(10_000)
    logging.getLogger("asap_hf").addHandler(log)
    module, name = function.split(":")
    try:
        outcome.value = getattr(importlib.import_module(module), name)(*arguments)
    except Exception as error:
        outcome.error, outcome.message = type(error).__name__, str(error)
        if outcome.error not in ("UsageError", "RunError"):
            traceback.print_exc()
    outcome.log = [record.getMessage() for record in log.buffer]
    return outcome


def _start(order: tuple[Any, ...], children: dict[int, int]) -> int:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        with open(writing, "wb") as pipe:
            pickle.dump(_work(*order), pipe)
        os._exit(0)
    os.close(writing)
    children[child] = reading
    return child


def _wait(child: int, children: dict[int, int]) -> Outcome:
    with open(children.pop(child), "rb") as pipe:
        content = pipe.read()
    os.waitpid(child, 0)
    return pickle.loads(content) if content else Outcome(killed=True)


def main() -> None:
    """Obey until stdin closes."""
    import datasets
    import huggingface_hub

    _ = (huggingface_hub.HfApi, huggingface_hub.CommitOperationAdd, huggingface_hub.hf_hub_download)  # load lazily
    datasets.disable_progress_bars()
    huggingface_hub.utils.logging.set_verbosity_error()
    _hurry()
    answers, children = os.fdopen(os.dup(sys.stdout.fileno()), "wb"), {}
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # nothing that a child prints may come between the answers
    while True:
        try:
            verb, *order = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        pickle.dump(_start(tuple(order), children) if verb == "start" else _wait(order[0], children), answers)
        answers.flush()
