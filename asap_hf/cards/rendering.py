"""Render the cards on the Hub, with the paper's settings and results next to the run's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..paper import BIBTEX, CREDITS, training_of
from ..pruners.registry import find_method
from ..reporting.markdown import Markdown, is_hub_id, one_line, render, text
from .model_metadata import ModelMetadata
from .result_formats import conditions_table, has_paper_rows, is_whole, model_index, results_table
from .tables import (
    Runs,
    command,
    differing,
    given_by_paper,
    join_command,
    last_spread,
    lengths_by_config,
    lengths_by_stage,
    other_settings,
    prune_command,
    rows_table,
    runs_of,
    settings_by_config,
    settings_table,
)

if TYPE_CHECKING:
    from huggingface_hub import CardData, DatasetCardData

_EMBEDDED = "HuggingFaceTB/SmolLM2-135M-Instruct"
_TRL_MAX_LENGTH = 1024
_TAGS = ("asap-hf", "chain-of-thought", "pruned", "reasoning", "code", "trl", "sft")
_POWERS = ("1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T")
# The Hub's own words for how many rows there are.
_SIZES = {1000: "n<1K"} | {
    10 ** (3 + place): f"{low}<n<{high}" for place, (low, high) in enumerate(pairwise(_POWERS), 1)
}


def dataset_card_body(run: Mapping[str, Any], name: str, picture: str = "") -> str:
    """Markdown below a dataset card's YAML.

    Args:
        run (`Mapping`):
            What `run.json` holds, of one run or of several (`runs`, one per config).
        name (`str`):
            What `load_dataset` is called with: a repository's id, or a folder.
        picture (`str`, *optional*, defaults to `""`):
            Path in the repository of what `asap_hf.cards.histogram` drew; none if empty.
    """
    runs, configs = runs_of(run), list(run.get("runs", ()))
    source, credit = run["source"], CREDITS.get(run["source"])
    settings = {config: _settings(source, one["settings"]) for config, one in runs.items()}
    first, own = next(iter(runs.values())), next(iter(settings.values()))
    shared = {name: value for name, value in own.items() if all(one.get(name) == value for one in settings.values())}
    paper = given_by_paper("asap" if configs else own["pruner"])
    return render(
        "dataset_card.md",
        title=name.rpartition("/")[2] if is_hub_id(name) else source,
        name=name,
        picture=picture,
        version=run["asap_hf"],
        source=source,
        source_revision=run["source_revision"],
        source_license=run["source_license"] or (credit.license if credit else ""),
        source_is_on_the_hub=is_hub_id(source),
        credit=credit,
        configs=configs,
        pruner=own["pruner"],
        methods=_descriptions({own["pruner"], *configs}),
        stages={stage for one in runs.values() for stage in one["summary"]["tokens"]} - {"before"},
        properties=_properties(runs),
        before=first["summary"]["tokens"]["before"]["total"],
        after=last_spread(first["summary"])["total"],
        lengths=lengths_by_config(runs) if configs else lengths_by_stage(first["summary"]),
        steps=first["summary"]["steps"],
        base_model=_on_the_hub(own["tokenizer"]),
        longest=first["summary"]["longest"],
        max_length=max(_TRL_MAX_LENGTH, 1 << (first["summary"]["longest"] - 1).bit_length()),
        trl_max_length=_TRL_MAX_LENGTH,
        too_long=_rows_of_at_least(_TRL_MAX_LENGTH, first["summary"]),
        usable=first["summary"]["usable"],
        settings=settings_table(shared, paper),
        other_settings=other_settings(shared, paper),
        own_settings=settings_by_config(settings, shared) if configs else "",
        differing="" if configs else differing(own, paper),
        rows=rows_table(runs),
        commands=_commands(run, runs),
        asks_an_llm=any("anchor_model" in one["settings"] for one in runs.values()),
        libraries=Markdown(
            ", ".join(f"{text(library)} {text(number)}" for library, number in run["libraries"].items())
        ),
        citations=[Markdown(BIBTEX), *([Markdown(credit.bibtex)] if credit else [])],
    )


def _descriptions(names: Iterable[str]) -> dict[str, str]:
    """What each of these methods is, where it is one and is more than ASAP itself."""
    methods = {name: find_method(name) for name in names}
    return {name: method.description for name, method in methods.items() if method is not None and method.description}


def _commands(run: Mapping[str, Any], runs: Runs) -> list[Markdown]:
    """The commands that make the dataset again, from a source in the current folder."""
    folders = {config: f"out-{config}" if "runs" in run else "out" for config in runs}
    found = [
        prune_command(
            run["source"],
            one["settings"],
            folders[config],
            run["source_revision"],
            one["summary"].get("shards", [1])[0],
        )
        for config, one in runs.items()
    ]
    return [*found, join_command(folders, "out")] if "runs" in run else found


def _settings(source: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of what was pruned first, then those of how."""
    where = {name: value for name, value in settings.items() if name.startswith("dataset_")}
    return {"source": source, **where, **settings}


def _properties(runs: Runs) -> dict[str, bool]:
    """Properties that hold for at least one of the runs."""
    settings = [one["settings"] for one in runs.values()]
    summaries = [one["summary"] for one in runs.values()]
    methods = [find_method(one["pruner"]) for one in settings]
    llm_text = any(
        one.get("keep_llm_text") or (method is not None and method.writes_text)
        for one, method in zip(settings, methods, strict=True)
    )
    whole_steps = not llm_text and all(
        method is not None and method.whole_steps and one.get("selector") != "reference"
        for one, method in zip(settings, methods, strict=True)
    )
    return {
        "llm_text": llm_text,
        "whole_steps": whole_steps,
        "unusable": any(one["unusable"] for one in summaries),
        "filtered": any(one["filtered"] for one in summaries),
        "left_out": any(one["rows"] > one["usable"] for one in summaries),
        "sample_tests": any(one.get("sample_tests") for one in settings),
        "decontaminated": any(one.get("decontaminate") for one in settings),
        "embedded": any(one.get("scorer") == "embedded" for one in settings),
    }


def _rows_of_at_least(tokens: int, summary: Mapping[str, Any]) -> int:
    """Rows whose reasoning alone has so many tokens after the last stage, as far as the histogram's bins tell."""
    histogram = summary["histogram"]
    counts = histogram[list(summary["tokens"])[-1]]
    return sum(number for edge, number in zip(histogram["edges"], counts, strict=False) if edge >= tokens)


def _on_the_hub(model: str) -> str:
    return _EMBEDDED if model == "embedded" else model


def dataset_card_data(run: Mapping[str, Any], repo_id: str, license: str, base: CardData) -> DatasetCardData:
    """A dataset card's YAML: what the Hub searches by, before the configs and types that the folder's README holds.

    Args:
        run (`Mapping`):
            What `run.json` holds.
        repo_id (`str`):
            Where the dataset will be.
        license (`str`):
            Under which licence it is published; an identifier of the Hub.
        base (`CardData`):
            The YAML of the folder's README. Everything in it stays.
    """
    from huggingface_hub import DatasetCardData

    source, credit = run["source"], CREDITS.get(run["source"])
    data = DatasetCardData(
        license=license or None,
        language=[credit.language] if credit else None,
        size_categories=[_size(sum(one["summary"]["usable"] for one in runs_of(run).values()))],
        task_categories=["text-generation"],
        pretty_name=one_line(repo_id.rpartition("/")[2]),
        source_datasets=[source] if is_hub_id(source) else None,
        tags=list(dict.fromkeys([*(base.get("tags") or []), *_TAGS])),
    )
    for name, value in vars(base).items():
        if data.get(name) is None:
            data[name] = value
    return data


def _size(rows: int) -> str:
    return next((words for limit, words in _SIZES.items() if rows < limit), "n>1T")


def model_card(metadata: ModelMetadata) -> str:
    """The whole `README.md` of a fine-tuned model, YAML and text."""
    from huggingface_hub import ModelCardData

    title, index = one_line(metadata.repo_id.rpartition("/")[2]), model_index(metadata.results)
    every = [*metadata.results, *metadata.base_results]
    data = ModelCardData(
        license=metadata.license or None,
        base_model=metadata.base_model if is_hub_id(metadata.base_model) else None,
        datasets=[metadata.dataset] if is_hub_id(metadata.dataset) else None,
        library_name=metadata.library_name,
        pipeline_tag="text-generation",
        tags=["asap-hf", "chain-of-thought", "reasoning", "code", "trl", "sft"],
        model_name=title if index else None,
        eval_results=index or None,
    )
    settings = metadata.shown_settings
    paper = training_of(metadata.base_model)
    body = render(
        "model_card.md",
        title=title,
        repo_id=metadata.repo_id,
        base_model=metadata.base_model,
        dataset=metadata.dataset,
        dataset_revision=metadata.dataset_revision,
        version=__version__,
        results=results_table(metadata.results, metadata.base_results, metadata.base_model) if every else "",
        has_own_results=bool(metadata.results),
        in_part=not all(map(is_whole, every)),
        claimed=metadata.claimed,
        conditions=conditions_table(every),
        has_paper_rows=has_paper_rows(every, metadata.base_model),
        budget=max([result.budget for result in every], default=10240),
        settings=settings_table(settings, paper) if settings.keys() & paper.keys() else "",
        differing=differing(settings, paper),
        other_settings=other_settings(settings, paper),
        numbers=metadata.training_numbers,
        settings_file=metadata.settings_file,
        revision_is_newest=metadata.revision_is_newest,
        command=command("trl sft", metadata.command) if metadata.command else "",
        paper_bibtex=Markdown(BIBTEX),
    )
    return f"---\n{data}\n---\n\n{body}"
