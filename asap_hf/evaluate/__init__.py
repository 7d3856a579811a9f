"""The evaluation run: generate, cut to the budgets, grade, write; broken off at any moment, it goes on from there."""
