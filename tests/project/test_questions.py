"""The question about old events, in a terminal and without one; the API is not on this machine."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.cli.terminal import FarApi, far_api, run_in_terminal, run_without_terminal
from tests.project.conftest import ORDERS

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal")


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarApi]:
    """An API that is not on this machine."""
    with far_api(tmp_path_factory.mktemp("far")) as running:
        yield running


@pytest.fixture(autouse=True)
def _project(api: FarApi, tmp_path: Path) -> None:
    api.sandbox.reset()
    loads = {
        "orders": {"source": "orders.csv", "mapping": ORDERS},
        "customers": {"source": "orders.csv", "mapping": {"user_id": "customer_id"}, "after": "orders"},
    }
    (tmp_path / "project.yaml").write_text(yaml.safe_dump({"loads": loads}, sort_keys=False), encoding="utf-8")
    (tmp_path / "orders.csv").write_text("customer_id,ordered_at,order_no\nC1,2024-11-28,A1\n", encoding="utf-8")


def test_without_a_terminal_old_events_are_not_sent(api: FarApi, tmp_path: Path) -> None:
    """The load is exit code 2, and what is after it does not start; `--yes` sends them."""
    refused = run_without_terminal(api, tmp_path, "run", "project.yaml")
    assert refused.code == 2
    assert (
        "orders: not loaded: nothing was sent: this is the first load from this ledger of 'Order Placed'" in refused.out
    )
    assert "baseline SOURCE, with --name orders, --ledger orders.ledger and its mapping" in refused.out
    assert "customers: not started: it is after orders, which ended with exit code 2" in refused.out
    assert api.sandbox.stats().calls == 0
    assert run_without_terminal(api, tmp_path, "run", "project.yaml", "--yes").code == 0
    assert (len(api.sandbox.events()), len(api.sandbox.users())) == (1, 1)


def test_in_a_terminal_it_is_a_question(api: FarApi, tmp_path: Path) -> None:
    """As for a load; a mapping that is written is not asked about."""
    ended = run_in_terminal(api, tmp_path, ["run", "project.yaml"], "y\n")
    assert ended.code == 0
    assert ended.err.count("[y/N]") == 1
    assert "Send 1 call to interakt.test" in ended.err
    assert len(api.sandbox.events()) == 1
