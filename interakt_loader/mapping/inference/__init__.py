"""A mapping found out from a table's column names and a sample of its rows, in the order in which it is done.

`sample` takes the first rows apart into columns; `names` is what names say; `types` finds what each column holds
(`times` and `lists` for it, `guess` is what they answer); `identity` finds who a row is about (`phones` for it), and
`roles` the event's name, the time and the tags; `fitting` fits a preset to the rows; `inferred` is what comes of it,
and writes it down.
"""
