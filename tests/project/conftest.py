"""A project of two loads, which the tests change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from interakt_loader.sandbox import Sandbox

ORDERS = {
    "user_id": "customer_id",
    "event": {"value": "Order Placed"},
    "created_at": "ordered_at",
    "event_id": "order_no",
}


class Example:
    """The project in a folder: its file, and the tables beside it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.path = folder / "project.yaml"
        self.written: dict[str, Any] = {
            "account": {"base_url": url, "rate_limit": "600/s", "key": {"env": "SHOP_KEY"}},
            "loads": {
                "customers": {"source": "exports/customers-*.csv", "mapping": "customers.yaml"},
                "orders": {"source": "orders.csv", "after": "customers", "mapping": dict(ORDERS)},
            },
        }
        self.put("exports/customers-2026-11-28.csv", "customer_id,name\nC1,Asha\nC2,Bob\n")
        self.put("customers.yaml", "user_id: customer_id\ntraits: [name]\n")
        self.put("orders.csv", "customer_id,ordered_at,order_no\nC1,2026-11-28,A1\nC2,2026-11-28,A2\n")

    @property
    def loads(self) -> dict[str, Any]:
        """The loads as they are written."""
        loads: dict[str, Any] = self.written["loads"]
        return loads

    def put(self, name: str, text: str) -> Path:
        """Write a file of the project."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def write(self) -> str:
        """Write the project's file and return its path."""
        self.path.write_text(yaml.safe_dump(self.written, sort_keys=False), encoding="utf-8")
        return str(self.path)


@pytest.fixture
def example(tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Example:
    """A project that runs. The working folder is another one."""
    folder = tmp_path / "shop"
    folder.mkdir()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("SHOP_KEY", sandbox.api_key)
    return Example(folder, sandbox.url)
