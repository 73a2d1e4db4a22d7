"""How a program that uses `track` ends: without help, soon, and with everything sent."""

from __future__ import annotations

import os

import pytest

from interakt_loader.sandbox import Sandbox, SandboxOptions
from tests.track import scripts

CALLS = 500


def names(sandbox: Sandbox) -> list[str]:
    return sorted(one.event for one in sandbox.events())


def test_a_script_without_shutdown_exits_by_itself_with_everything_sent() -> None:
    """500 calls at 20 ms, then the script's last line. All arrive, and it ends within 2 s of the last answer."""
    script = f"""
        from interakt_loader import track
        for number in range({CALLS}):
            track.event(user_id=str(number), event="Order Placed")
    """
    with Sandbox(SandboxOptions(latency=0.02)) as sandbox:
        ended = scripts.run(script, sandbox)
        events = sandbox.events()
    assert (ended.returncode, ended.stderr) == (0, "")
    assert sorted(one.user_id or "" for one in events) == sorted(str(number) for number in range(CALLS))
    last_answer = max(one.received_at for one in events) + 0.02
    assert ended.at - last_answer < 2


def test_a_script_that_ends_by_an_exception_still_sends(sandbox: Sandbox) -> None:
    """What was queued before the crash arrives; the exit code is the crash's."""
    script = """
        from interakt_loader import track
        for number in range(20):
            track.event(user_id=str(number), event="Order Placed")
        raise ValueError("crash")
    """
    ended = scripts.run(script, sandbox)
    assert ended.returncode == 1
    assert len(sandbox.events()) == 20


def test_an_only_call_in_an_atexit_handler_is_sent(sandbox: Sandbox) -> None:
    """A call made while the interpreter ends arrives, whether its handler runs before `track`'s or after it."""
    script = """
        import atexit
        atexit.register(lambda: track.event("u1", "after"))
        from interakt_loader import track
        atexit.register(lambda: track.event("u1", "before"))
    """
    ended = scripts.run(script, sandbox)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert names(sandbox) == ["after", "before"]


def test_calls_that_on_error_makes_at_the_end_are_sent(sandbox: Sandbox) -> None:
    """A handler reports each failure by an event, which arrives even when the program is ending."""
    script = """
        from interakt_loader import track
        track.max_retries = 0
        track.on_error = lambda error, message: track.event("monitor", "failed " + message["body"]["userId"])
        for number in range(3):
            track.user(str(number))
    """
    for number in range(3):
        sandbox.force_for(str(number), ["500"])
    ended = scripts.run(script, sandbox)
    assert ended.returncode == 0
    assert names(sandbox) == ["failed 0", "failed 1", "failed 2"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks on Windows")
def test_after_a_fork_both_sides_calls_arrive_once() -> None:
    """The parent sends its queue, the child sends its own calls, and both end normally."""
    script = """
        import os, sys, warnings
        from interakt_loader import track
        for number in range(100):
            track.event("parent", f"parent {number:03}")
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of any fork beside threads
        child = os.fork()
        side = "parent" if child else "child"
        for number in range(100, 120):
            track.event(side, f"{side} {number:03}")
        if child:
            sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    with Sandbox(SandboxOptions(latency=0.002)) as sandbox:
        ended = scripts.run(script, sandbox)
        assert (ended.returncode, ended.stderr) == (0, "")
        expected = [f"child {n:03}" for n in range(100, 120)] + [f"parent {n:03}" for n in range(120)]
        assert names(sandbox) == expected


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks on Windows")
def test_a_forked_multiprocessing_child_sends_its_calls(sandbox: Sandbox) -> None:
    """Such a child ends without running `atexit`. What it queued arrives."""
    script = """
        import multiprocessing, warnings
        from interakt_loader import track
        def work():
            for number in range(20):
                track.event("child", f"child {number:02}")
        track.event("parent", "parent")
        warnings.simplefilter("ignore", DeprecationWarning)
        child = multiprocessing.get_context("fork").Process(target=work)
        child.start()
        child.join()
        raise SystemExit(child.exitcode)
    """
    ended = scripts.run(script, sandbox)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert names(sandbox) == [f"child {number:02}" for number in range(20)] + ["parent"]


def test_importing_track_imports_no_table_library(sandbox: Sandbox) -> None:
    """A program that only tracks imports neither pandas nor pyarrow nor NumPy, not even for its calls."""
    script = """
        import sys
        from interakt_loader import track
        track.user("u1", phone_number="9999999999", traits={"name": "Ann"}, created_at="2025-03-27")
        track.flush()
        print([name for name in ("numpy", "pandas", "pyarrow") if name in sys.modules])
    """
    ended = scripts.run(script, sandbox)
    assert (ended.stdout, ended.stderr) == ("[]\n", "")
    assert len(sandbox.users()) == 1
