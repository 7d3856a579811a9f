"""Compare evaluation runs: tables, tests between runs, pictures, and a report."""
