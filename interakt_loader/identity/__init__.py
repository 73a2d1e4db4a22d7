"""Who a call is about: user ids, phones and countries as people write them → as the API takes them.

`user_ids` reads columns of ids and event names, `phones` columns of phones, and `countries` the text of a country.
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
