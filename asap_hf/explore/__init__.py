"""Write a result as one HTML page that shows what was cut of each trace, and why."""
