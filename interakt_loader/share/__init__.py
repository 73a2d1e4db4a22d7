"""One call limit for several processes: a clock that all of them move forward.

The clock says when the account's next call is due. A process reserves a few slots on it at a time, makes its calls at
these instants, and a 429 that it gets pushes the clock for all. So the limit is held whoever is fast or slow, comes
late or is killed: what was reserved and not used is lost, and that is less than a tenth of a second of the limit.

- `pace`: the declared rate → the distance of slots, and how late one may be used. Pure.
- `clock`: what a clock does, and the arithmetic of reserving. Pure.
- `slots`: what this process holds, and when it asks for more. Pure; `ratelimit` takes it in the place of its own clock.
- `sqlite_clock`, `redis_clock`: where the clock stands: in a file for one machine, in Redis for many.
"""

from __future__ import annotations

from hashlib import blake2b

from interakt_loader.errors import NotJustNow, SettingsError
from interakt_loader.safety.secret import Secret
from interakt_loader.settings.values import Rate, hidden_share
from interakt_loader.share.clock import NoClock, RateDiffers, ShareAway, SharedClock
from interakt_loader.share.pace import pace_of
from interakt_loader.share.slots import Slots
from interakt_loader.wire import destination

__all__ = ["RateDiffers", "ShareAway", "SharedClock", "Slots", "open_share", "slots_of"]


def open_share(share: Secret | str, base_url: str, api_key: Secret | str, rate: Rate) -> SharedClock:
    """Return the clock of an account at `share`, which the settings have checked.

    Raises, in one line, `NotJustNow` if it cannot be reached, `SettingsError` if another load declares another rate.
    """
    share = hidden_share(share)
    account = blake2b(destination(base_url, api_key).encode(), digest_size=16, person=b"share").digest()
    try:
        if str(share).startswith("sqlite:"):
            from interakt_loader.share.sqlite_clock import SqliteClock

            clock: SharedClock = SqliteClock(str(share), account, rate, pace_of(rate))
        else:
            from interakt_loader.share.redis_clock import RedisClock

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


def slots_of(rate: Rate, workers: int) -> Slots:
    """Return this process' slots, none yet, of a clock at this rate."""
    return Slots(pace_of(rate), workers)
