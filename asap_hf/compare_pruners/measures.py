"""Measure what pruning did to a reasoning's structure: fences left open, programs with missing lines."""

from __future__ import annotations

from itertools import groupby

from ..traces.code_lines import LineKind, classify
from ..traces.fences import ends_in_block

Program = tuple[str, ...]


def opens_a_fence(before: str, after: str) -> bool:
    """Whether pruning left a code fence without its end, or without its beginning, which turns the end into one: all
    text from there on reads as code. Not if that was so before."""
    return ends_in_block(after.split("\n")) and not ends_in_block(before.split("\n"))


def code_kept_whole(before: str, after: str) -> tuple[int, int]:
    """How many lines of code a reasoning holds, and how many of them still stand in a whole program after pruning.

    A program is a run of code lines with nothing but blank lines between them, as the splitter `code` sees it. It is
    whole if every line of it is there as it was, indentation included, and in its place: one that lacks a line, or has
    half of one, counts with none of its lines. Where the prose between two programs went, both are found within one
    run. Lines are counted in the original, as the halves that cutting words leaves are no lines of code to count.

    Returns:
        `tuple[int, int]`: lines of code before, and how many of them are left in whole programs.
    """
    originals = programs(before)
    starting: dict[str, list[Program]] = {}
    for program in sorted(set(originals), key=len, reverse=True):
        starting.setdefault(program[0], []).append(program)
    whole = 0
    for run in programs(after):
        place = 0
        while place < len(run):
            here = next((one for one in starting.get(run[place], ()) if run[place : place + len(one)] == one), None)
            whole += len(here or ())
            place += len(here or run[:1])
    lines = sum(map(len, originals))
    return lines, min(whole, lines)  # an LLM may write one program twice


def programs(text: str) -> list[Program]:
    """The runs of code lines of a text, without blank lines and trailing white space. Lines that may be code count
    only in a run with one that is."""
    lines = [line.rstrip() for line in text.split("\n") if line.strip()]
    runs = []
    for is_prose, group in groupby(lines, key=lambda line: classify(line) is LineKind.PROSE):
        run = tuple(group)
        if not is_prose and LineKind.CODE in map(classify, run):
            runs.append(run)
    return runs
