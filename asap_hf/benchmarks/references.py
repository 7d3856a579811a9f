"""Answers of reference solutions, which are run once in a jail and stored on disk."""

from __future__ import annotations

import hashlib
import json
import uuid
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import RunError
from ..evaluation.pass_at_1.codec import CodecError, Decoder, Encoder
from ..runtime.files import cache_folder
from .problems import UnreadableProblem

if TYPE_CHECKING:
    from ..evaluation.pass_at_1.host_call_grader import Answer
    from ..evaluation.pass_at_1.host_grader import Grader

_FORMAT = 1  # version of the files' format


@dataclass(frozen=True)
class Reference:
    """A reference solution and its inputs.

    The answers are stored in `asap_hf/references` under `HF_HOME` (by default `~/.cache/huggingface`), named by the
    hash of all fields. Those of HumanEval+ take 96 MB, nearly all for two problems, and half a minute to compute.

    Args:
        code (`str`):
            The program.
        function (`str`):
            Name of the function to call.
        inputs (`Sequence[Sequence[Any]]`):
            Arguments of each call.
    """

    code: str
    function: str
    inputs: Sequence[Sequence[Any]]

    @cached_property
    def path(self) -> Path:
        """The file of the answers, which may not exist yet."""
        asked = json.dumps([_FORMAT, self.code, self.function, self.inputs])
        return cache_folder() / "references" / f"{hashlib.sha256(asked.encode()).hexdigest()}.json.zlib"

    def stored_answers(self) -> list[Answer] | None:
        """The answers on disk; `None` if there are none that can be read."""
        from ..evaluation.pass_at_1.host_call_grader import Answer

        try:
            stored = json.loads(zlib.decompress(self.path.read_bytes()))
            return [Answer(Decoder().decode({"value": tree}), cpu_seconds) for tree, cpu_seconds in stored]
        except (OSError, ValueError, TypeError, zlib.error, CodecError):
            return None

    def answers(self, grader: Grader) -> list[Answer]:
        """The answers on disk. If there are none, run the solution and store them, as a whole file or not at all.

        Raises:
            [`UnreadableProblem`]: if the solution gives no answer.
            [`RunError`]: if the answers cannot be written.
        """
        stored = self.stored_answers()
        if stored is not None:
            return stored
        from ..evaluation.pass_at_1.host_grader import ReferenceFailedError

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
