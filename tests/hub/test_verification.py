"""A published dataset, compared with what was sent, through the real clients."""

from __future__ import annotations

import dataclasses
import re
from unittest.mock import ANY

import pytest

from asap_hf.hub import Publication, Published, verification
from tests.hub_server import Hub
from tests.publish_driver import Driver, Outcome, dataset_files, edited, publication, push

FILES = dataset_files(1)


def verify(client: Driver, what: Publication, published: Published) -> Outcome:
    return client.run("asap_hf.hub.verification:verify_dataset", what, published)


def test_verification(hub: Hub, client: Driver) -> None:
    what = publication(dataset_files(1, rows=1200))
    published = push(client, what).value
    assert verify(client, what, published) == Outcome()
    other = publication({**what.files, "run.json": b'{"version": 7}\n'}, what.repo_id)
    outcome = verify(client, other, published)
    assert outcome.error == "RunError"
    assert re.fullmatch(
        rf"{published.url} at {published.commit} is not what was sent: manifest.json, run.json: missing, .*",
        outcome.message,
    )


@pytest.mark.parametrize("fault", ["status", "cut_before", "cut_body"])
@pytest.mark.parametrize(
    "request_",
    [
        "GET /api/.*revision",
        "(HEAD|GET) .*README",
        "HEAD .*parquet",
        "GET .*parquet",
        "GET .*tree",
        "HEAD .*[.]py",
        "HEAD .*yaml",
        "HEAD .*infos",
    ],
)
def test_verification_through_faults(hub: Hub, client: Driver, request_: str, fault: str) -> None:
    what = publication(FILES)
    published = push(client, what).value
    hub.faults([{"match": request_, "action": fault}])
    assert verify(client, what, published) == Outcome(log=ANY)
    assert [entry["fault"] for entry in hub.log() if entry["fault"]] == [fault]


def test_verification_through_an_outage(hub: Hub, client: Driver) -> None:
    what = publication(FILES)
    published = push(client, what).value
    hub.faults([{"match": "GET .*resolve.*parquet", "action": "status", "times": None}])
    outcome = verify(client, what, published)
    assert outcome.error == "RunError"
    assert re.match(
        f"could not load default of dataset {what.repo_id}: HTTP 503, 8 times; it is published", outcome.message
    )


@pytest.mark.parametrize(
    ("theirs", "message"),
    [
        (dataset_files(1, rows=4), "default/train: it has 4 rows, not 3"),
        (dataset_files(1, ("prompt", "other")), "default/train: its features are .*"),
        (
            edited(FILES, ": train\n", ": test\n"),
            "default has the splits test, not train",
        ),
        (dataset_files(2), "default/train: row 0 has 'prompt 200' in prompt, not 'prompt 100'"),
    ],
)
def test_what_verification_finds(hub: Hub, client: Driver, theirs: dict[str, bytes], message: str) -> None:
    """The hashes are looked at first, so what was loaded is compared here on its own."""
    published = push(client, publication(theirs)).value
    outcome = client.run("tests.hub.test_verification:verify_rows", FILES, published)
    assert outcome.error == "RunError"
    assert re.search(f"is not what was sent: {message}; publish it again", outcome.message)


def verify_rows(files: dict[str, bytes], published: Published) -> None:
    verification.verify_files = lambda *_: None
    verification.verify_dataset(publication(files), published)


def test_what_cannot_be_loaded_is_told(hub: Hub, client: Driver) -> None:
    published = push(client, publication(FILES)).value
    api = hub.api()
    made = api.upload_file(
        path_or_fileobj=b"PAR1",
        path_in_repo="default/train-00000001-x.parquet",
        repo_id=published.repo_id,
        repo_type="dataset",
    )
    elsewhere = dataclasses.replace(published, commit=made.oid)
    outcome = client.run("tests.hub.test_verification:verify_rows", FILES, elsewhere)
    assert outcome.error == "RunError"
    assert re.match(f"default of {published.url} at {made.oid} cannot be loaded: ", outcome.message)
