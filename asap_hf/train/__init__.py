"""Check and count what `trl sft` will train on before it starts, and train (§3.4)."""
