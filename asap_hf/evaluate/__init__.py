"""Run an evaluation: generate, cut to the budgets, grade, write. A run that was stopped continues where it was."""
