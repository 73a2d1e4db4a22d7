"""What the tests share: no key or address from outside, the real sandbox, and the shared tables."""

from __future__ import annotations

import gc
import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from interakt_loader.sandbox import Sandbox, SandboxProcess
from interakt_loader.settings.environment import COMMAND_LINE, REFUSED, variable_of
from interakt_loader.settings.settings import VARIABLES

with suppress(ImportError):  # the environments of the integration tests have no Hypothesis
    from hypothesis import HealthCheck, settings

    # It would fail a test for taking longer than it once did: on a busy machine that says nothing about the code.
    settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("house")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # so starts what a shell's script puts in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)

os.environ["INTERAKT_STATE_DIR"] = "none"  # what tests do is no business of the loads of this machine

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that take longest. At the end, all processes would wait for the one that has such a test."""
    items.sort(key=lambda item: item.get_closest_marker("longest") is None)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    options = map(variable_of, (*VARIABLES, *REFUSED, *COMMAND_LINE))
    for name in (*options, "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """An embedded sandbox, fresh for each test."""
    with Sandbox() as running:
        yield running


@pytest.fixture
def sandbox_process() -> Iterator[SandboxProcess]:
    """A sandbox in a process of its own, for loads whose pace matters."""
    with SandboxProcess() as running:
        yield running


@pytest.fixture
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for temporary files, also of programs that the test starts: the loader may leave nothing there."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    yield folder
    gc.collect()
    assert [*folder.glob("interakt-loader-*")] == []


@pytest.fixture
def shared_data() -> Path:
    """The folder of real tables."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"the real tables are not at {SHARED_DATA}")
    return SHARED_DATA
