"""Mutation tests: changes HumanEval's solutions in one place, and compares the jail's verdicts with those of plain
Python.

    python -m tests.evaluation.mutants ../shared/data/humaneval/HumanEval.jsonl.gz
    python -m tests.evaluation.mutants HumanEval.jsonl.gz --count 1200 --seed 1 --workers 2

Plain Python is a process that runs prompt, solution, test and `check(entry_point)` as one program, without protection:
the program consists of HumanEval's own code alone. Exits with 1 if the two verdicts of a changed solution differ.

Changed helpers of the prompts are reported separately, because there the two differ by design: a test that calls a
helper by name calls the program's helper in plain Python, and in the jail always the prompt's.
"""

from __future__ import annotations

import argparse
import ast
import copy
import gzip
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evaluation.pass_at_1.host_grader import Grader, Verdict
from evaluation.pass_at_1.host_task_builders import humaneval_task

CPU_SECONDS = 1  # of both ways; no solution of HumanEval takes half of it
Row = dict[str, Any]

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_OPERATORS: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Add, ast.FloorDiv),
    ast.Div: (ast.FloorDiv, ast.Mult),
    ast.FloorDiv: (ast.Div, ast.Mod),
    ast.Mod: (ast.FloorDiv,),
    ast.Pow: (ast.Mult,),
}


@dataclass(frozen=True)
class Mutant:
    """A program that differs from prompt and solution in one place."""

    row: Row
    code: str
    change: str
    in_helper: bool
    """Whether that place is in a helper function of the prompt."""

    @property
    def name(self) -> str:
        return f"{self.row['task_id']}, {self.change}"


def mutants_of(row: Row) -> list[Mutant]:
    """All mutants of a row, without duplicates. Docstrings and imports are not changed."""
    tree = ast.parse(row["prompt"] + row["canonical_solution"])
    original = ast.unparse(tree)
    found: dict[str, Mutant] = {}
    for position, top in enumerate(tree.body):
        helper = not (isinstance(top, ast.FunctionDef) and top.name == row["entry_point"])
        for number, node in enumerate(ast.walk(top)):
            for change, mutated in _changes(node):
                whole = copy.deepcopy(tree)
                _put(whole, position, number, mutated)
                code = ast.unparse(whole)
                if code != original:
                    found.setdefault(code, Mutant(row, code + "\n", f"{_place(node)}: {change}", helper))
    return list(found.values())


def _place(node: Any) -> str:
    """Line and columns of a node in prompt and solution."""
    return f"line {node.lineno}, columns {node.col_offset} to {node.end_col_offset}"


def _put(tree: ast.Module, position: int, number: int, mutated: ast.AST) -> None:
    """Replace a node in a copy of the tree by the mutated one."""
    place = list(ast.walk(tree.body[position]))[number]
    place.__class__ = mutated.__class__
    place.__dict__.clear()
    place.__dict__.update(copy.deepcopy(mutated.__dict__))


def _changes(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """The mutations of a node, each with a description."""
    match node:
        case ast.Compare(ops=[first, *_]):
            for other in _COMPARISONS.get(type(first), ()):
                ops = [other(), *node.ops[1:]]
                yield f"{_word(first)} to {_word(other())}", _with(node, ops=ops)
        case ast.BinOp() | ast.AugAssign():
            for operator in _OPERATORS.get(type(node.op), ()):
                yield f"{_word(node.op)} to {_word(operator())}", _with(node, op=operator())
        case ast.BoolOp():
            yield "and and or swapped", _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
        case ast.UnaryOp():
            yield f"without {_word(node.op)}", node.operand
        case ast.Constant(value=bool(flag)):
            yield f"{flag} to {not flag}", _with(node, value=not flag)
        case ast.Constant(value=int(number) | float(number)):
            for by in (1, -1):
                yield f"{number} to {number + by}", _with(node, value=number + by)
        case ast.Constant(value=str(text)) if len(text) < 20 and "\n" not in text:
            yield f"{text!r} longer", _with(node, value=f"{text}x")
        case ast.Return(value=ast.expr()):
            yield "returns None", _with(node, value=ast.Constant(None))
        case ast.If() | ast.While() | ast.IfExp():
            yield "condition negated", _with(node, test=ast.UnaryOp(ast.Not(), node.test))
        case ast.Call(func=ast.Name(id="range"), args=[*before, last]):
            for by in (1, -1):
                off_by_one = ast.BinOp(last, ast.Add(), ast.Constant(by))
                yield f"range off by {by}", _with(node, args=[*before, off_by_one])
        case ast.Break():
            yield "break to continue", ast.Continue()
        case ast.Continue():
            yield "continue to break", ast.Break()


def _with(node: ast.AST, **fields: Any) -> ast.AST:
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


def _word(operator: ast.AST) -> str:
    return type(operator).__name__


def ordinary_outcome(mutant: Mutant) -> str:
    """Run the mutant in plain Python: `pass`, `not passed` or `timeout`, by its exit status."""
    row = mutant.row
    program = f"{mutant.code}\n{row['test']}\ncheck({row['entry_point']})\n"
    environment = {**os.environ, "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder:
        ended = subprocess.run(
            [sys.executable, "-c", program],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=_limit,
            check=False,
        )
    if ended.returncode < 0:
        return "timeout"
    return "not passed" if ended.returncode else "pass"


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))


def jailed_verdicts(grader: Grader, mutants: Sequence[Mutant]) -> list[Verdict]:
    """The verdicts of `pass_at_1`, in the order of the mutants."""
    tasks = [replace(humaneval_task(one.row, one.code), cpu_seconds=CPU_SECONDS) for one in mutants]
    return grader.grade(tasks)


def differences(grader: Grader, mutants: Sequence[Mutant]) -> dict[str, str]:
    """The mutants that pass in only one of the two ways: name → both verdicts."""
    with ThreadPoolExecutor(grader.workers) as threads:
        ordinary = list(threads.map(ordinary_outcome, mutants))
    rows = zip(mutants, ordinary, jailed_verdicts(grader, mutants), strict=True)
    return {
        one.name: f"ordinarily {outcome}, in the jail {verdict.status} ({verdict.detail})"
        for one, outcome, verdict in rows
        if (outcome == "pass") != (verdict.status == "pass") or verdict.status == "infra"
    }


def read_rows(path: Path) -> list[Row]:
    """Read HumanEval's own file."""
    with gzip.open(path, "rt") as lines:
        return [json.loads(line) for line in lines]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("humaneval", type=Path, help="HumanEval.jsonl.gz")
    parser.add_argument("--count", type=int, default=1000, help="mutants of solutions (default: 1000)")
    parser.add_argument("--seed", type=int, default=0, help="which of them (default: 0)")
    parser.add_argument("--workers", type=int, default=2, help="of both ways (default: 2)")
    arguments = parser.parse_args()
    everything = [mutant for row in read_rows(arguments.humaneval) for mutant in mutants_of(row)]
    helpers = [one for one in everything if one.in_helper]
    solutions = [one for one in everything if not one.in_helper]
    chosen = random.Random(arguments.seed).sample(solutions, min(arguments.count, len(solutions)))
    with Grader(arguments.workers) as grader:
        differing = _compared(grader, "solutions", chosen)
        _compared(grader, "the prompts' helpers", helpers)
    return 1 if differing else 0


def _compared(grader: Grader, title: str, mutants: Sequence[Mutant]) -> int:
    found = differences(grader, mutants)
    problems = {one.row["task_id"] for one in mutants}
    print(f"{title}: {len(mutants):,} mutants of {len(problems)} problems, {len(found)} differ")
    for name, verdicts in found.items():
        print(f"  {name}: {verdicts}")
    return len(found)


if __name__ == "__main__":
    sys.exit(main())
