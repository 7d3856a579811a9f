"""What the tests of requests to a server share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .fake_endpoint import FakeEndpoint


@pytest.fixture
def server() -> Iterator[FakeEndpoint]:
    endpoint = FakeEndpoint()
    yield endpoint
    endpoint.close()


@pytest.fixture
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers on loopback are asked directly, whatever this machine's settings are."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
