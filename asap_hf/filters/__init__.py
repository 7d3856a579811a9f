"""Rows that leave a dataset before it is pruned."""
