"""The recipe of docs/recipes.md for a nightly job, followed with a real PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest

from interakt_loader.sandbox import Sandbox
from tests.docs.test_recipes import RECIPES
from tests.external.databases.servers import PASSWORD, Server
from tests.snippets import followed, timeless

_ADDRESS = "postgresql://loader@db.example.com/shop"


def test_a_nightly_job_from_postgresql(
    postgres: Server, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two nights make five calls, one for each order; what is printed is what the page shows."""
    monkeypatch.setenv("INTERAKT_API_KEY", sandbox.api_key)
    monkeypatch.setenv("INTERAKT_BASE_URL", sandbox.url)
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    monkeypatch.chdir(tmp_path)
    text = RECIPES["A nightly job from PostgreSQL"].replace("console notest", "console")
    assert text.count(_ADDRESS) == 2
    text = text.replace(_ADDRESS, postgres.address)
    nights = {
        0: "(101, 'C-1', now() - interval '5 hours', 9.5), (102, 'C-2', now() - interval '4 hours', 7), "
        "(103, 'C-1', now() - interval '3 hours', 1), (90, 'C-9', now() - interval '9 days', 3)",
        1: "(104, 'C-3', now(), 2.25), (105, 'C-2', now() - interval '30 hours', 5)",
    }
    postgres.run(
        "DROP TABLE IF EXISTS orders",
        "CREATE TABLE orders (order_no int PRIMARY KEY, customer text, ordered_at timestamptz, total numeric(8, 2))",
    )
    night = 0
    postgres.run(f"INSERT INTO orders VALUES {nights[night]}")
    for shown in followed(text, tmp_path):
        assert timeless(shown.actual) == timeless(shown.fence.text)
        night += 1
        if night in nights:
            postgres.run(f"INSERT INTO orders VALUES {nights[night]}")
    assert night == 2
    sent = sorted((event.user_id, event.event, event.traits["total"]) for event in sandbox.events())
    assert sent == [("C-1", "Order Placed", 1), ("C-1", "Order Placed", 9.5), ("C-2", "Order Placed", 5),
                    ("C-2", "Order Placed", 7), ("C-3", "Order Placed", 2.25)]  # fmt: skip
