"""Leave rows out of a dataset before it is pruned."""
