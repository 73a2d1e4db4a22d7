"""Who a call is about: user ids, phones and countries as people write them → as the API wants them.

`written` reads cells as text, `user_ids` and `phones` are a column each; `preferred` picks the phone of a row from
several columns. A phone goes down one of two roads with one outcome: `plans` judges a column at once where a
country's numbering plan is plain, `one_phone` asks `phonenumbers` about each number that is left.
"""

from interakt_loader.identity.countries import country_code
from interakt_loader.identity.one_phone import CHECKS
from interakt_loader.identity.phones import Phones, phones
from interakt_loader.identity.preferred import Preferred, preferred_phones
from interakt_loader.identity.user_ids import UserIds, user_ids

__all__ = ["CHECKS", "Phones", "Preferred", "UserIds", "country_code", "phones", "preferred_phones", "user_ids"]
