"""What several evaluation runs say together: tables, tests between runs, pictures, and a report."""
