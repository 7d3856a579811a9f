"""`asap-hf publish dataset | model | metric | page`: publish on the Hub."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..hub import require_hub_id, require_ref, require_repo_id
from .prune_arguments import option

if TYPE_CHECKING:
    from ..hub.publication import Publication

logger = logging.getLogger(__name__)


@dataclass
class HubArguments:
    """Arguments of every publication."""

    folder: str = field(metadata={"help": "what to publish"})
    repo_id: str = field(metadata={"help": "its id on the Hub, me/my-traces for example"})
    private: bool = option(False, "make a new repository private")
    tag: str | None = option(None, "name this state, v1 for example")
    revision: str | None = option(None, "publish to this branch, not to main")
    create_pr: bool = option(False, "open a pull request, and leave main as it is")
    overwrite: bool = option(False, "replace files that another tool put there")
    dry_run: bool = option(False, "print files, sizes and the card, and touch nothing")

    def check(self) -> None:
        """Refuse names that the Hub would not take, before anything is read or asked.

        Raises:
            `UsageError`: with what to change.
        """
        require_repo_id(self.repo_id, "repo_id")
        for flag, name in (("tag", self.tag), ("revision", self.revision)):
            if name is not None:
                require_ref(name, flag)
        if self.create_pr and (self.revision or self.tag):
            raise UsageError("a pull request goes to main and has no tag: drop --create_pr, or --revision and --tag")

    @property
    def how(self) -> dict[str, object]:
        """The fields of a `Publication` that do not depend on what is published."""
        names = ("private", "tag", "revision", "create_pr", "overwrite")
        return {name: getattr(self, name) for name in names}


@dataclass
class DatasetArguments(HubArguments):
    """Arguments of `asap-hf publish dataset`; `folder` is a result of `asap-hf prune`."""

    license: str | None = option(None, "licence of the dataset; by default its source's")
    verify: bool = option(True, "load the dataset back from the Hub and compare")


@dataclass
class ModelArguments(HubArguments):
    """Arguments of `asap-hf publish model`; `folder` is a checkpoint that `trl sft` wrote."""

    dataset: str | None = option(None, "Hub id of the dataset that it was trained on")
    base_model: str | None = option(None, "Hub id of the model that it was trained from")
    train_config: str | None = option(None, "the YAML file that trl sft --config was given")
    results: str | None = option(None, "folder with what asap-hf evaluate measured")
    results_model: str | None = option(
        None, "name of the checkpoint in --results, where its content does not prove it; the card says on whose word"
    )
    license: str | None = option(None, "licence of the checkpoint")

    def check(self) -> None:
        super().check()
        for flag, name in (("dataset", self.dataset), ("base_model", self.base_model)):
            if name is not None:
                require_hub_id(name, flag)


@dataclass
class MetricArguments(HubArguments):
    """Arguments of `asap-hf publish metric`; `folder` is an `evaluate` module, published as a Space as it stands."""


@dataclass
class PageArguments(HubArguments):
    """Arguments of `asap-hf publish page`; `folder` is the file that `asap-hf explore` wrote, published as a Space."""


def publish_dataset(arguments: DatasetArguments) -> None:
    """Publish a result of `asap-hf prune`, and load it back."""
    from ..publish.dataset import dataset_publication

    arguments.check()
    publication = dataset_publication(
        Path(arguments.folder), arguments.repo_id, license=arguments.license, **arguments.how
    )
    if arguments.dry_run:
        return _describe(publication)
    from ..hub.publication import push
    from ..hub.verification import verify_dataset

    published = push(publication)
    if arguments.verify:
        verify_dataset(publication, published)
        logger.info("loaded back from the Hub: every config and split is what was published")
    print(f"{'already there' if published.unchanged else 'published'}: {published.url}")
    print(f'load_dataset("{published.repo_id}") is what to train on')
    return None


def publish_model(arguments: ModelArguments) -> None:
    """Publish a checkpoint with its card."""
    from ..publish.model import model_publication

    arguments.check()
    publication = model_publication(
        Path(arguments.folder),
        arguments.repo_id,
        dataset=arguments.dataset,
        base_model=arguments.base_model,
        train_config=Path(arguments.train_config) if arguments.train_config else None,
        results=Path(arguments.results) if arguments.results else None,
        results_model=arguments.results_model,
        license=arguments.license,
        **arguments.how,
    )
    _publish(publication, arguments.dry_run)


def publish_metric(arguments: MetricArguments) -> None:
    """Publish an `evaluate` module as a Space."""
    from ..publish.metric import metric_publication

    arguments.check()
    publication = metric_publication(Path(arguments.folder), arguments.repo_id, **arguments.how)
    _publish(publication, arguments.dry_run)


def publish_page(arguments: PageArguments) -> None:
    """Publish a page of `asap-hf explore` as a static Space."""
    from ..publish.page import page_publication

    arguments.check()
    publication = page_publication(Path(arguments.folder), arguments.repo_id, **arguments.how)
    _publish(publication, arguments.dry_run)


def _publish(publication: Publication, dry_run: bool) -> None:
    from ..hub.publication import push

    if dry_run:
        return _describe(publication)
    published = push(publication)
    print(f"{'already there' if published.unchanged else 'published'}: {published.url}")
    return None


def _describe(publication: Publication) -> None:
    from ..hub.publication import describe, refuse_unfit

    refuse_unfit(publication)
    print(describe(publication))
    print("\ndry run: nothing was sent, nothing was changed")


COMMANDS = {
    "dataset": (DatasetArguments, publish_dataset, "a result of asap-hf prune"),
    "model": (ModelArguments, publish_model, "a checkpoint that trl sft wrote"),
    "metric": (MetricArguments, publish_metric, "an evaluate module, as a Space"),
    "page": (PageArguments, publish_page, "a page of asap-hf explore, as a Space"),
}
