"""What all tests may ask for."""

import os

# Before torch is imported: the tests run side by side, and threads that spin for each other would double their time.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import pytest


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """The name alone for bytes: a compressed file holds the second in which it was made, a Parquet file the version of
    what wrote it, and workers of pytest-xdist that collect other ids stop the run."""
    return argname if isinstance(val, bytes) else None


# The files that take longest. They come first: each goes to one process, which would be waited for if it came last.
LONGEST = (
    "tests/test_benches.py",
    "tests/commands/test_prune.py",
    "tests/cards/test_reproduce.py",
    "tests/publish/test_publish_dataset.py",
    "tests/test_dataset_scripts.py",
    "tests/pruners/test_contract.py",
    "tests/commands/test_prune_account.py",
    "tests/test_collection.py",
    "tests/scoring/test_deterministic.py",
    "tests/dataset/test_kill.py",
    "tests/pruners/test_reference.py",
    "tests/traces/test_hub_source.py",
    "tests/hub/test_publish_faults.py",
    "tests/runtime/test_processes.py",
    "tests/commands/test_every_flag.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(LONGEST)))


@pytest.fixture(scope="session")
def embedded_model() -> str:
    """Folder of the real model that the tool carries; converted the first time, some ten seconds."""
    from asap_hf.models.embedded import embedded_model as folder_of_embedded_model

    return folder_of_embedded_model()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Folder of a small random model with a byte-level tokenizer."""
    from .tiny_models import save_model

    return save_model(tmp_path_factory.mktemp("tiny"))
