"""What the tests of benchmarks share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from asap_hf.evaluation.pass_at_1.host_grader import Grader


@pytest.fixture(scope="session")
def grader() -> Iterator[Grader]:
    with Grader() as opened:
        yield opened
