"""Build the publication of a page of `asap-hf explore`: a static Space."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError

if TYPE_CHECKING:
    from ..hub.publication import Publication

# What names a page stands in its first letters; the traces, many megabytes, come after.
_HEAD = 1 << 16


def page_publication(page: Path, repo_id: str, **how: Any) -> Publication:
    """The files to publish for one page: the page as `index.html`, and a card that declares a static Space.

    Args:
        page (`Path`):
            What `asap-hf explore` wrote.
        repo_id (`str`):
            The Space's id on the Hub.
        how (`Any`):
            The other fields of a `Publication`: `private`, `tag`, `create_pr`, `revision`, `overwrite`.

    Raises:
        [`UsageError`]: if the file is no such page.
    """
    from huggingface_hub import SpaceCardData

    from ..hub.publication import Publication
    from ..reporting.markdown import one_line, text

    head = _Head()
    if page.is_file():
        with page.open(encoding="utf-8", errors="replace") as file:
            head.feed(file.read(_HEAD))
    if not (head.meta.get("generator", "").startswith("asap-hf ") and head.title):
        raise UsageError(f"{page.name!r} is no page of asap-hf explore: make one with `asap-hf explore out/`")
    title = one_line(head.title)
    data = SpaceCardData(title=title, sdk="static", app_file="index.html", pinned=False, tags=["asap-hf"])
    card = f"---\n{data}\n---\n\n# {text(title)}\n\n{text(head.meta.get('description', ''))}.\n"
    files: dict[str, Path | bytes] = {"index.html": page, "README.md": card.encode()}
    return Publication(repo_id, "space", files, f"The page {title}", space_sdk="static", **how)


class _Head(HTMLParser):
    """Title and named meta elements of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.title = ""
        self.meta: dict[str, str] = {}
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self._in_title = tag == "title"
        if tag == "meta" and attributes.get("name"):
            self.meta[str(attributes["name"])] = attributes.get("content") or ""

    def handle_endtag(self, tag: str) -> None:
        self._in_title = False

    def handle_data(self, data: str) -> None:
        self.title += data if self._in_title else ""
