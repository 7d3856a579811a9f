"""What may go wrong with a request, by rule."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from tests.hub_server.errors import HubError
from tests.hub_server.web import Answer, answer_error

ACTIONS = ("status", "cut_before", "cut_after", "cut_body", "slow", "hang", "kill")


@dataclass
class Rule:
    """One fault and the requests that meet it.

    `cut_after`, `cut_body` and `slow` execute the request; `cut_before` does not; the others do if `executed` is set.
    """

    match: str
    """Regular expression, searched in `METHOD address?query` as they were sent."""
    action: str
    nth: int = 1
    """The first matching request that meets it, counted from the rule's arrival."""
    times: int | None = 1
    """How many in a row meet it; `None`: all that follow."""
    status: int = 503
    retry_after: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    """More headers of the answer `status`."""
    message: str = "A fault that a test asked for"
    seconds: float = 1.0
    """`slow`: until the body's end; `hang`: before the connection is closed."""
    pid: int | None = None
    """`kill`: the process; by default the one that sent the request."""
    executed: bool = False
    seen: int = field(default=0, init=False)
    """Matching requests so far."""
    released: threading.Event = field(default_factory=threading.Event, init=False)
    """Set when the rule is dropped: whoever hangs by it goes on."""

    def __post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise HubError(400, f"Unknown action {self.action!r}; there are {', '.join(ACTIONS)}")
        try:
            re.compile(self.match)
        except re.error as error:
            raise HubError(400, f"{self.match!r} is no regular expression: {error}") from error
        self.executed = self.executed or self.action in ("cut_after", "cut_body", "slow")

    def answer(self) -> Answer:
        """What `status` answers."""
        answer = answer_error(HubError(self.status, self.message))
        if self.retry_after is not None:
            answer.headers["Retry-After"] = str(self.retry_after)
        answer.headers |= self.headers
        return answer


class Faults:
    """The rules in force."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[Rule] = []

    def add(self, rules: list[Mapping[str, Any]]) -> None:
        """More rules, after those that are there."""
        known = {one.name for one in fields(Rule) if one.init}
        for rule in rules:
            if unknown := rule.keys() - known:
                raise HubError(400, f"Unknown fields of a fault: {', '.join(sorted(unknown))}")
        added = [Rule(**rule) for rule in rules]
        with self._lock:
            self._rules += added

    def drop(self) -> None:
        """No rules."""
        with self._lock:
            for rule in self._rules:
                rule.released.set()
            self._rules = []

    def due(self, line: str) -> Rule | None:
        """The first rule that this request meets; every rule that matches counts it."""
        with self._lock:
            due = None
            for rule in self._rules:
                if re.search(rule.match, line):
                    rule.seen += 1
                    if rule.seen >= rule.nth and (rule.times is None or rule.seen < rule.nth + rule.times):
                        due = due or rule
            return due


def kill(rule: Rule, port: int) -> None:
    """`kill -9` the rule's process, or the one whose connection comes from `port`."""
    os.kill(rule.pid or owner_of(port), signal.SIGKILL)


def owner_of(port: int) -> int:
    """The oldest process that holds the local end of a connection from `port`."""
    wanted = f":{port:04X}"
    table = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    sockets = {f"socket:[{row[9]}]" for row in table if row[1].endswith(wanted)}
    return min(int(link.parts[2]) for link in Path("/proc").glob("[0-9]*/fd/*") if _target(link) in sockets)


def _target(link: Path) -> str:
    try:
        return os.readlink(link)
    except OSError:  # closed, or the process ended, while we looked
        return ""
