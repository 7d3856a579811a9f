"""Check names of repositories, branches and tags before the Hub is asked."""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import UsageError

# What git refuses in a branch or tag (git-check-ref-format), and blanks of every kind.
_NO_REF = re.compile(r"[\s\x00-\x1f\x7f~^:?*\[\\]|\.\.|@\{|//|^[-./]|/\.|\.lock(/|$)|[./]$|^@$")
_RULES = (
    "letters, digits, '-', '_' and '.', at most 96 of them, without '--' and '..', with none of '-' and '.' at either "
    "end, and without .git at the end"
)


def require_repo_id(name: str, flag: str) -> None:
    """Check the id of a repo to publish in: valid on the Hub and with a namespace, as the card says how to load it.

    Args:
        name (`str`):
            What the user gave.
        flag (`str`):
            The flag that it was given with.

    Raises:
        [`UsageError`]: with the rules and an example.
    """
    _refuse_invalid(name, flag, "me/my-traces for example")
    if "/" not in name:
        raise UsageError(
            f"--{flag} {name!r} names no namespace: write yours or an organisation's before it, me/{name}"
        )


def require_hub_id(name: str, flag: str) -> None:
    """Check the id of a repo that a card is to name.

    Raises:
        [`UsageError`]: as of [`require_repo_id`]; for a file or folder of this machine, too.
    """
    if Path(name).exists():
        raise UsageError(f"--{flag} {name!r} is a file or folder of this machine: give the id that it has on the Hub")
    _refuse_invalid(name, flag, "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B for example")


def require_ref(name: str, flag: str) -> None:
    """Check the name of a branch or a tag.

    Raises:
        [`UsageError`]: with an example.
    """
    if not name or _NO_REF.search(name):
        raise UsageError(f"--{flag} {name!r} is no name that git takes for a branch or a tag: write v1, for example")


def _refuse_invalid(name: str, flag: str, example: str) -> None:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise UsageError(
            f"--{flag} {name!r} is no valid name of a repository on the Hub: write namespace/name, {example}, each of "
            f"{_RULES}"
        ) from error
