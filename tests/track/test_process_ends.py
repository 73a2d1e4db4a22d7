"""Ends of a process that Python's `atexit` misses, or sees too late: what is queued is sent anyway."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from interakt_loader import track
from interakt_loader.sandbox import Sandbox, SandboxOptions
from tests.track import scripts

needs_signals = pytest.mark.skipif(os.name != "posix", reason="on Windows a process cannot be asked to end")


def names(sandbox: Sandbox) -> list[str]:
    return sorted(one.event for one in sandbox.events())


# ---------------------------------------------------------------- worker processes


def test_a_celery_worker_whose_processes_do_one_task_each_loses_no_call(tmp_path: Path) -> None:
    """Celery with prefork and max_tasks_per_child=1 ends each process by os._exit: 60 calls of 12 tasks all arrive."""
    pytest.importorskip("celery", reason="needs Celery")
    (tmp_path / "tasks.py").write_text(
        """
from celery import Celery
from interakt_loader import track

app = Celery("tasks", broker="filesystem://")
app.conf.broker_transport_options = {"data_folder_in": "queue", "data_folder_out": "queue", "control_folder": "control"}
app.conf.update(worker_max_tasks_per_child=1, worker_concurrency=2, task_ignore_result=True)

@app.task
def tell(task):
    for number in range(5):
        track.event(f"u{task}", f"{task:02}-{number}")
""",
        encoding="utf-8",
    )
    (tmp_path / "queue").mkdir()
    (tmp_path / "control").mkdir()
    expected = sorted(f"{task:02}-{number}" for task in range(12) for number in range(5))
    worker = "import sys; sys.path.insert(0, '.'); from tasks import app; app.worker_main(sys.argv[1:])"
    options = ["worker", "--pool=prefork", "--loglevel=WARNING", "--without-gossip", "--without-mingle"]
    with Sandbox(SandboxOptions(latency=0.3)) as sandbox:
        queue = "import sys; sys.path.insert(0, '.'); from tasks import tell\nfor task in range(12): tell.delay(task)\n"
        assert scripts.run(queue, sandbox, folder=tmp_path).returncode == 0
        process = scripts.start(worker, sandbox, *options, folder=tmp_path)
        try:
            deadline = time.monotonic() + 60
            while len(names(sandbox)) < len(expected) and time.monotonic() < deadline:
                time.sleep(0.1)
        finally:
            process.terminate()
            _, said = process.communicate(timeout=30)
        assert names(sandbox) == expected, said


def test_a_worker_of_billiards_own_pool_loses_no_call() -> None:
    """The same without Celery: a pool of billiard whose processes do one task each."""
    pytest.importorskip("billiard", reason="needs billiard")
    script = """
        import billiard
        from interakt_loader import track
        def work(task):
            for number in range(5):
                track.event(f"u{task}", f"{task}-{number}")
        if __name__ == "__main__":
            pool = billiard.Pool(2, maxtasksperchild=1)
            pool.map(work, range(6))
            pool.close()
            pool.join()
    """
    with Sandbox(SandboxOptions(latency=0.4)) as sandbox:
        ended = scripts.run(script, sandbox)
        assert ended.returncode == 0, ended.stderr
        assert names(sandbox) == sorted(f"{task}-{number}" for task in range(6) for number in range(5))


@needs_signals
def test_the_workers_of_a_pool_that_is_terminated_send_their_calls() -> None:
    """`with multiprocessing.Pool()` ends its workers by SIGTERM. What they have queued arrives."""
    script = """
        import multiprocessing
        from interakt_loader import track
        def work(task):
            for number in range(5):
                track.event(f"u{task}", f"{task}-{number}")
        if __name__ == "__main__":
            with multiprocessing.get_context("fork").Pool(2) as pool:
                pool.map(work, range(6))
    """
    with Sandbox(SandboxOptions(latency=0.1)) as sandbox:
        ended = scripts.run(script, sandbox)
        assert (ended.returncode, ended.stderr) == (0, "")
        assert names(sandbox) == sorted(f"{task}-{number}" for task in range(6) for number in range(5))


# ---------------------------------------------------------------- signals


@needs_signals
@pytest.mark.parametrize("signum", [signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)])
def test_a_signal_that_ends_a_script_ends_it_with_everything_sent(signum: signal.Signals) -> None:
    """A script has 100 calls queued and waits: all arrive, and the signal ends it, as without `track`."""
    script = """
        import time
        from interakt_loader import track
        for number in range(100):
            track.event(str(number), f"{number:03}")
        print("queued", flush=True)
        time.sleep(60)
    """
    with Sandbox(SandboxOptions(latency=0.05)) as sandbox:
        process = scripts.start(script, sandbox)
        assert process.stdout is not None
        assert process.stdout.readline() == "queued\n"
        process.send_signal(signum)
        _, said = process.communicate(timeout=30)
        assert (process.returncode, said) == (-signum, "")
        assert names(sandbox) == [f"{number:03}" for number in range(100)]


@needs_signals
def test_what_a_busy_script_has_queued_when_sigterm_comes_arrives() -> None:
    """Two threads call `track.event` all the time. Each call that returned before the end has arrived."""
    script = """
        import sys, threading
        from interakt_loader import track
        def work(name):
            number = 0
            while True:
                track.event(name, f"{name}-{number}")
                sys.stdout.write(f"{name}-{number}\\n")
                sys.stdout.flush()
                number += 1
        threading.Thread(target=work, args=("other",), daemon=True).start()
        work("main")
    """
    with Sandbox(SandboxOptions(latency=0.01)) as sandbox:
        process = scripts.start(script, sandbox)
        assert process.stdout is not None
        before = [process.stdout.readline().strip() for _ in range(200)]
        process.terminate()
        after, said = process.communicate(timeout=30)
        assert (process.returncode, said) == (-signal.SIGTERM, "")
        returned = {*before, *after.split("\n")[:-1]}
        assert returned - set(names(sandbox)) == set()


@needs_signals
def test_a_second_sigterm_ends_a_script_at_once() -> None:
    """Sending what is queued would take minutes. A second signal does not wait for it."""
    script = """
        import time
        from interakt_loader import track
        for number in range(100):
            track.event("one user", f"{number:03}")
        print("queued", flush=True)
        time.sleep(60)
    """
    with Sandbox(SandboxOptions(latency=5.0)) as sandbox:
        process = scripts.start(script, sandbox)
        assert process.stdout is not None
        process.stdout.readline()
        process.terminate()
        with pytest.raises(Exception, match="timed out"):
            process.wait(1)
        process.terminate()
        assert process.wait(3) == -signal.SIGTERM
        process.communicate()


@needs_signals
@pytest.mark.parametrize("before", [True, False])
def test_a_programs_own_handler_stays(sandbox: Sandbox, before: bool) -> None:
    """Set before or after `track` is imported, it is called, and `track` does not interfere."""
    setting = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))"
    script = f"""
        import signal, sys, time
        {setting if before else ""}
        from interakt_loader import track
        {"" if before else setting}
        track.event("u1", "queued")
        print("queued", flush=True)
        time.sleep(60)
    """
    process = scripts.start(script, sandbox)
    assert process.stdout is not None
    assert process.stdout.readline() == "queued\n"
    process.terminate()
    _, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (7, "")
    assert names(sandbox) == ["queued"]


# ---------------------------------------------------------------- Python's own end


LATE = {
    "an atexit function": "import atexit; atexit.register(late)",
    "an atexit function, threading in use": "import atexit, threading; atexit.register(late)",
    "a finalizer": "import weakref; kept = type('Kept', (), {})(); weakref.finalize(kept, late)",
    "a thread that outlives the main one": "import threading\nthreading.Thread(target=late).start()",
}


@pytest.mark.parametrize("end", LATE)
def test_a_track_that_is_first_imported_at_the_end_sends_its_calls(sandbox: Sandbox, end: str) -> None:
    """Python accepts no `atexit` function then. Every call arrives, and nothing is printed."""
    script = f"""
def late():
    import threading
    if threading.current_thread() is not threading.main_thread():
        threading.main_thread().join()
    from interakt_loader import track
    for number in range(5):
        track.event("u1", str(number))
{LATE[end]}
"""
    ended = scripts.run(script, sandbox)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert names(sandbox) == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("end", ["track.flush()", "track.join()", "track.sync_mode = True", "pass"])
def test_what_such_a_track_is_asked_for_works(sandbox: Sandbox, end: str) -> None:
    """`flush`, `join` and `sync_mode` in an `atexit` function that imports `track`: no hang, and no traceback."""
    script = f"""
        import atexit
        def late():
            from interakt_loader import track
            track.event("u1", "first")
            {end}
            track.event("u1", "second")
            {end}
        atexit.register(late)
    """
    ended = scripts.run(script, sandbox)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert names(sandbox) == ["first", "second"]


def test_a_call_after_pythons_end_is_sent_or_one_line_says_so(sandbox: Sandbox) -> None:
    """A `__del__` of a global runs when nothing can be imported any more: no traceback, and never silence."""
    script = """
        from interakt_loader import track
        class Last:
            def __del__(self):
                track.event("u1", "last")
        last = Last()
    """
    ended = scripts.run(script, sandbox)
    assert ended.returncode == 0
    sent = names(sandbox) == ["last"]
    assert sent or ended.stderr.startswith("event call not sent: it was made after Python's end")
    assert "Traceback" not in ended.stderr


# ---------------------------------------------------------------- clients


def test_300_dropped_clients_leave_no_thread_and_lose_no_call(sandbox: Sandbox) -> None:
    """`join` is never called. Two seconds after the last call no thread is left, and all calls have arrived."""
    for number in range(300):
        track.Client(sandbox.api_key, host=sandbox.url).event(f"u{number}", f"{number:03}")
    deadline = time.monotonic() + 30
    while len(sandbox.events()) < 300 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert names(sandbox) == [f"{number:03}" for number in range(300)]
    consumers = [one for one in threading.enumerate() if one.name.startswith("interakt-consumer")]
    until = time.monotonic() + 5
    for thread in consumers:
        thread.join(max(0.0, until - time.monotonic()))
    gc.collect()
    assert [one for one in consumers if one.is_alive()] == []


def test_dropped_clients_send_what_is_queued_when_the_script_ends(sandbox: Sandbox) -> None:
    """Clients without references, and a script that ends at once: every call arrives."""
    script = """
        from interakt_loader import track
        for number in range(50):
            track.Client().event(f"u{number}", f"{number:02}")
    """
    ended = scripts.run(script, sandbox)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert names(sandbox) == [f"{number:02}" for number in range(50)]
