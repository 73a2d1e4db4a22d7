"""What the tests' coverage must be: `python -m tests.coverage` judges what `make coverage` has measured."""
