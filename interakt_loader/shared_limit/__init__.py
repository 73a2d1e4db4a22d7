"""One call limit for all loads of an account, wherever they run.

Without any option, the loads of one machine share a declared limit. Each call claims its turn right before it goes. So
nothing is reserved, and a process that is killed holds nothing.

- `account_limit`: the turns of the loads of this process, and the file through which the processes of a user agree.

With the option `share`, loads use a shared clock instead, which may be on another machine. So a process reserves a few
slots at a time and makes its calls at these instants. A 429 pushes the clock for all. Slots that were reserved and not
used are lost: less than a tenth of a second of the limit.

- `clock`: when the next call may go, for both ways; and the slots that this process has reserved. Pure.
- `sqlite`, `redis`: the shared clock in a file for one machine, or in Redis for many.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from hashlib import blake2b

from interakt_loader.errors import NotJustNow, SettingsError
from interakt_loader.model import destination
from interakt_loader.privacy.secrets import Secret
from interakt_loader.settings.values import Rate, hidden_share
from interakt_loader.shared_limit.account_limit import Turns, turns_of
from interakt_loader.shared_limit.clock import (
    ClockUnavailable,
    NoClock,
    RateDiffers,
    ReservedSlots,
    SharedClock,
    pace_of,
)

__all__ = [
    "ClockUnavailable",
    "RateDiffers",
    "ReservedSlots",
    "SharedClock",
    "Turns",
    "open_clock",
    "open_turns",
    "slots_of",
]


def open_turns(base_url: str, api_key: Secret | str, rate: Rate) -> AbstractContextManager[Turns]:
    """Let a load take turns under its declared limit, together with all loads of the account on this machine."""
    return turns_of(_fingerprint(base_url, api_key), rate)


def open_clock(share: Secret | str, base_url: str, api_key: Secret | str, rate: Rate) -> SharedClock:
    """Return the shared clock of an account at the address `share`, which the settings have checked.

    Raises `NotJustNow` if it cannot be reached, and `SettingsError` if another load declares another rate.
    """
    address = hidden_share(share)
    account = _fingerprint(base_url, api_key)
    try:
        if str(address).startswith("sqlite:"):
            from interakt_loader.shared_limit.sqlite import SqliteClock

            clock: SharedClock = SqliteClock(str(address), account, rate, pace_of(rate))
        else:
            from interakt_loader.shared_limit.redis import RedisClock

            clock = RedisClock(address, account, rate, pace_of(rate))
        try:
            clock.reserve(0)
        except BaseException:
            clock.close()
            raise
    except ClockUnavailable as error:
        raise NotJustNow(f"share {address}: {error}") from None
    except (RateDiffers, NoClock) as error:
        raise SettingsError(f"share {address}: {error}") from None
    return clock


def slots_of(rate: Rate, workers: int) -> ReservedSlots:
    """Return the slots of this process, none yet, for a clock at this rate."""
    return ReservedSlots(pace_of(rate), workers)


def _fingerprint(base_url: str, api_key: Secret | str) -> bytes:
    """Return a digest that identifies an account at one address. Keys are random, so it does not reveal the key."""
    return blake2b(destination(base_url, api_key).encode(), digest_size=16, person=b"share").digest()
