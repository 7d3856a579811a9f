"""What an answer is stored under: a release that changed it would have every answer bought anew."""

from __future__ import annotations

import pytest

from asap_hf import EndpointGenerator, TransformersGenerator, VLLMGenerator
from asap_hf.llm import Generator, Request

REQUEST = Request(
    ({"role": "user", "content": "What is 2+2?"},), 0.6, 0.95, max_tokens=100, attempt=2, schema={"type": "array"}
)


@pytest.mark.parametrize(
    ("generator", "of_the_answer", "of_the_account"),
    [
        (
            EndpointGenerator("org/m", base_url="http://127.0.0.1:9"),
            "27929bdb3a6b575ff3b992e6abacbec86f543601c4cd4a3030d229195ac4697b",
            "ab79ce3039b7c4489d7c004aa02a4e266ed9f03745f51b4c705eaa61fe1f42b5",
        ),
        (
            VLLMGenerator("org/m", revision="v1"),
            "9102dbe6923edff80cce105aae8ac80c9951a8390631f130d50ad514d9462ed4",
            "7da9d63a001cd6246a0e9b7684785d7408a71e1a9784c9fb7ef68b4806284b2e",
        ),
        (
            TransformersGenerator("org/m", revision="v2"),
            "2852d1522700e59567859b72c68fa6e3497a7d8bb3e5902fe8c73ae3e7e1e4d6",
            "86183b0c253f8ba2d88d3bab2d5d22fcfc5e8fb151cde97cc70ced2dfad0d30a",
        ),
    ],
    ids=["endpoint", "vllm", "transformers"],
)
def test_keys_stay_as_they_are(generator: Generator, of_the_answer: str, of_the_account: str) -> None:
    assert generator._keys([REQUEST]) == [of_the_answer]
    assert generator._name_of_copies == of_the_account
