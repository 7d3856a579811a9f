"""A page of `asap-hf explore` as a static Space on the test Hub."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import SpaceCard

from asap_hf.errors import UsageError
from asap_hf.explore.page import write_page
from asap_hf.explore.results import open_results
from asap_hf.publish.page import page_publication
from tests.explore import folders
from tests.explore.folders import Case, one_stage, write_result
from tests.hub_server import Hub, start_hub
from tests.publishing import asap_hf

NAME = "</title><b>*out*\u202e<\u2044b> [x](y)"  # a slash cannot stand in a folder's name


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with start_hub() as server:
        yield server


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("page")
    folder = write_result(root / NAME.replace("/", "\u2044"), [Case(one_stage(folders.trace_of("One.", "Two.")))])
    write_page(open_results(folder), root / "explore.html")
    return root / "explore.html"


def test_a_page_becomes_a_static_space_and_the_same_again_is_no_new_commit(hub: Hub, page: Path) -> None:
    done = [asap_hf(hub.env, "publish", "page", page, "--repo_id", "me/look") for _ in range(2)]
    assert [one.returncode for one in done] == [0, 0], done[0].stderr
    assert done[0].stdout.startswith("published: ")
    assert done[1].stdout.startswith("already there: ")
    repo = hub.repo("space", "me/look")
    assert repo is not None
    assert set(repo["commits"][-1]["files"]) - {".gitattributes"} == {"index.html", "README.md"}
    assert hub.read("space", "me/look", "index.html") == page.read_bytes()
    assert hub.api().space_info("me/look").sdk == "static"


def test_the_card_names_the_page_and_nothing_in_it_becomes_markup(page: Path) -> None:
    publication = page_publication(page, "me/look")
    readme = publication.files["README.md"]
    assert isinstance(readme, bytes)
    card = SpaceCard(readme.decode())
    assert (card.data.get("sdk"), card.data.get("app_file")) == ("static", "index.html")
    shown = NAME.replace("/", "\u2044").replace("\u202e", " ")
    assert card.data.get("title") == f"{shown}: 1 trace"
    assert "<b>" not in card.text
    assert "1 trace of traces.jsonl" in card.text


def test_a_dry_run_sends_nothing(hub: Hub, page: Path) -> None:
    hub.forget_log()
    done = asap_hf(hub.env, "publish", "page", page, "--repo_id", "me/dry", "--dry_run")
    assert done.returncode == 0, done.stderr
    assert hub.log() == []
    assert "sdk: static" in done.stdout


def test_another_file_is_no_page(tmp_path: Path) -> None:
    (tmp_path / "other.html").write_text("<title>Something else</title><meta name=generator content=hand>")
    (tmp_path / "binary.html").write_bytes(b"\xff\xfe\x00")
    for name in ("other.html", "binary.html", "nowhere.html", "."):
        with pytest.raises(UsageError, match="is no page of asap-hf explore"):
            page_publication(tmp_path / name, "me/look")
