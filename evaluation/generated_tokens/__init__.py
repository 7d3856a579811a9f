"""Generated tokens: the length of a model's answers in tokens, and the share that was cut off at the limit."""
