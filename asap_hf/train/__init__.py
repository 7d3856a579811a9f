"""Fine-tuning on what pruning left (§3.4): what `trl sft` will train on, checked and counted before it starts."""
