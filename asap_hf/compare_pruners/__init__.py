"""Compare pruning methods at equal token budgets, on the same traces."""
