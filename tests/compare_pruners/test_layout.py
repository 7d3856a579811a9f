"""What is printed, and the same as Markdown."""

from __future__ import annotations

from asap_hf.compare.paired import Estimate
from asap_hf.compare_pruners.layout import as_markdown, on_terminal
from asap_hf.compare_pruners.table import LossContrast, PrunerRow, Table
from asap_hf.reporting.statistics import Interval, SignedRank

BEST = PrunerRow(
    pruner="selective_context",
    traces=104,
    nats=Estimate(0.4391, Interval(0.4, 0.5)),
    contrast=LossContrast(Estimate(-0.3337, Interval(-0.391, -0.288)), SignedRank(1e-9, 104, -0.9), 3e-9),
    tokens=1234.4,
    used=0.987,
    over=2,
    failed=3,
    seconds=131.2,
    cpu_seconds=1.456,
    fences_opened=1,
    code=0.284,
    best=True,
)
RANDOM = PrunerRow("random", 104, Estimate(0.7728, None), None, 1200.0, 1.0, 0, 0, 0.004, 0.004, 0, 0.25)
LATE = PrunerRow(
    pruner="late",
    traces=3,
    nats=Estimate(0.8, None),
    contrast=LossContrast(Estimate(0.0272, None), SignedRank(0.5, 3, 0.3), 1.0),
    tokens=99.0,
    used=0.9,
    over=0,
    failed=0,
    seconds=None,
    cpu_seconds=None,
    fences_opened=0,
    code=None,
)
NOTHING = PrunerRow("nothing", 104, Estimate(1.096, None), None, 0.0, None, 0, 0, None, None, 0, 0.0)
TABLE = Table(0.25, (BEST, RANDOM, LATE, NOTHING))
PRINTED = """\
0.25 of the original's tokens, 104 traces
                      nats  − random    95% interval  Holm p  tokens  used     s  CPU s  torn  code
* selective_context  0.439    −0.334  −0.39 to −0.29  <0.001   1,234   99%   131   1.46     1   28%
  random             0.773         –               –       –   1,200  100%  0.00   0.00     0   25%
  late               0.800    +0.027               –   1.000      99   90%     –      –     0     –
  nothing            1.096         –               –       –       0     –     –      –     0    0%

* the best at its budget

note: selective_context at 0.25 is over the budget on 2 of 104 traces.

note: selective_context at 0.25 failed on 1 of 104 traces, and left them as they were.

note: late at 0.25 was measured on 3 of 104 traces.

"""


def test_a_table_is_aligned_and_within_100_columns() -> None:
    printed = on_terminal([TABLE])
    assert printed.startswith(PRINTED)
    assert max(map(len, printed.splitlines())) <= 100
    assert "The measure favours steps that contain" in printed
    assert "24 % of the" in printed
    assert on_terminal([TABLE, TABLE]).count("104 traces\n  ") == 2


def test_markdown_has_the_same_cells_and_escapes_names() -> None:
    odd = Table(0.5, (PrunerRow("a|b<c", 1, Estimate(1.0, None), None, 0.0, None, 0, 0, None, None, 0, None),))
    text = as_markdown([TABLE, odd])
    assert "**0.25 of the original's tokens, 104 traces**" in text
    assert "| `selective_context` | **0.439** | −0.334 | −0.39 to −0.29 | &lt;0.001 | 1,234 | 99% | 131 |" in text
    assert "a|b" not in text
    assert "selective\\_context" not in text
    header = next(line for line in text.splitlines() if line.startswith("|  |"))
    assert all(line.count("|") == header.count("|") for line in text.splitlines() if line.startswith("|"))
