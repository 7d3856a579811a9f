"""What the Hub says of a README's YAML block."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import yaml

_BLOCK = re.compile(r"\A\s*---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)

# https://github.com/huggingface/huggingface_hub/issues/4218 quotes the Hub's own list.
_LICENSES = """
afl-3.0 agpl-3.0 apache-2.0 apple-amlr apple-ascl artistic-2.0 bigcode-openrail-m bigscience-bloom-rail-1.0
bigscience-openrail-m bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear bsl-1.0 c-uda cc cc-by-2.0 cc-by-2.5
cc-by-3.0 cc-by-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0
cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cc-by-nd-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc0-1.0 cdla-permissive-1.0
cdla-permissive-2.0 cdla-sharing-1.0 creativeml-openrail-m deepfloyd-if-license ecl-2.0 epl-1.0 epl-2.0 etalab-2.0
eupl-1.1 eupl-1.2 fair-noncommercial-research-license gemma gfdl gpl gpl-2.0 gpl-3.0 grok2-community h-research
intel-research isc lgpl lgpl-2.1 lgpl-3.0 lgpl-lr llama2 llama3 llama3.1 llama3.2 llama3.3 llama4 lppl-1.3c mit
mpl-2.0 ms-pl ncsa odbl odc-by ofl-1.1 openmdw-1.0 openrail openrail++ osl-3.0 other pddl postgresql unknown
unlicense wtfpl zlib
"""
LICENSES = frozenset(_LICENSES.split())
COLOURS = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")


def metadata(content: str) -> dict[str, Any]:
    """The YAML block of a README; empty if there is none or if it is broken."""
    try:
        found = yaml.safe_load(_block(content))
    except yaml.YAMLError:
        return {}
    return found if isinstance(found, dict) else {}


def yaml_errors(content: str, kind: str) -> list[str]:
    """One sentence per fault for which the Hub refuses a README."""
    try:
        found = yaml.safe_load(_block(content))
    except yaml.YAMLError as error:
        return [f"YAML Metadata Error: {' '.join(str(error).split())}"]
    if found is None:
        return []
    if not isinstance(found, dict):
        return ["YAML Metadata Error: the block is not an object"]
    rules = _RULES | _SPACE_RULES if kind == "space" else _RULES
    return [f'"{key}" {text}' for key, (holds, text) in rules.items() if key in found and not holds(found[key])]


def _block(content: str) -> str:
    found = _BLOCK.match(content.removeprefix("\ufeff"))
    return found[1] if found else ""


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _text_or_texts(value: Any) -> bool:
    return _text(value) or _texts(value)


def _license(value: Any) -> bool:
    return _text_or_texts(value) and {value} <= LICENSES if _text(value) else _texts(value) and set(value) <= LICENSES


def _objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)


def _configs(value: Any) -> bool:
    return _objects(value) and all(_text(one.get("config_name")) for one in value)


def _model_index(value: Any) -> bool:
    return _objects(value) and all(_text(model.get("name")) and _results(model.get("results")) for model in value)


def _results(value: Any) -> bool:
    return _objects(value) and all(
        _text((one.get("task") or {}).get("type"))
        and {"type", "name"} <= (one.get("dataset") or {}).keys()
        and _objects(one.get("metrics"))
        and all({"type", "value"} <= metric.keys() for metric in one["metrics"])
        for one in value
    )


_Rule = tuple[Callable[[Any], bool], str]
_RULES: dict[str, _Rule] = {
    "license": (_license, "must be one of the Hub's license identifiers"),
    "license_name": (_text, "must be a string"),
    "license_link": (_text, "must be a string"),
    "language": (_text_or_texts, "must be a string or a list of strings"),
    "tags": (_texts, "must be a list of strings"),
    "datasets": (_text_or_texts, "must be a string or a list of strings"),
    "metrics": (_text_or_texts, "must be a string or a list of strings"),
    "base_model": (_text_or_texts, "must be a string or a list of strings"),
    "library_name": (_text, "must be a string"),
    "pipeline_tag": (_text, "must be a string"),
    "pretty_name": (_text, "must be a string"),
    "size_categories": (_text_or_texts, "must be a string or a list of strings"),
    "task_categories": (_texts, "must be a list of strings"),
    "configs": (_configs, "must be a list of objects with a config_name"),
    "dataset_info": (
        lambda value: isinstance(value, dict) or _objects(value),
        "must be an object or a list of objects",
    ),
    "model-index": (_model_index, "must hold a name and results with task.type, dataset, metrics"),
}
_SPACE_RULES: dict[str, _Rule] = {
    "sdk": (lambda value: value in ("gradio", "docker", "static"), "must be one of [gradio, docker, static]"),
    "title": (_text, "must be a string"),
    "app_file": (_text, "must be a string"),
    "sdk_version": (lambda value: isinstance(value, str | int | float), "must be a string"),
    "emoji": (lambda value: _text(value) and not value.isascii(), "must be an emoji"),
    "colorFrom": (lambda value: value in COLOURS, f"must be one of [{', '.join(COLOURS)}]"),
    "colorTo": (lambda value: value in COLOURS, f"must be one of [{', '.join(COLOURS)}]"),
    "short_description": (
        lambda value: _text(value) and len(value) <= 60,
        "length must be less than or equal to 60 characters long",
    ),
}
