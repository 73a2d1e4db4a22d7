"""The real tables, each with the mapping that a person would write, and the results of its rows."""
