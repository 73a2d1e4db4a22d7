"""Small mistakes, put one by one into the modules that decide: `python -m tests.mutants`."""
