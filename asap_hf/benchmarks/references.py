"""What reference solutions return: run in a jail once, and kept on disk."""

from __future__ import annotations

import hashlib
import json
import uuid
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import RunError
from ..evaluation.pass_at_1.codec import CodecError, Decoder, Encoder
from ..evaluation.pass_at_1.host_call_grader import Answer
from ..evaluation.pass_at_1.host_grader import Grader, ReferenceFailedError
from ..runtime.files import cache_folder
from .problems import UnreadableProblem

_FORMAT = 1  # of the files


@dataclass(frozen=True)
class Reference:
    """A reference solution, and what to ask it.

    Its answers are kept in `asap_hf/references` under `HF_HOME` (by default `~/.cache/huggingface`), by the hash of
    all that is here. HumanEval+'s take 96 MB, nearly all of it two problems', and half a minute to find.

    Args:
        code (`str`):
            The program.
        function (`str`):
            What of it is called.
        inputs (`Sequence[Sequence[Any]]`):
            Arguments of each call.
    """

    code: str
    function: str
    inputs: Sequence[Sequence[Any]]

    @cached_property
    def path(self) -> Path:
        """Where the answers are, or will be."""
        asked = json.dumps([_FORMAT, self.code, self.function, self.inputs])
        return cache_folder() / "references" / f"{hashlib.sha256(asked.encode()).hexdigest()}.json.zlib"

    def stored_answers(self) -> list[Answer] | None:
        """The answers on disk, or `None`."""
        try:
            stored = json.loads(zlib.decompress(self.path.read_bytes()))
            return [Answer(Decoder().decode({"value": tree}), cpu_seconds) for tree, cpu_seconds in stored]
        except (OSError, ValueError, TypeError, zlib.error, CodecError):
            return None

    def answers(self, grader: Grader) -> list[Answer]:
        """The answers on disk, or from a run that puts them there, whole or not at all.

        Raises:
            [`UnreadableProblem`]: if the solution does not answer.
            [`RunError`]: if the answers cannot be written.
        """
        stored = self.stored_answers()
        if stored is not None:
            return stored
        try:
            answers: list[Answer] = grader.answers(
                self.code, self.function, [tuple(arguments) for arguments in self.inputs]
            )
        except ReferenceFailedError as error:
            raise UnreadableProblem(f"{error}; without it no program can be graded") from error
        self._write(answers)
        return answers

    def _write(self, answers: Sequence[Answer]) -> None:
        stored = [[Encoder().encode(answer.value)["value"], answer.cpu_seconds] for answer in answers]
        partial = self.path.with_name(f".{self.path.name}.{uuid.uuid4().hex}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                partial.write_bytes(zlib.compress(json.dumps(stored).encode(), 1))
                partial.replace(self.path)
            finally:
                partial.unlink(missing_ok=True)
        except OSError as error:
            raise RunError(
                f"the answers of {self.function} could not be written to {self.path.parent}: {error.strerror}; make "
                "room, or name another folder in HF_HOME"
            ) from error
