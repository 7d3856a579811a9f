"""`Method`: everything that is said of one value of `--pruner`, in one record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ..errors import UsageError

if TYPE_CHECKING:
    from ..llm.generator import Generator
    from .base import Pruner
    from .iterative import IterativePruner

Budget = Mapping[str, Any]
"""`max_tokens` or `ratio`, or neither where a method's own rule applies."""

FIRST_TOKEN = "first_token_surprisal"  # Eq. 2
HALF: Budget = {"ratio": 0.5}  # Appendix A, "Baseline Details"
SCORER = ("scorer", "scorer_revision", "context", "dtype", "max_context")
LLM = ("anchor_model", "anchor_backend", "max_attempts", "on_failure")


@dataclass(frozen=True)
class Options:
    """What a run asks for, as [`Method.stages`] reads it; nothing is loaded or started by it.

    Args:
        arguments (`Any`):
            The arguments of `asap-hf prune`, each an attribute by its name.
        budget (`Mapping`):
            `{"max_tokens": int}` or `{"ratio": float}`; empty where the method takes none or its own rule applies.
        tokenizer (`str`):
            The model whose tokens a budget counts: Hub id, folder, or `"embedded"`.
        generator (`Callable[[], Generator]`):
            Makes the LLM that `--anchor_model` names.
        first_attempt (`int`, *optional*, defaults to 0):
            Number of the first attempt at an LLM's answer; more where failed rows are done again.
    """

    arguments: Any
    budget: Budget
    tokenizer: str
    generator: Callable[[], Generator]
    first_attempt: int = 0

    @property
    def placement(self) -> dict[str, Any]:
        """Revision, dtype, device and limits of a model that scores, as keyword arguments of the scorers."""
        given = self.arguments
        limits = {"max_batch_tokens": given.max_batch_tokens, "max_context": given.max_context}
        return {
            "revision": given.scorer_revision,
            "dtype": given.dtype,
            "device": given.device,
            "deterministic": given.deterministic,
            **{name: value for name, value in limits.items() if value is not None},
        }

    @property
    def placement_of_whole_traces(self) -> dict[str, Any]:
        """The same for a model that sees a trace at once, never in windows."""
        return {name: value for name, value in self.placement.items() if name != "max_context"}

    def selected(self, pruner: IterativePruner) -> Pruner:
        """The pruner with the selector of `--selector` in place of Algorithm 2.

        Raises:
            [`UsageError`]: for `reference`, which replaces the whole of stage 2.
        """
        from .knapsack import KnapsackPruner

        if self.arguments.selector == "algorithm2":
            return pruner
        if self.arguments.selector == "reference":
            raise UsageError(
                "--selector reference is stage 2 of the authors' code: for --pruner asap and wo_coarse alone"
            )
        return KnapsackPruner(pruner.scorer, pruner.tokenizer, pruner.max_tokens, pruner.ratio, pruner.score)


@dataclass(frozen=True)
class Method:
    """One value of `--pruner`.

    What it costs stands in its stages: `--dry_run` asks each for [`Pruner.cost`].

    Args:
        name (`str`):
            The value.
        stages (`Callable[[Options], tuple[Pruner, ...]]`):
            The pruners that run one after the other; none where traces stay as they are. Loads nothing.
        description (`str`):
            Completes "This is … ." on a dataset card; one line of plain text.
        paper (`str`, *optional*, defaults to `""`):
            Where the paper has it: `"§3.1"` is ASAP, `"Table 2"` an ablation, `"Table 1"` a baseline. Empty: nowhere.
        settings (`tuple[str, ...]`, *optional*):
            The arguments of `asap-hf prune` that decide about the result, beside budget and score. They go into
            `run.json`, and a flag that is in no list is refused with this pruner.
        budget (`Mapping`, *optional*):
            The budget where none is asked for; empty where the method's own rule applies. `None`: it takes none, and
            what it keeps does not depend on how tokens are counted.
        score (`str`, *optional*):
            The score that decides, where steps are removed by one; `--selector` then applies.
        whole_steps (`bool`, *optional*, defaults to `True`):
            Steps are removed whole and the others stay as they were, to the letter: a card then says so.
        writes_text (`bool`, *optional*, defaults to `False`):
            What is left is in the words of an LLM.
    """

    name: str
    stages: Callable[[Options], tuple[Pruner, ...]]
    description: str
    paper: Literal["", "§3.1", "Table 1", "Table 2"] = ""
    settings: tuple[str, ...] = ()
    budget: Budget | None = None
    score: str | None = None
    whole_steps: bool = True
    writes_text: bool = False

    @property
    def has_scorer(self) -> bool:
        """Whether a model scores what is removed."""
        return not {"scorer", "compressor"}.isdisjoint(self.settings)

    @property
    def has_anchor(self) -> bool:
        """Whether an anchor chooses steps: an LLM's, or the answer, which then takes `--ratio`."""
        return "anchor_mode" in self.settings

    @property
    def has_choice_of_scores(self) -> bool:
        """Whether `--score` chooses among several."""
        return self.score == FIRST_TOKEN

    @property
    def counts_tokens(self) -> bool:
        """Whether another tokenizer could lead to another result."""
        return self.budget is not None or self.writes_text
