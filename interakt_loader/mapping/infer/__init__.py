"""A proposed mapping, from the names of the columns and a sample of the rows.

`infer` is the entry point. `sample` holds the first rows as columns, and `names` is what the names of columns say.
`proposal` chooses by names and types which column is which field. `evidence` adds what the values show, and `types`
finds what each other column holds. `inferred` is the result, and writes it down.
"""
