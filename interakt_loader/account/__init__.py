"""Read the account back: its contacts, as the API gives them, and what a load believes of them.

`contacts` is one page of contacts and what it says. `windows` decides what is asked next, without any I/O. `lookups`
asks for single users in place of all. `reader` asks by the engine that loads have too. `kept` has what was read on
disk, so that a reading continues after a kill. `pull` writes a table of it.
"""
