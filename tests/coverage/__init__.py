"""What the tests' coverage must be: `python -m tests.coverage` checks what `make coverage` has measured."""
