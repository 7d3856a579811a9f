"""A test Hub and a process of clients for each module, and nothing of one test left for the next."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hub_server import Hub, start_hub
from tests.publish_driver import Driver, driver


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with start_hub() as running:
        yield running


@pytest.fixture(scope="module")
def client(hub: Hub) -> Iterator[Driver]:
    with driver(hub.env) as running:
        yield running


@pytest.fixture(autouse=True)
def nothing_left(request: pytest.FixtureRequest) -> None:
    if "hub" in request.fixturenames:
        hub: Hub = request.getfixturevalue("hub")
        hub.no_faults()
        hub.forget_log()
