"""Find benchmark problems in a text by the runs of words that both hold. Opens no files."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

SHORTEST = 8
"""Words: the shortest run that says anything (GPT-3, Appendix C: shorter ones collide by chance)."""

_WORD = re.compile(r"[^\W_]+")
# A run that so many problems of one benchmark share is its form, not a problem. GPT-3 (Appendix C) passes over runs
# that stand in more than 10 training documents; this counts the benchmark's own problems, as no row is known ahead.
_MOST_PROBLEMS = 10

_Run = tuple[str, ...]


@dataclass(frozen=True)
class BenchmarkText:
    """A problem of a benchmark: the text that a model is shown."""

    benchmark: str
    task_id: str
    text: str


@dataclass(frozen=True)
class Hit:
    """A problem that stands in a text.

    Args:
        benchmark (`str`):
            The problem's benchmark.
        task_id (`str`):
            Its name there.
        ngram (`str`):
            The first shared run of words, as evidence.
        share (`float`):
            Which part of the problem's runs stands in the text, over 0.0 and at most 1.0.
    """

    benchmark: str
    task_id: str
    ngram: str
    share: float


class NgramIndex:
    """Problems by their n-grams: the runs of `n` words, as usual in decontamination.

    Words are runs of letters and digits, in lower case; everything between them is ignored, so that mark-up,
    punctuation and line breaks make no difference. GPT-3 (Appendix C) also ignores case and punctuation, but joins
    what punctuation parts; it takes 13 words, and 8 at the least where texts are short. open-r1, after s1, takes 8,
    lower-cases and splits at white space only.

    Both count one shared run as a hit. For programming problems that is too little: the one run is then a line of
    constraints ("contains n integers a 1 a 2 … a n 1 ≤ a i ≤ 10") or a definition that many problems give. So a hit
    must share `min_share` of the problem's runs. Measured with `n=13` on 433 questions from Codeforces, none of which
    is in HumanEval, LeetCodeDataset's test split or LiveCodeBench: 18 share some run with one of these, none more than
    0.032 of a problem's (0.087 with `n=8`). The 158 problems that LeetCodeDataset and LiveCodeBench have in common, as
    each of the two writes them, share 0.48 or more. The description alone, without its examples and constraints, is
    found for all but 11 of LiveCodeBench's 1,055 problems, all 228 of LeetCodeDataset's and 132 of HumanEval's 164;
    what is missed there are descriptions of a line or two. A paraphrase is not found.

    A problem of 8 to `n` - 1 words is one run; a shorter one is left out. Runs that stand in more than 10 problems of
    one benchmark are its boilerplate and do not count.

    Args:
        problems (`Iterable[BenchmarkText]`):
            What to look for.
        n (`int`, *optional*, defaults to 13):
            Words of a run, 8 or more (GPT-3: 13; open-r1 and s1: 8).
        min_share (`float`, *optional*, defaults to 0.1):
            Part of a problem's runs that must stand in a text, 0.0 to 1.0; 0.0 is the rule of one shared run.

    Raises:
        `ValueError`: if `n` or `min_share` is out of bounds.
    """

    def __init__(self, problems: Iterable[BenchmarkText], n: int = 13, min_share: float = 0.1):
        if n < SHORTEST or not 0 <= min_share <= 1:
            raise ValueError(f"n is {SHORTEST} or more and min_share 0 to 1; got {n} and {min_share}")
        self.min_share = min_share
        self.problems = list(problems)
        runs = [_runs_of_problem(words_of(problem.text), n) for problem in self.problems]
        boilerplate = self._boilerplate(runs)
        self._places: dict[_Run, list[int]] = defaultdict(list)
        self._sizes = [0] * len(runs)
        for number, own in enumerate(runs):
            own -= boilerplate[self.problems[number].benchmark]
            self._sizes[number] = len(own)
            for run in own:
                self._places[run].append(number)
        self._lengths = sorted({len(run) for run in self._places})

    def hits(self, text: str) -> list[Hit]:
        """The problems that stand in `text`, the one with the largest share first."""
        words = words_of(text)
        shared: Counter[int] = Counter()
        evidence: dict[int, _Run] = {}
        for length in self._lengths:
            for run in dict.fromkeys(_runs(words, length)):
                for number in self._places.get(run, ()):
                    shared[number] += 1
                    evidence.setdefault(number, run)
        shares = {number: count / self._sizes[number] for number, count in shared.items()}
        hits = [
            Hit(self.problems[number].benchmark, self.problems[number].task_id, " ".join(evidence[number]), share)
            for number, share in shares.items()
            if share >= self.min_share
        ]
        return sorted(hits, key=lambda hit: -hit.share)

    def _boilerplate(self, runs: Sequence[set[_Run]]) -> dict[str, set[_Run]]:
        """For each benchmark the runs that too many of its problems hold."""
        counts: dict[str, Counter[_Run]] = defaultdict(Counter)
        for problem, own in zip(self.problems, runs, strict=True):
            counts[problem.benchmark].update(own)
        return {
            benchmark: {run for run, count in counted.items() if count > _MOST_PROBLEMS}
            for benchmark, counted in counts.items()
        }


def words_of(text: str) -> list[str]:
    """The words of a text: runs of letters and digits of any script, in lower case, compatible forms made equal."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).lower())


def _runs(words: Sequence[str], length: int) -> Iterable[_Run]:
    return zip(*(words[start:] for start in range(length)), strict=False)


def _runs_of_problem(words: Sequence[str], n: int) -> set[_Run]:
    """The runs of `n` words; of a shorter problem the one run that it is, if that is long enough to say anything."""
    length = min(n, len(words))
    return set(_runs(words, length)) if length >= SHORTEST else set()
