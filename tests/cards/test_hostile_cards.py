"""Whatever stands in run.json and the results, a card keeps its shape."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from huggingface_hub import DatasetCard, DatasetCardData, ModelCard

from asap_hf.cards import dataset_card_body, dataset_card_data, model_card
from tests.card_runs import BASELINES, RUNS, run_of
from tests.cards.test_model_card import FACTS, RESULT
from tests.render_card import card_html

HOSTILE = [
    "</script><img src=x onerror=alert(1)>",
    "| a | b |",
    "a\\| b \\\\| c",
    "```",
    "`` ` ``",
    "---\nlicense: evil\n---",
    "# heading\n\n- item\n\n```bash\nrm -rf /\n```",
    "[click](javascript:alert(1)) ![x](http://x.example/y.png) <http://x.example>",
    "*bold* _it_ ~~gone~~ $$x$$ &lt;b&gt; &#60;b&#62;",
    "'\"; rm -rf / #",
    "\u202eevil\u202c \x1b[31m\x00 \ud800",
    "{{ 7 * 7 }} {% for %}",
]
TAGS = {
    "a",
    "code",
    "em",
    "h1",
    "h2",
    "img",
    "li",
    "p",
    "pre",
    "strong",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tr",
    "ul",
}


class Shape(HTMLParser):
    """The tags of a page, with the text in its title, links, pictures and code."""

    def __init__(self, page: str):
        super().__init__()
        self.tags: list[str] = []
        self.links: set[str | None] = set()
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        assert {name for name, _ in attributes} <= {"href", "src", "alt", "class", "style"}
        self.tags.append(tag)
        self.links |= {value for name, value in attributes if name in ("href", "src")}

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def with_everywhere(value: str) -> dict[str, Any]:
    """A run in which everything that comes from outside is this text."""
    run = run_of("--pruner wo_coarse --sample_tests true", "iterative")
    run |= {"source": value, "source_revision": value, "source_license": value, "libraries": {value: value}}
    run["settings"] |= dict.fromkeys(("scorer", "tokenizer", "dataset_config", "score", value), value)
    run["summary"] |= {title: {value: 1} for title in ("unusable", "failures", "filtered", "unjudged")}
    return run


@pytest.mark.parametrize("value", HOSTILE)
def test_nothing_from_outside_becomes_markup(value: str) -> None:
    for tame, hostile in (
        (with_everywhere("tame"), with_everywhere(value)),
        (
            {**BASELINES, "runs": {"tame": with_everywhere("tame")}},
            {**BASELINES, "runs": {value: with_everywhere(value)}},
        ),
    ):
        expected, shown = (
            Shape(card_html(dataset_card_body(run, name, "tokens.png")))
            for run, name in ((tame, "tame"), (hostile, value))
        )
        assert set(shown.tags) <= TAGS
        assert shown.tags == expected.tags
        assert shown.links == expected.links
        assert " ".join("".join(c if c.isprintable() else " " for c in value).split()) in "".join(shown.words)


@pytest.mark.parametrize("value", HOSTILE)
def test_nothing_from_outside_gets_into_the_yaml(value: str) -> None:
    base = DatasetCardData(tags=["mine"], configs=[{"config_name": "default"}])
    for run in (RUNS["wo_any"], with_everywhere(value)):
        data = dataset_card_data(run, f"me/{value}", "mit", base)
        card = DatasetCard(f"---\n{data}\n---\n\n{dataset_card_body(run, value)}")
        assert vars(card.data) == vars(data)
        assert card.data["license"] == "mit"
        assert card.text.lstrip().startswith("# ")


@pytest.mark.parametrize("value", HOSTILE)
def test_nothing_from_outside_becomes_markup_in_a_model_card(value: str) -> None:
    def card(word: str) -> Shape:
        result = replace(RESULT, dataset_revision=word * 12, split=word, engine=word)
        settings = {"optim": word, "max_length": word}
        facts = replace(FACTS, base_model=word, dataset=word, dataset_revision=word, settings=settings, claimed=word)
        facts = replace(facts, settings_file=word, command={"model_name_or_path": word, "optim": [word, word]})
        return Shape(card_html(ModelCard(model_card(replace(facts, repo_id=word, results=[result]))).text))

    tame, shown = card("tame"), card(value)
    assert set(shown.tags) <= TAGS
    assert shown.tags == tame.tags
    assert shown.links == tame.links
