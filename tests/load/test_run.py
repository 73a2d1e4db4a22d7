"""Signals during a load, as the process itself gets them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from interakt_loader.load.run import Interrupts
from interakt_loader.model import Stop, StopToken

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture(autouse=True)
def _handlers_stay() -> Iterator[None]:
    before = [signal.getsignal(one) for one in SIGNALS]
    yield
    after = [signal.getsignal(one) for one in SIGNALS]
    for one, handler in zip(SIGNALS, before, strict=True):
        signal.signal(one, handler)
    assert after == before


@pytest.mark.parametrize(("first", "second"), [(signal.SIGINT, signal.SIGTERM), (signal.SIGTERM, signal.SIGTERM)])
def test_the_first_lets_the_load_finish_and_the_second_leaves(
    first: signal.Signals, second: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first requests a stop. Whatever the second one is, it ends the program with its own number."""
    token = StopToken()
    with Interrupts(token, "enough") as interrupts:
        assert interrupts.signum is None
        signal.raise_signal(first)
        assert interrupts.signum == first
        with pytest.raises(KeyboardInterrupt) as left:
            signal.raise_signal(second)
    assert (token.stop, left.value.args) == (Stop("interrupted", "enough"), (second,))
    assert capsys.readouterr().err.count("once more leaves at once") == 1


def test_a_program_without_a_stderr_is_stopped_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `pythonw` has none on Windows."""
    monkeypatch.setattr("sys.stderr", None)
    token = StopToken()
    with Interrupts(token):
        signal.raise_signal(signal.SIGTERM)
    assert token.is_interrupt


def test_what_the_program_ignores_on_purpose_stays_ignored() -> None:
    """`nohup` has a program live on where its terminal is gone."""
    former = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        token = StopToken()
        with Interrupts(token) as interrupts:
            signal.raise_signal(signal.SIGINT)
            assert (interrupts.signum, token.stop) == (None, None)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, former)


def test_in_another_thread_signals_are_left_alone() -> None:
    """There Python lets nobody handle them."""
    before = [signal.getsignal(one) for one in SIGNALS]
    seen: list[object] = []

    def load() -> None:
        with Interrupts(StopToken()):
            seen.extend(signal.getsignal(one) for one in SIGNALS)

    thread = threading.Thread(target=load)
    thread.start()
    thread.join()
    assert seen == before
