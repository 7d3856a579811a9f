"""Methods of pruning beside each other at equal token budgets, on the same traces."""
