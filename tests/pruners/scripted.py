"""A test double for an LLM, for tests of what is made of its answers; the real engines have tests of their own."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from asap_hf.llm.generator import Completion, Failure, Generator, Request

Answer = Callable[[Request], str | Completion | Failure]


@dataclass(frozen=True)
class Scripted(Generator):
    """Answers each request with what a function makes of it, and remembers the requests."""

    model: str = "scripted"
    answer: Answer | None = None

    @property
    def asked(self) -> list[Request]:
        """The requests so far; no field, as a pruner with this in it stays the same one when it is used."""
        return self.__dict__.setdefault("asked", [])  # type: ignore[no-any-return]

    def generate(self, requests: Sequence[Request], done: Callable[[int, Completion | Failure], None]) -> None:
        for index, request in enumerate(requests):
            self.asked.append(request)
            answer = self.answer(request) if self.answer else "Count them."
            done(index, Completion(answer) if isinstance(answer, str) else answer)

    @property
    def prunings_asked(self) -> list[Request]:
        return [request for request in self.asked if not is_direct(request)]


def is_direct(request: Request) -> bool:
    """Whether this asks for the direct chain of thought."""
    return "<direct_reasoning>" not in request.messages[0]["content"]


def inside(request: Request, tag: str) -> str:
    """What a prompt holds between two tags."""
    found = re.search(rf"<{tag}>\n(.*)\n</{tag}>", request.messages[0]["content"], re.DOTALL)
    assert found, tag
    return found[1]


def every_second_step(request: Request) -> str:
    """A sensible LLM: the direct chain of thought, then every second step of the reasoning, or their numbers."""
    if is_direct(request):
        return "Count them.\n\nPrint the count."
    if request.schema:
        numbers = re.findall(r"^\[(\d+)\]", inside(request, "steps"), re.MULTILINE)
        return '{"keep": "' + ",".join(numbers[::2]) + '"}'
    return "\n\n".join(re.split(r"\n(?:\s*\n)+", inside(request, "chain_of_thought"))[::2])
