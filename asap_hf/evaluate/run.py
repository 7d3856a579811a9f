"""`Evaluation`: run a model on benchmarks, from the prompts to the finished folder."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..benchmarks import Benchmark, Problem
from ..benchmarks.results import RESULTS_FILE
from ..errors import RunError
from ..llm.engine import Engine, Prompt, Sampling
from ..llm.outcomes import Failure
from ..llm.prompts import render
from ..models.tokens import load_tokenizer
from ..runtime.ledger import ledger_key
from ..runtime.progress import Progress
from .answers import generation_of, graded, in_order, read_answers
from .budgets import Reader
from .grading import grading_tier
from .regrading import refuse_older
from .report import Report
from .samples import GENERATIONS_FILE, SAMPLES_FILE, Sample, generations_table, samples_table
from .workspace import Workspace

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Evaluation:
    """What is evaluated, and how. The defaults are the paper's (Appendix A).

    Args:
        engine ([`Engine`]):
            The engine that generates.
        benchmarks (`Sequence[Benchmark]`):
            The benchmarks.
        budgets (`Mapping[str, tuple[int, ...]]`):
            By benchmark, ascending numbers of tokens. One generation under the largest serves all, see [`Reader`].
        sampling ([`Sampling`], *optional*, defaults to greedy):
            How tokens are chosen.
        seed (`int`, *optional*, defaults to 0):
            Of the random streams, one per answer. Without effect where decoding is greedy.
        samples (`int`, *optional*, defaults to 1):
            Answers per problem.
        think (`bool`, *optional*, defaults to `True`):
            Whether the prompt ends in the open `<think>`.
        workers (`int`, *optional*):
            Programs graded at once; `None`: one per processor core.
    """

    engine: Engine
    benchmarks: Sequence[Benchmark]
    budgets: Mapping[str, tuple[int, ...]]
    sampling: Sampling = field(default_factory=Sampling)
    seed: int = 0
    samples: int = 1
    think: bool = True
    workers: int | None = None

    def settings(self) -> dict[str, Any]:
        """The settings that decide about the generations. The smaller budgets do not: they may change until the
        end."""
        model, revision = self.engine.identity
        return {
            "model": model,
            "model_revision": revision,
            "engine": self.engine.version,
            **self.engine.settings(),
            **asdict(self.sampling),
            "seed": self.seed,
            "samples": self.samples,
            "think": self.think,
            "chat_template": hashlib.sha256(json.dumps(self._tokenizer.chat_template).encode()).hexdigest(),
            "benchmarks": {
                one.name: {"revision": one.revision, "prompts": one.prompts_hash, "budget": self.budgets[one.name][-1]}
                for one in self.benchmarks
            },
        }

    def prompts(self, benchmark: Benchmark) -> list[Prompt]:
        """One per answer, those to the same problem one after the other."""
        return [self._prompt(benchmark, one, number) for one in benchmark.problems for number in range(self.samples)]

    def run(self, output_dir: Path, overwrite: bool = False) -> Report:
        """Generate, grade, and write the folder. After a stop the same call continues where it was.

        Raises:
            [`UsageError`]: if `output_dir` holds something, or an unfinished evaluation with other settings was begun
                for it; or if the engine refuses the model.
            [`RunError`]: if generations fail, the machine has no jail for programs, or the disk is full.
        """
        if not overwrite:
            refuse_older(output_dir)
        settings = self.settings()
        with Workspace(output_dir, settings, overwrite) as space:
            tier = grading_tier()  # before hours of generation, rather than after
            try:
                for benchmark in self.benchmarks:
                    self._generate(benchmark, space)
            finally:
                self.engine.close()
            samples = self._graded(space)
            report = Report.of(settings, self.benchmarks, self.budgets, samples, space, tier)
            tables = {
                SAMPLES_FILE: samples_table(samples),
                GENERATIONS_FILE: generations_table(self._generation_rows(space)),
            }
            space.finish(tables, {RESULTS_FILE: report.summary()})
        return report

    def _generate(self, benchmark: Benchmark, space: Workspace) -> None:
        """Ask for the answers that are not there yet."""
        there = {(one["task_id"], one["sample"]) for one in space.of(benchmark.name)}
        asked = [
            (problem, number)
            for problem in benchmark.problems
            for number in range(self.samples)
            if (problem.task_id, number) not in there
        ]
        if there:
            total = len(there) + len(asked)
            logger.info("%s: %d of %d generations are there from before", benchmark.name, len(there), total)
        if not asked:
            return
        self.engine.start()
        prompts = [self._prompt(benchmark, problem, number) for problem, number in asked]
        session = len(space.sessions.records)
        space.sessions.add({"benchmark": benchmark.name, **self.engine.facts()})
        failures, begun = [], time.monotonic()
        with Progress(len(asked), unit="answers") as progress:
            for place, outcome in self.engine.generate(prompts, self.budgets[benchmark.name][-1], self.sampling):
                if isinstance(outcome, Failure):
                    failures.append(outcome.reason)
                else:
                    problem, number = asked[place]
                    identity = {"benchmark": benchmark.name, "task_id": problem.task_id, "sample": number}
                    at = {"session": session, "at": time.monotonic() - begun}
                    space.generations.add({**identity, **outcome.record(), **at})
                progress.advance(1, int(isinstance(outcome, Failure)))
        if failures:
            raise RunError(
                f"{len(failures):,} of {len(asked):,} generations for {benchmark.name} failed ({failures[0]}); the "
                "others are kept: run the same command again"
            )

    def _prompt(self, benchmark: Benchmark, problem: Problem, number: int) -> Prompt:
        # As many bits as every library takes for a seed.
        seed = int(ledger_key(self.seed, benchmark.name, problem.task_id, number)[:7], 16)
        return render(problem.messages, self._tokenizer, self.think, seed)

    def _graded(self, space: Workspace) -> list[Sample]:
        reader, samples = Reader(self._tokenizer, self.think), []
        for benchmark in self.benchmarks:
            rows = read_answers(benchmark, space.of(benchmark.name), reader, self.budgets[benchmark.name])
            samples += graded(benchmark, rows, space.verdicts, self.workers)
        return samples

    def _generation_rows(self, space: Workspace) -> list[dict[str, Any]]:
        """Rows of `generations.parquet`."""
        reader, rows = Reader(self._tokenizer, self.think), []
        for benchmark in self.benchmarks:
            records = in_order(benchmark, space.of(benchmark.name))
            for prompt, record in zip(self.prompts(benchmark), records, strict=True):
                rows.append({**record, "prompt": prompt.text, "text": reader.text(generation_of(record))})
        return rows

    @property
    def _tokenizer(self) -> PreTrainedTokenizerBase:
        return load_tokenizer(self.engine.tokenizer_name, self.engine.tokenizer_revision)
