"""A proposed mapping, in the order in which it is made.

`sample` takes the first rows apart into columns; `names` is what the names of columns say; `proposal` chooses by names
and types which column is which field and what the rows are; `evidence` adds what the values say of these columns
(`countries` for the phones), as reasons, questions and remarks; `types` finds what each other column holds (`times` and
`lists` for it, `guess` is what they answer); `fitting` fits a preset to the rows; `inferred` is the result, and writes
it down.
"""

from __future__ import annotations
