"""`interakt-loader demo`: the sample data, users and then events, into an embedded sandbox."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from interakt_loader.cli.show import as_text
from interakt_loader import loading
from interakt_loader.sample_data import write_sample_data
from interakt_loader.sandbox import Sandbox
from interakt_loader.settings import Settings
from interakt_loader.wire import Kind

TABLES: tuple[tuple[str, Kind], ...] = (("users", "user"), ("events", "event"))

SHOWN = 3
"""Users that are shown at the end."""


def run_demo(rows: int | None, folder: Path, say: Callable[[str], object]) -> int:
    """Load, show what came of it and what the sandbox holds; return 0 if every row has its line in a report."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        data = Path(__file__).resolve().parents[2] / "sample_data"
        if not (data / "users.parquet").exists():  # installed from a wheel: made anew, the same by its seed
            data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="interakt-loader-")))
            write_sample_data(data)
        sandbox = stack.enter_context(Sandbox())
        say(f"an embedded sandbox takes the calls at {sandbox.url}; nothing leaves this machine")
        for table, kind in TABLES:
            options = {
                "api_key": sandbox.api_key,
                "base_url": sandbox.url,
                "report": str(folder / f"{table}.report.csv"),
                "limit": rows,
            }
            source = data / f"{table}.parquet"
            result = loading.load(source, data / f"{table}.mapping.yaml", kind, Settings.resolve(options))
            say("\n" + as_text(result, source.name, dry_run=False))
        stats = sandbox.stats()
        say(f"\nthe sandbox now holds {stats.users:,} users and {stats.events:,} events; {SHOWN} of the users:")
        for user in sandbox.users(limit=SHOWN):
            name = user.user_id or f"{user.country_code} {user.phone}"
            say(f"  {name}  {json.dumps(user.traits, ensure_ascii=False)}")
    return 0
