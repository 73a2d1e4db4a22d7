"""A shared clock in Redis, for the processes of many machines. The time is the Redis server's own.

A Redis server that restarts without its data starts at the current time. Then the slots that were reserved before,
at most `clock.BATCH` seconds of them and of calls made up for, are used in addition, once.
"""

from __future__ import annotations

import os
import time
from collections import deque

from interakt_loader.errors import SettingsError
from interakt_loader.privacy.secrets import Secret
from interakt_loader.settings.values import Rate
from interakt_loader.shared_limit.clock import FORGET, ClockUnavailable, Pace, RateDiffers, SlotReservation

TIMEOUT = 5.0
"""Seconds to wait for Redis."""

ROUND_TRIPS = 16
"""The fastest of so many round trips shows the difference between the server's clock and ours."""

_SCRIPT = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local count, hold, step, catch_up = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local rate, due, at = unpack(redis.call('HMGET', KEYS[1], 'rate', 'due', 'at'))
if rate and rate ~= ARGV[5] then
    return {rate, 0}
end
due = due and due - math.max(0, at - now) or 0
local first = math.max(due, now + (hold > 0 and hold or -catch_up))
due = first + count * step
redis.call('HSET', KEYS[1], 'rate', ARGV[5], 'due', string.format('%.0f', due), 'at', string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil(math.max(0, due - now) / 1000) + ARGV[6] * 1000)
return {string.format('%.0f', now), string.format('%.0f', first)}
"""


class RedisClock:
    """The clock of one account in the Redis at the address `share`. Raises `SettingsError` without the package `redis`.

    The password may be in the address, or in the variable REDISCLI_AUTH, where no process list shows it.
    """

    def __init__(self, share: Secret, account: bytes, rate: Rate, pace: Pace) -> None:
        try:
            import redis
        except ImportError:
            raise SettingsError(f"share {share}: needs the package redis: pip install redis") from None
        self._errors = redis.RedisError
        self._key = f"interakt:rate:{account.hex()}"
        self._rate, self._pace = rate, pace
        self._trips: deque[tuple[float, float]] = deque(maxlen=ROUND_TRIPS)
        try:
            self._redis = redis.Redis.from_url(
                share.reveal(),
                password=os.environ.get("REDISCLI_AUTH"),
                socket_timeout=TIMEOUT,
                socket_connect_timeout=TIMEOUT,
            )
        except ValueError as error:
            raise SettingsError(f"share {share}: {error}") from None
        self._script = self._redis.register_script(_SCRIPT)

    def reserve(self, count: int, hold: float = 0.0) -> SlotReservation:
        """Reserve slots, as `SharedClock.reserve` describes."""
        step = self._pace.step
        # if Redis is far away, a slot for the current instant would be over when the answer arrives
        numbers: list[str | int] = [
            count,
            int(hold * 1e6),
            step,
            self._pace.catch_up - self._round_trip(),
            str(self._rate),
            FORGET,
        ]
        began = time.monotonic()
        try:
            now, first = self._script(keys=[self._key], args=numbers)
        except self._errors as error:
            raise ClockUnavailable(f"cannot be reached: {str(error) or type(error).__name__}") from None
        ended = time.monotonic()
        if not first:
            raise RateDiffers(self._rate, now.decode())
        self._trips.append((ended - began, int(now) / 1e6 - (began + ended) / 2))
        offset = min(self._trips)[1]
        return SlotReservation(int(first) / 1e6 - offset, step / 1e6, count)

    def _round_trip(self) -> int:
        """Return how long a request takes, in microseconds: the median of the last ones."""
        return int(sorted(self._trips)[len(self._trips) // 2][0] * 1e6) if self._trips else 0

    def close(self) -> None:
        """Close the connection."""
        self._redis.close()
