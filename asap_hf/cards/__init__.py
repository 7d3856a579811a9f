"""Cards on the Hub; every number comes from the run's own records."""

from .rendering import dataset_card_body, dataset_card_data, model_card

__all__ = ["dataset_card_body", "dataset_card_data", "model_card"]
