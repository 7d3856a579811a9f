"""Build what is published on the Hub: one file for each kind."""
