"""The README's words below its YAML: what was done, in numbers from `run.json`, and how to load it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .summary import summary_table

_TEXT = """\
# {source}, pruned

{rows:,} rows; the reasoning of {usable:,} of them was pruned with [asap-hf](https://arxiv.org/abs/2508.05988), from
{before:,} to {after:,} tokens in all ({share:.1%}).

```text
{table}
```

## Load it

```python
load_dataset(path)           # prompt, completion: what `trl sft` trains on
load_dataset(path, "steps")  # every step, its scores, and what each stage kept
```

Train with a `max_length` that holds the longest row: TRL's own default cuts at 1,024 tokens. `prompt` is rendered for
`{tokenizer}` and ends in the open `<think>` tag; for another model, render it anew. Rows that could not be pruned at
all are kept in the split `unusable`, each with its reason; rows for which a stage found no pruning stay in `train`
with `ok` false and a `reason`.

## How it was made

{settings}
"""


def card_body(run: Mapping[str, Any]) -> str:
    """Markdown for one run; every number is the run's own."""
    summary, settings = run["summary"], run["settings"]
    totals = [spread["total"] for spread in summary["tokens"].values()]
    timeless = {name: value for name, value in summary.items() if name not in ("seconds", "llm")}
    return _TEXT.format(
        source=run["source"],
        rows=summary["rows"],
        usable=summary["usable"],
        before=totals[0],
        after=totals[-1],
        share=totals[-1] / max(totals[0], 1),
        table=summary_table(timeless),
        tokenizer=settings["tokenizer"],
        settings="\n".join(f"- `{name}`: {value}" for name, value in settings.items()),
    )
