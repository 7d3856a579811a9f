"""What all tests may ask for."""

import pytest


@pytest.fixture(scope="session")
def embedded_model() -> str:
    """Folder of the real model that the tool carries; converted the first time, some ten seconds."""
    from asap_hf.embedded import embedded_model as folder_of_embedded_model

    return folder_of_embedded_model()
