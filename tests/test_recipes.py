"""Every recipe that ships is understood by the command it is for."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from asap_hf.cli import parse
from asap_hf.commands.prune import PruneArguments
from asap_hf.commands.stages import pruner_of

RECIPES = sorted(Path(str(files("asap_hf.recipes"))).glob("*/prune.yaml"))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.parent.name)
def test_a_recipe_parses_and_builds_its_stages(recipe: Path) -> None:
    arguments = parse(PruneArguments, ["--config", str(recipe), "--output_dir", "out"], "asap-hf prune")
    arguments.check()
    coarse, fine = pruner_of(arguments).stages
    assert (coarse.threshold, coarse.prune_temperature, coarse.direct_temperature) == (0.6, 2.0, 0.0)
    assert fine.max_tokens == 4096
    assert fine.score == "first_token_surprisal"


def test_the_reference_differs_where_it_says_so() -> None:
    recipe = next(path for path in RECIPES if path.parent.name == "reference")
    arguments = parse(PruneArguments, ["--config", str(recipe), "--output_dir", "out"], "asap-hf prune")
    sequential = pruner_of(arguments)
    coarse, fine = sequential.stages
    assert sequential.splitter == "paper"
    assert coarse.autojunk
    assert coarse.keep_llm_text
    assert fine.scorer.context == "raw"
