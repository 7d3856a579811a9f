"""`asap-hf explore`: write a page of a result."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ..errors import UsageError
from .prune_arguments import option


@dataclass
class ExploreArguments:
    """Arguments of `asap-hf explore`; every one can stand in the YAML file that `--config` names."""

    folder: str = field(metadata={"help": "a result of `asap-hf prune`, or a dataset of several pruners"})
    output: str = option("explore.html", "the page")
    compare: list[str] = field(
        default_factory=list, metadata={"help": "results of the same source rows, to compare it with"}
    )
    limit: int | None = option(None, "show the first rows only")
    overwrite: bool = option(False, "replace the page if it is there")


ARGUMENTS = ExploreArguments
# A browser opens a page of this size within some seconds; `--limit` makes a smaller one.
_LARGE = 100 << 20


def main(arguments: ExploreArguments) -> None:
    """Write the page, and print its size."""
    from ..explore.page import is_page, write_page
    from ..explore.results import open_results

    output = Path(arguments.output)
    if arguments.limit is not None and arguments.limit < 1:
        raise UsageError(f"--limit is 1 or more; got {arguments.limit}")
    if output.is_dir():
        raise UsageError(f"{arguments.output!r} is a folder: name the page with --output, explore.html for example")
    if output.exists() and not (output.is_file() and is_page(output)):
        raise UsageError(f"{arguments.output!r} is no page of asap-hf explore: name another file with --output")
    if output.exists() and not arguments.overwrite:
        raise UsageError(f"{arguments.output!r} exists; pass --overwrite to replace it")
    results = open_results(Path(arguments.folder), [Path(folder) for folder in arguments.compare])
    written = write_page(results, output, arguments.limit)
    print(f"{written['traces']:,} traces, {written['bytes'] / 1e6:.1f} MB: open {arguments.output}")
    if written["alone"]:
        print(f"{written['alone']:,} of them have nothing beside them in some other result")
    if written["bytes"] > _LARGE:
        print("a browser takes a while to open a page of this size; --limit makes a smaller one")
