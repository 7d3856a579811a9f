"""What goes to the Hub: one file for each kind of thing."""
