"""One call limit for all loads of an account, wherever they run.

By itself a load holds a declared limit together with the other loads of its process and machine. Each call claims its
turn right before it goes, so nothing is reserved and a process that is killed holds nothing.

- `spacing`: the declared limits → when the next call may go. Pure.
- `account_limit`: what the loads of this process go by.
- `machine_file`: what the processes of one user go by: a file in the user's state folder.

With the option `share` they go by a shared clock instead, which may be far away. So a process reserves a few slots on
it at a time and makes its calls at these instants, and a 429 that it gets pushes the clock for all. What was reserved
and not used is lost, and that is less than a tenth of a second of the limit.

- `pace`: the declared rate → the distance of slots, and how late one may be used. Pure.
- `clock`: what a clock does, and the arithmetic of reserving. Pure.
- `slots`: what this process holds, and when it asks for more. Pure; `ratelimit` takes it in the place of its own clock.
- `sqlite_clock`, `redis_clock`: where the clock stands: in a file for one machine, in Redis for many.
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
    NoClock,
    RateDiffers,
    ReservedSlots,
    ShareAway,
    SharedClock,
    pace_of,
)

__all__ = ["RateDiffers", "ReservedSlots", "ShareAway", "SharedClock", "Turns", "open_share", "open_turns", "slots_of"]


def open_turns(base_url: str, api_key: Secret | str, rate: Rate) -> AbstractContextManager[Turns]:
    """Let a load take turns under its declared limit, together with all others of the account on this machine."""
    return turns_of(_fingerprint(base_url, api_key), rate)


def open_share(share: Secret | str, base_url: str, api_key: Secret | str, rate: Rate) -> SharedClock:
    """Return the clock of an account at `share`, which the settings have checked.

    Raises, in one line, `NotJustNow` if it cannot be reached, `SettingsError` if another load declares another rate.
    """
    share = hidden_share(share)
    account = _fingerprint(base_url, api_key)
    try:
        if str(share).startswith("sqlite:"):
            from interakt_loader.shared_limit.sqlite import SqliteClock

            clock: SharedClock = SqliteClock(str(share), account, rate, pace_of(rate))
        else:
            from interakt_loader.shared_limit.redis import RedisClock

            clock = RedisClock(hidden_share(share), account, rate, pace_of(rate))
        try:
            clock.reserve(0)
        except BaseException:
            clock.close()
            raise
    except ShareAway as error:
        raise NotJustNow(f"share {share}: {error}") from None
    except (RateDiffers, NoClock) as error:
        raise SettingsError(f"share {share}: {error}") from None
    return clock


def slots_of(rate: Rate, workers: int) -> ReservedSlots:
    """Return this process' slots, none yet, of a clock at this rate."""
    return ReservedSlots(pace_of(rate), workers)


def _fingerprint(base_url: str, api_key: Secret | str) -> bytes:
    """Return what an account at one address is known by; API keys are random, so nobody finds the key out of it."""
    return blake2b(destination(base_url, api_key).encode(), digest_size=16, person=b"share").digest()
