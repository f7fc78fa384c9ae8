"""Pages that a person opens: the report, the comparison of runs, and what a run cost."""
