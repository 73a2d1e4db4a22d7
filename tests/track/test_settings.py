"""What happens when `track`'s settings change between calls."""

from __future__ import annotations

import threading
from typing import Any

from interakt_loader import track
from interakt_loader.sandbox import Sandbox


def test_calls_keep_their_order_when_a_setting_changes(aimed: Sandbox) -> None:
    """plan=old fails once and waits for its retry, then a setting changes, then plan=new: the user ends with
    plan=new."""
    aimed.force_for("1", ["500"])
    track.user(user_id="1", traits={"plan": "old"})
    track.timeout = 11
    track.user(user_id="1", traits={"plan": "new"})
    track.flush()
    user = aimed.find_user("1")
    assert user is not None
    assert user.traits == {"plan": "new"}


def test_a_new_on_error_for_each_call_makes_no_new_client(aimed: Sandbox) -> None:
    """Fifty functions, some of which cannot be hashed: one client, and the last function gets the failures."""
    heard: list[int] = []

    class Handler:
        __hash__ = None  # type: ignore[assignment]

        def __init__(self, number: int) -> None:
            self.number = number

        def __call__(self, error: Exception, queue_msg: dict[str, Any]) -> None:
            heard.append(self.number)

    before = threading.active_count()
    for number in range(50):
        track.on_error = Handler(number)
        track.user(user_id=str(number))
    track.flush()
    assert threading.active_count() - before <= 4
    aimed.force(["400"])
    track.user(user_id="x")
    track.flush()
    assert heard == [49]
