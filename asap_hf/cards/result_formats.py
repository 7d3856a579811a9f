"""Format benchmark results for a model card, its YAML, and the Hub's leaderboards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from ..benchmarks.registry import BENCHMARKS
from ..benchmarks.results import BenchmarkResult
from ..paper import results_of
from ..reporting.formatting import NOTHING, seconds
from ..reporting.markdown import Markdown, code, count, table, text

if TYPE_CHECKING:
    from huggingface_hub import EvalResult


def results_table(own: Sequence[BenchmarkResult], base: Sequence[BenchmarkResult], base_model: str) -> Markdown:
    """Acc, Tok and Lat as in Table 1, for each benchmark with the paper's below where the two can be compared."""
    named = [(Markdown("**this model**"), one) for one in own] + [("base model, measured here", one) for one in base]
    names = list(BENCHMARKS)
    named.sort(key=lambda pair: (names.index(pair[1].benchmark), pair[1].budget))  # those of the base model come after
    rows: list[list[Any]] = []
    for title, group in groupby(named, key=lambda pair: _title(pair[1])):
        rows += [[title if place == 0 else "", *row] for place, row in enumerate(_rows(list(group), base_model))]
    return table(["benchmark", "", "Acc", "Tok", "Lat"], rows, numbers=(2, 3, 4))


def is_whole(result: BenchmarkResult) -> bool:
    """Whether every problem of the benchmark was asked and every answer graded. What comes of a part stays out of what
    the Hub compares."""
    return result.problems == BENCHMARKS[result.benchmark].size and not result.ungraded


def has_paper_rows(results: Sequence[BenchmarkResult], base_model: str) -> bool:
    """Whether the table has any row of the paper's."""
    return any(_in_paper(result, base_model) for result in results)


def conditions_table(results: Sequence[BenchmarkResult]) -> Markdown:
    """The conditions under which each benchmark was run."""
    rows = [
        (
            Markdown(f"[{text(_title(result))}](https://huggingface.co/datasets/{result.dataset})"),
            code(result.dataset_revision[:12]) if result.dataset_revision else NOTHING,
            code(result.split),
            count(result.problems),
            count(result.budget),
            result.engine,
            NOTHING if result.grader_version is None else str(result.grader_version),
            result.date,
        )
        for result in results
    ]
    header = ["benchmark", "commit", "split", "problems", "budget", "engine", "grader", "date"]
    return table(header, list(dict.fromkeys(rows)), numbers=(3, 4))


def model_index(results: Sequence[BenchmarkResult]) -> list[EvalResult]:
    """The results on whole benchmarks for `model-index` in a model card's YAML; Pass@1 in per cent, as in the paper's
    tables."""
    from huggingface_hub import EvalResult

    found = []
    for result in filter(is_whole, results):
        metrics = {
            "pass@1": ("Pass@1", _percent(result)),
            "generated_tokens": ("Generated tokens", result.tokens),
            "generation_latency": ("Seconds per sample", result.latency),
        }
        for metric, (name, value) in metrics.items():
            if value is not None:
                found.append(
                    EvalResult(
                        task_type="text-generation",
                        dataset_type=result.dataset,
                        dataset_name=BENCHMARKS[result.benchmark].title,
                        # `model-index` merges what differs in nothing else
                        dataset_config=BENCHMARKS[result.benchmark].config,
                        dataset_split=result.split,
                        dataset_revision=result.dataset_revision or None,
                        metric_type=metric,
                        metric_name=name,
                        metric_value=value,
                        metric_args={"max_new_tokens": result.budget},
                    )
                )
    return found


def eval_result_files(results: Sequence[BenchmarkResult]) -> dict[str, bytes]:
    """The results of one model as the files that the Hub shows with its card and in a benchmark's leaderboard.

    One file per result on a whole benchmark: `.eval_results/<benchmark>.yaml`, with the budget in its name where it is
    not the paper's. The Hub shows those whose dataset is registered as a benchmark with a task of that name.
    """
    import yaml
    from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

    files = {}
    for result in filter(is_whole, results):
        entry = EvalResultEntry(
            dataset_id=result.dataset,
            task_id=result.benchmark,
            value=_percent(result),
            dataset_revision=result.dataset_revision or None,
            date=result.date,
            notes=f"Pass@1 in per cent on {result.problems} problems; at most {result.budget} generated tokens, "
            f"{result.tokens:.0f} in the mean; {result.engine}",
        )
        other_budget = "" if result.budget == BENCHMARKS[result.benchmark].budget else f"_{result.budget}"
        path = f".eval_results/{result.benchmark}{other_budget}.yaml"
        files[path] = yaml.safe_dump(eval_result_entries_to_yaml([entry]), sort_keys=False).encode()
    return files


def _rows(group: Sequence[tuple[str, BenchmarkResult]], base_model: str) -> Iterator[list[Any]]:
    for who, result in group:
        yield [who, f"{_percent(result):.2f}", count(round(result.tokens)), seconds(result.latency)]
    for method, (acc, tok, lat) in _in_paper(group[0][1], base_model).items():
        yield [f"paper, {method}", f"{acc:.2f}", count(tok), seconds(lat)]


def _in_paper(result: BenchmarkResult, base_model: str) -> dict[str, tuple[float, int, float]]:
    """The paper's results with the same base, on the same problems, under the same budget."""
    same = result.budget == BENCHMARKS[result.benchmark].budget and is_whole(result)
    return results_of(base_model, result.benchmark) if same else {}


def _title(result: BenchmarkResult) -> str:
    """The benchmark's name, and what is not as in the paper."""
    title, problems = BENCHMARKS[result.benchmark].title, BENCHMARKS[result.benchmark].size
    title += "" if result.problems == problems else f", {result.problems} of {problems} problems"
    title += f", without {result.ungraded:,} answers that were not graded" if result.ungraded else ""
    return title + ("" if result.budget == BENCHMARKS[result.benchmark].budget else f", budget {result.budget:,}")


def _percent(result: BenchmarkResult) -> float:
    return round(100 * result.pass_at_1, 2)
