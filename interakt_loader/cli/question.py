"""A question in the terminal, and how long to wait for its answer."""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading

import click

PATIENCE = 600.0
"""Seconds that a question waits for its answer."""

_GLANCE = 0.2
"""Seconds between two checks for Ctrl-C while waiting; Windows needs them."""

_LONGEST = 1024
"""Bytes of an answer."""


def has_terminal() -> bool:
    """Tell whether a person can read a question and answer it."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


def agreed(question: str) -> bool:
    """Ask on standard error; return whether the answer on standard input is yes. Anything else, or none, is no."""
    click.echo(f"{question} [y/N] ", nl=False, err=True)
    answer = answer_of(sys.stdin.fileno(), PATIENCE)
    if answer is None or not answer.endswith("\n"):  # nobody has pressed Enter
        click.echo(err=True)
    if answer is None:
        click.echo(f"no answer in {PATIENCE / 60:.0f} minutes", err=True)
    return (answer or "").strip().lower() in ("y", "yes")


def answer_of(handle: int, patience: float) -> str | None:
    """Return the next line, an empty text at the end of input, or None if nothing comes in time.

    A thread reads, as Windows knows no other way to wait for a console; it ends with the process. It reads from the
    handle: what waits in `sys.stdin` would hold its lock when the interpreter ends.
    """
    came: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def read() -> None:
        line = b""
        with contextlib.suppress(OSError):  # the terminal is gone: that is an end, too
            line = os.read(handle, _LONGEST)
        came.put(line)

    threading.Thread(target=read, name="interakt-question", daemon=True).start()
    while patience > 0:
        try:
            return came.get(timeout=min(_GLANCE, patience)).decode("utf-8", "replace")
        except queue.Empty:
            patience -= _GLANCE
    return None
