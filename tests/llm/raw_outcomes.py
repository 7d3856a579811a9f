"""What an engine delivers, before it is judged whether it is of use: tests of engines ask small models for few tokens,
so that their answers are cut."""

from __future__ import annotations

from collections.abc import Sequence

from asap_hf.llm.generator import Completion, Failure, Generator, Request


def raw_outcomes(generator: Generator, requests: Sequence[Request]) -> list[Completion | Failure]:
    """The outcomes in the order of the requests, booked as a generator books them; nothing is stored."""
    found: dict[int, Completion | Failure] = {}

    def done(index: int, outcome: Completion | Failure) -> None:
        found[index] = outcome
        generator.account.settle(requests[index], outcome)

    generator.generate(requests, done)
    return [found[index] for index in range(len(requests))]
