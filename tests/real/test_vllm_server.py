"""`EndpointGenerator` against vLLM's own server."""

from __future__ import annotations

import json

import jsonschema
import pytest

from asap_hf.generation.base import Completion, Failure, Request
from asap_hf.generation.endpoint import EndpointGenerator
from asap_hf.pruners.anchor_answers import SELECT

from .conftest import Server

pytestmark = pytest.mark.vllm


def user(content: str) -> tuple[dict[str, str], ...]:
    return ({"role": "user", "content": content},)
