"""A shared clock in a real Redis: real processes against the sandbox's own log, and a Redis that goes away."""

from __future__ import annotations

from pathlib import Path

import pytest

from interakt_loader.sandbox import SandboxOptions, SandboxProcess
from tests.external.redis.conftest import RedisServer
from tests.shared_limit.claims import Place, SharedClockClaims
from tests.shared_limit.processes import ended, start


class TestClaims(SharedClockClaims):
    """In a Redis that is stopped, and comes back with nothing in it."""

    @pytest.fixture
    def place(self, redis_server: RedisServer) -> Place:
        return Place(redis_server.url, take_away=redis_server.stop, bring_back=redis_server.start)


def test_a_redis_that_is_not_there_is_one_line_and_exit_2(tmp_path: Path, redis_server: RedisServer) -> None:
    """Nobody answers: exit 2 in one line, which does not show the password, and no call is made."""
    redis_server.stop()
    share = redis_server.url.replace("//", "//:hunter2@")
    with SandboxProcess(SandboxOptions(record_arrivals=True)) as sandbox:
        ((code, said),) = ended([start(tmp_path, "one", 5, sandbox, "--share", share, "--rate-limit", "100/s")])
        assert sandbox.arrivals() == []
    assert code == 2
    assert f"share {redis_server.url}: cannot be reached" in said
    assert "hunter2" not in said
    assert "Traceback" not in said
