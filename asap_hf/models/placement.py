"""A model's commit, device and dtype."""

from __future__ import annotations

from typing import Any

from ..errors import UsageError
from .identity import ModelIdentity, model_identity

_DTYPES = ("auto", "bfloat16", "float16", "float32")


class PlacedModel:
    """For frozen dataclasses with these fields: identity, device and dtype of the model, found without loading it."""

    model_name_or_path: str
    revision: str | None
    dtype: str
    device: str | None
    deterministic: bool = False

    _rank: int | None = None

    def check_dtype(self) -> None:
        """Raises:
        [`UsageError`]: if there is no such dtype.
        """
        if self.dtype not in _DTYPES:
            raise UsageError(f"dtype is one of {', '.join(_DTYPES)}, not {self.dtype!r}")

    def to_rank(self, rank: int | None) -> None:
        """Take the GPU of this rank (`cuda:{rank % n}`), unless `device` names another. Holds for this object in this
        process; it is no part of its identity or pickled state."""
        object.__setattr__(self, "_rank", rank)

    def placement(self) -> tuple[str, str]:
        """Device and dtype that this process computes with."""
        from .devices import pick_device, pick_dtype

        device = pick_device(self.device, self._rank)
        return device, pick_dtype(self.dtype, device)

    @property
    def identity(self) -> ModelIdentity:
        """Which model this is."""
        return model_identity(self.model_name_or_path, self.revision)

    @property
    def fingerprint(self) -> dict[str, Any]:
        """Everything that scores depend on, apart from the text, as records hold it; subclasses add to it."""
        identity, (_, dtype) = self.identity, self.placement()
        record = {"model": identity.name, "revision": identity.revision, "dtype": dtype}
        return record | ({"deterministic": True} if self.deterministic else {})

    @property
    def stored_under(self) -> dict[str, Any]:
        """The part of the ledger's key that is not the text: the fingerprint with the identity of the weights, and the
        machine where the last bit counts."""
        from .devices import machine

        under = {**self.fingerprint, "model": self.identity.key}
        return under | ({"machine": machine(self.placement()[0])} if self.deterministic else {})
