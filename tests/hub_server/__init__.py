"""A test Hub for tests: `start_hub()` runs `tests.hub_server.server` in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import ProxyHandler, Request, build_opener

from tests.hub_server import access

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Hub:
    """A running test Hub. User `me` is in organisation `org`; user `you` is somebody else."""

    url: str
    home: Path
    """`HF_HOME` of the clients."""
    write_token: str = access.WRITE.text
    read_token: str = access.READ.text
    fine_token: str = access.FINE.text
    """Fine-grained: reads what `me` reads, writes to `org` only."""
    other_token: str = access.OTHER.text
    """Of `you`, who may write, but not to `me` or `org`."""

    @property
    def env(self) -> dict[str, str]:
        """The environment of a process whose clients know no other Hub; complete, for `subprocess.run(env=…)`."""
        foreign = ("HF_", "HUGGING", "TRANSFORMERS_OFFLINE")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        return {
            **inherited,
            "HF_ENDPOINT": self.url,
            "HF_TOKEN": self.write_token,
            "HF_HOME": str(self.home),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_UPDATE_DOWNLOAD_COUNTS": "0",
            "DISABLE_SAFETENSORS_CONVERSION": "1",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }

    def api(self, token: str | None = None) -> HfApi:
        """A real client in this process, by default with the write token."""
        from huggingface_hub import HfApi, constants

        # The library has read its environment, perhaps long ago.
        constants.HF_HUB_DISABLE_XET = True
        return HfApi(endpoint=self.url, token=self.write_token if token is None else token)

    def faults(self, rules: Sequence[Mapping[str, Any]]) -> None:
        """Add rules; see `tests.hub_server.faults.Rule`."""
        self._ask("POST", "/_test/faults", rules)

    def no_faults(self) -> None:
        """Drop the rules and let go whoever hangs."""
        self._ask("DELETE", "/_test/faults")

    def log(self) -> list[dict[str, Any]]:
        """Every request since the start: see `tests.hub_server.server.Connection._note`."""
        return json.loads(self._ask("GET", "/_test/log"))  # type: ignore[no-any-return]

    def forget_log(self) -> None:
        """Begin the log anew."""
        self._ask("DELETE", "/_test/log")

    def repo(self, repo_type: str, repo_id: str) -> dict[str, Any] | None:
        """Commits in the order of landing (oid, parent, ref, title, files), branches, tags, pull requests; `None` for
        no repository."""
        try:
            return json.loads(self._ask("GET", f"/_test/repo/{repo_type}/{repo_id}"))  # type: ignore[no-any-return]
        except HTTPError:
            return None

    def read(self, repo_type: str, repo_id: str, path: str, revision: str = "main") -> bytes:
        """A file as it was at a revision, unseen by log and faults."""
        return self._ask("GET", f"/_test/file/{repo_type}/{repo_id}/{quote(revision, safe='')}/{quote(path)}")

    def reset(self) -> None:
        """No repositories, no faults, no log."""
        self._ask("POST", "/_test/reset")

    def _ask(self, method: str, path: str, body: object = None) -> bytes:
        data = None if body is None else json.dumps(body).encode()
        with build_opener(ProxyHandler({})).open(Request(self.url + path, data, method=method)) as answer:
            return answer.read()  # type: ignore[no-any-return]


@contextmanager
def start_hub() -> Iterator[Hub]:
    """A test Hub for the length of a `with` block."""
    command = [sys.executable, "-m", "tests.hub_server.server", "--port", "0"]
    pipe = subprocess.PIPE
    with (
        tempfile.TemporaryDirectory(prefix="test-hub-home-", ignore_cleanup_errors=True) as home,
        # A session of its own: Ctrl-C in the terminal is for the tests; the closing pipe ends the server.
        subprocess.Popen(command, cwd=_ROOT, stdin=pipe, stdout=pipe, text=True, start_new_session=True) as server,
    ):
        assert server.stdout is not None
        yield Hub(server.stdout.readline().strip(), Path(home))
