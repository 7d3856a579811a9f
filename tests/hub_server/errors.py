"""Errors as the Hub tells them."""

from __future__ import annotations

from collections.abc import Mapping


class HubError(Exception):
    """An answer that is an error.

    Args:
        status (`int`):
            HTTP status.
        message (`str`):
            Goes into `X-Error-Message` and into the body.
        code (`str`, *optional*, defaults to `""`):
            `X-Error-Code`, by which the client chooses its exception.
        more (`Mapping`, *optional*):
            What else stands in the body.
    """

    def __init__(self, status: int, message: str, code: str = "", more: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.more = status, message, code, more or {}


def not_found(what: str) -> HubError:
    """`what` is `Repo`, `Revision` or `Entry`."""
    name = {"Repo": "Repository"}.get(what, what)
    return HubError(404, f"{name} not found", f"{what}NotFound")
