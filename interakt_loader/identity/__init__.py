"""Who a call is about: user ids, phones and countries as people write them → as the API wants them.

`written` reads cells as text, `user_ids` and `phones` are a column each; `preferred` picks the phone of a row from
several columns. A phone is read in one of two ways, with the same result: `plans` judges a column at once where a
country's numbering plan is simple; else `phone_text` takes the digits out of a text, and `one_phone` asks
`phonenumbers` about them. `countries` reads countries, with the names in `countries.tsv`.
"""

from __future__ import annotations

from interakt_loader.identity.countries import country_code
from interakt_loader.identity.phones import CHECKS, Phones, Preferred, phones, preferred_phones
from interakt_loader.identity.user_ids import Ids, event_names, user_ids

__all__ = [
    "CHECKS",
    "Ids",
    "Phones",
    "Preferred",
    "country_code",
    "event_names",
    "phones",
    "preferred_phones",
    "user_ids",
]
