"""A result as one page to read in: what was cut of each trace, and why."""
