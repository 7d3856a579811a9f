"""Start a server, wait until it is healthy, and end it with all that it started."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import psutil

from asap_hf.models.devices import pick_dtype

START_SECONDS = 300
# A CPU without instructions for bfloat16 takes many times as long in it.
DTYPE = pick_dtype("auto", "cpu")
STOP_SECONDS = 30


@dataclass(frozen=True)
class Server:
    """A model behind an OpenAI-compatible endpoint.

    Args:
        base_url (`str`): Where, without `/v1`.
        model (`str`): The name that it is served under.
        folder (`str`): Where the model lies.
        log (`Path`): All that the server says.
    """

    base_url: str
    model: str
    folder: str
    log: Path

    @property
    def address(self) -> tuple[str, ...]:
        """The arguments that tell a server where to listen."""
        url = urlsplit(self.base_url)
        return "--host", str(url.hostname), "--port", str(url.port)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def running(server: Server, command: Sequence[str], environment: Mapping[str, str]) -> Iterator[float]:
    """Run `command` until the block ends. Gives the seconds that it took to come up.

    Raises:
        `RuntimeError`: with the end of the log, if the server ends by itself or is not up in `START_SECONDS`.
    """
    begun = time.monotonic()
    with server.log.open("wb") as log:
        process = subprocess.Popen(
            command, env={**os.environ, **environment}, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        while not _healthy(server):
            if process.poll() is not None or time.monotonic() - begun > START_SECONDS:
                raise RuntimeError(f"{command[:3]} did not come up:\n{server.log.read_text()[-4000:]}")
            time.sleep(0.25)
        yield time.monotonic() - begun
    finally:
        _stop(process)


def _healthy(server: Server) -> bool:
    with suppress(OSError), urlopen(f"{server.base_url}/health", timeout=5):
        return True
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    """The server leads a process group; what it started goes with it."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)


def own_workers() -> list[psutil.Process]:
    """Of the engines that this process started itself; a server beside them has workers too."""
    engines = [psutil.Process(child.pid) for child in multiprocessing.active_children()]
    started = [one for engine in engines for one in (engine, *engine.children(recursive=True))]
    return [one for one in started if one.name().startswith("VLLM::Worker")]
