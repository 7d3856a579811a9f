"""`asap-hf evaluate`: its arguments, and what it does with them."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..benchmarks.registry import BENCHMARK_NAMES
from ..errors import UsageError
from .prune_arguments import option
from .unused_flags import Rule, refuse_unused

if TYPE_CHECKING:
    from ..benchmarks import Benchmark
    from ..evaluate.run import Evaluation
    from ..llm.engine import Engine


@dataclass
class EvaluateArguments:
    """Arguments of `asap-hf evaluate`; every one can stand in the YAML file that `--config` names."""

    model: str = field(metadata={"help": "Hub id, folder, or the name under which an endpoint serves it"})
    benchmark: str = option("", f"{', '.join(BENCHMARK_NAMES)}; several with commas")
    output_dir: str = option("", "folder for the result")
    overwrite: bool = option(False, "replace what stands in output_dir, once the new one is whole")
    budget: str = option("", "most tokens per answer; several with commas; none: the paper's for each benchmark")
    benchmark_path: str = option("", "local copies: name=file, several with commas")
    limit: int | None = option(None, "the first problems of each benchmark only")
    think: bool = option(True, "open <think> in the prompt; --no_think: the answer comes at once")
    temperature: float = option(0.0, "0: the likeliest token (Appendix A)")
    top_p: float = option(1.0, "nucleus mass, where the temperature is over 0")
    samples: int = option(1, "answers per problem")
    seed: int = option(0, "of the random streams, where the temperature is over 0")
    grader_workers: int | None = option(None, "programs graded at once; none: one per core")

    engine: Literal["vllm", "transformers", "endpoint"] = option("vllm", "what runs the model")
    revision: str | None = option(None, "branch, tag or commit of the model")
    dtype: str = option("bfloat16", "of the weights (Appendix A)")
    enforce_eager: bool = option(False, "vllm: no compilation; starts sooner, generates more slowly")
    max_model_len: int | None = option(None, "vllm: most tokens of prompt and answer; none: what model and GPU hold")
    max_num_seqs: int | None = option(None, "vllm: most answers under way at once; none: vLLM's default")
    gpu_memory: float = option(0.9, "vllm: share of the GPU's memory (Appendix A)")
    tensor_parallel_size: int = option(1, "vllm: GPUs that share the model")
    device: str | None = option(None, "transformers: cpu, cuda, cuda:1, …; none: the fastest there is")
    batch_size: int = option(8, "transformers: answers under way at once")
    base_url: str | None = option(None, "endpoint: where the OpenAI-compatible server is")
    api: Literal["completions", "chat"] = option("completions", "endpoint: chat, where it has no completions")
    tokenizer: str | None = option(None, "endpoint: Hub id or folder of the model's tokenizer; none: the model")
    api_key_env: str | None = option(None, "endpoint: environment variable that holds the key")
    max_concurrency: int = option(32, "endpoint: requests under way at once")
    timeout: float = option(600.0, "endpoint: seconds of silence after which a request is lost")
    dry_run: bool = option(False, "say what would be done, and do nothing")

    def check(self) -> None:
        """Refuse what cannot work. Not at construction: there, a misspelt flag would be reported after a value that is
        missing because of it.

        Raises:
            `UsageError`: with what to change.
        """
        if not self.benchmark:
            raise UsageError("say what to evaluate on with --benchmark")
        if not self.output_dir and not self.dry_run:
            raise UsageError("say where the result goes with --output_dir")
        for name in ("samples", "limit", "grader_workers", "batch_size", "max_concurrency", "max_num_seqs"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"--{name} is 1 or more; got {value}")
        if self.temperature < 0 or not 0 < self.top_p <= 1:
            raise UsageError("--temperature is 0 or more, --top_p over 0 and at most 1")
        if self.samples > 1 and self.temperature == 0:
            raise UsageError(f"--samples {self.samples} would be one answer again and again: set a --temperature")
        refuse_unused(self, [_SAMPLING, *_engine_rules()])


_SAMPLING = Rule(["top_p", "seed"], lambda given: given.temperature > 0, "where the --temperature is over 0")


def _engines() -> dict[str, type[Engine]]:
    from ..llm.endpoint import EndpointEngine
    from ..llm.transformers import TransformersEngine
    from ..llm.vllm import VLLMEngine

    return {one.kind: one for one in (VLLMEngine, TransformersEngine, EndpointEngine)}


def _engine_rules() -> list[Rule]:
    """A rule for each flag that not every engine has."""
    engines = {name: {one.name for one in fields(engine)} for name, engine in _engines().items()}
    having = {
        one.name: [name for name, theirs in engines.items() if one.name in theirs] for one in fields(EvaluateArguments)
    }
    return [
        Rule(
            [flag],
            lambda given, names=names: given.engine in names,  # type: ignore[misc]
            f"with --engine {' or '.join(names)}",
            "engine",
        )
        for flag, names in having.items()
        if names and len(names) < len(engines)
    ]


def main(arguments: EvaluateArguments) -> None:
    """Evaluate, or print the plan."""
    from ..evaluate.workspace import EVALUATION
    from ..runtime.own_folders import refuse_to_replace

    arguments.check()
    if not arguments.dry_run:
        refuse_to_replace(Path(arguments.output_dir), EVALUATION, arguments.overwrite)
    _quiet_transformers()
    evaluation = evaluation_of(arguments)
    if arguments.dry_run:
        from ..evaluate.tables import plan_table

        print(plan_table(evaluation))
        print("\ndry run: nothing was written, no model was loaded, nothing was generated")
        return
    from ..evaluate.tables import report_table

    report = evaluation.run(Path(arguments.output_dir), arguments.overwrite)
    print(report_table(report))
    print(f"\nwritten to {arguments.output_dir}; asap-hf compare {arguments.output_dir} … sets runs beside each other")


def _quiet_transformers() -> None:
    """One bar is enough: it draws its own for every model that it loads."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()


def evaluation_of(arguments: EvaluateArguments) -> Evaluation:
    """The evaluation that the arguments describe."""
    from ..evaluate.budgets import parse_budgets
    from ..evaluate.run import Evaluation
    from ..llm.engine import Sampling

    benchmarks = _benchmarks(arguments)
    given = parse_budgets(arguments.budget) if arguments.budget else None
    return Evaluation(
        engine=_engine(arguments),
        benchmarks=benchmarks,
        budgets={one.name: given or (one.budget,) for one in benchmarks},
        sampling=Sampling(arguments.temperature, arguments.top_p),
        seed=arguments.seed,
        samples=arguments.samples,
        think=arguments.think,
        workers=arguments.grader_workers,
    )


def _benchmarks(arguments: EvaluateArguments) -> list[Benchmark]:
    from ..benchmarks import open_benchmark

    names = list(dict.fromkeys(name.strip() for name in arguments.benchmark.split(",") if name.strip()))
    if not names:
        raise UsageError(f"--benchmark is one or more of {', '.join(BENCHMARK_NAMES)}; got {arguments.benchmark!r}")
    if unknown := [name for name in names if name not in BENCHMARK_NAMES]:  # before one of the others is fetched
        raise UsageError(f"there is no benchmark {unknown[0]!r}: give one of {', '.join(BENCHMARK_NAMES)}")
    paths = {}
    for pair in filter(None, arguments.benchmark_path.split(",")):
        name, equals, path = pair.partition("=")
        if not equals or name not in names:
            raise UsageError(f"--benchmark_path is name=file, with a name from --benchmark; got {pair!r}")
        paths[name] = path
    return [open_benchmark(name, paths.get(name), arguments.limit) for name in names]


def _engine(arguments: EvaluateArguments) -> Engine:
    chosen = _engines()[arguments.engine]
    given = {one.name: getattr(arguments, one.name) for one in fields(chosen) if hasattr(arguments, one.name)}
    return chosen(**given)


ARGUMENTS = EvaluateArguments
