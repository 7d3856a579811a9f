"""Datasets as files, and a test Hub that has them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import parquet

from tests.hub_server import Hub
from tests.hub_server.history import Change
from tests.hub_server.server import HubServer


def as_lines(*rows: dict[str, Any]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def as_parquet(*rows: dict[str, Any]) -> bytes:
    file = BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(list(rows)), file)
    return file.getvalue()


@contextmanager
def served(datasets: Mapping[str, Mapping[str, bytes]], folder: Path) -> Iterator[Hub]:
    """The test Hub with these datasets, which no user of it may write to."""
    (folder / "contents").mkdir()
    with HubServer(0, folder / "contents") as server:
        for repo_id, files in datasets.items():
            repo = server.store.create("dataset", repo_id, private=False, author="somebody")
            changes = [Change(path, server.store.write(content)) for path, content in files.items()]
            server.store.commit(repo, "main", changes, ("files", "", "somebody"), None)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield Hub(f"http://127.0.0.1:{server.server_address[1]}", folder / "home")
        server.shutdown()
