"""A request, an answer, and the table that leads from one to the other."""

from __future__ import annotations

import json
import re
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import Message
from functools import cached_property
from pathlib import Path
from typing import IO, Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.hub_server.access import Token, token_of
from tests.hub_server.errors import HubError
from tests.hub_server.store import Store

_PLACEHOLDERS = {
    "kind": r"(?P<kind>model|dataset|space)",
    "id": r"(?P<id>[^/]+/[^/]+)",
    "rev": r"(?P<rev>refs/[^/]+/[^/]+|[^/]+)",
    "path": r"(?P<path>.+)",
    "num": r"(?P<num>\d+)",
    "name": r"(?P<name>[^/]+)",
}


@dataclass
class Request:
    """One request, its body read."""

    method: str
    target: str
    """Path and query as they were sent."""
    headers: Message
    body: IO[bytes]
    store: Store

    @property
    def path(self) -> str:
        """Without the query, still quoted."""
        return urlsplit(self.target).path

    @property
    def host(self) -> str:
        """The address as the client wrote it; its links must begin like that."""
        return f"http://{self.headers.get('Host', '')}"

    @cached_property
    def query(self) -> dict[str, list[str]]:
        """The values of each parameter."""
        return parse_qs(urlsplit(self.target).query)

    def flag(self, name: str) -> bool:
        """A parameter that is on or off."""
        return self.query.get(name) in (["1"], ["true"])

    @cached_property
    def token(self) -> Token | None:
        """Who asks; an unknown token is refused."""
        return token_of(self.headers.get("Authorization"))

    @cached_property
    def content(self) -> bytes:
        """The body."""
        return self.body.read()

    @cached_property
    def json(self) -> Any:
        """The body as JSON."""
        try:
            return json.loads(self.content or b"{}")
        except ValueError as error:
            raise HubError(400, "The body is not JSON") from error


@dataclass
class Answer:
    """Status, headers and a body: bytes, or a part of a file."""

    status: int = 200
    content: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    file: Path | None = None
    start: int = 0
    size: int | None = None
    """Bytes of the body; by default those of `content`."""

    def __len__(self) -> int:
        return len(self.content) if self.size is None else self.size

    def chunks(self, size: int = 1 << 20) -> Iterator[bytes]:
        """The body in pieces."""
        if self.file is None:
            yield from (self.content[at : at + size] for at in range(0, len(self.content), size))
            return
        left = len(self)
        with self.file.open("rb") as file:
            file.seek(self.start)
            while left > 0:
                chunk = file.read(min(size, left))
                left -= len(chunk)
                yield chunk


def answer_json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    """An answer whose body is JSON."""
    content = json.dumps(value, default=str).encode()  # YAML knows dates, JSON does not
    return Answer(status, content, {"Content-Type": "application/json", **(headers or {})})


def answer_error(error: HubError) -> Answer:
    """An error as the Hub tells it: in headers and again in the body."""
    headers = {"X-Error-Message": " ".join(error.message.split()).encode("ascii", "replace").decode()}
    if error.code:
        headers["X-Error-Code"] = error.code
    return answer_json({"error": error.message, **error.more}, error.status, headers)


Route = tuple[str, str, Callable[..., Answer]]
"""Method, address with placeholders, function of the request and of what the placeholders held."""


class Routes:
    """The first route that fits answers."""

    def __init__(self, *tables: list[Route]) -> None:
        self._routes = [
            (method, _pattern(address), function) for table in tables for method, address, function in table
        ]

    def __call__(self, request: Request) -> Answer:
        try:
            return self._function(request)
        except HubError as error:
            return answer_error(error)
        except Exception:  # a fault of this server: told to whoever watches it, and to the client
            traceback.print_exc()
            return answer_error(HubError(500, traceback.format_exc(limit=-1)))

    def _function(self, request: Request) -> Answer:
        method = "GET" if request.method == "HEAD" else request.method
        for wanted, pattern, function in self._routes:
            if wanted == method and (found := pattern.fullmatch(request.path)):
                held = found.groupdict(default="model")  # only `{prefix}` may hold nothing
                return function(request, **{name: unquote(text) for name, text in held.items()})
        raise HubError(404, "Sorry, we can't find the page you are looking for.")


def _pattern(address: str) -> re.Pattern[str]:
    address = address.replace("{prefix}", "(?:(?P<kind>dataset|space)s/)?")
    return re.compile(re.sub(r"\{(\w+)\}", lambda found: _PLACEHOLDERS[found[1]], address))
