"""Errors by who has to act on them: the operator (raised), or nobody (a reason on a row)."""


class UsageError(Exception):
    """The command or the arguments cannot work as given; the message says what to change. Exit code 2."""


class RunError(Exception):
    """The arguments were right, the run failed all the same (a full disk, an unreachable model). Exit code 1."""


class UnusableTrace(ValueError):
    """A row that no pruner can work on. It is kept as it is, and `reason` goes into its `reason` column.

    Args:
        reason (`str`):
            A short code from `asap_hf.traces.trace.REASONS`.
    """

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason
