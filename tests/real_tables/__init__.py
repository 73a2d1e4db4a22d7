"""The real tables, each with the mapping that a person would write, and what becomes of its rows."""
