"""Seven nights of a project with three loads, and what a person sees each morning.

`python -m tests.project.nights` writes the page `docs/nights.md`. Each command runs in a process of its own without a
terminal, against a sandbox. What differs from run to run, such as times, is left out by `steady`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import textwrap
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from interakt_loader.sandbox import Sandbox

HOME = Path(__file__).resolve().parents[2]
PAGE = HOME / "docs" / "nights.md"

PROJECT = """\
account: {key: {env: INTERAKT_API_KEY}, rate_limit: 60/s}
defaults: {timezone: Asia/Kolkata, max_outage: 1}
loads:
  customers: {source: customers.csv, mapping: customers.yaml}
  orders:
    source: orders.csv
    after: customers
    mapping: {user_id: customer, event: {value: Order Placed}, created_at: at, event_id: order, traits: [total]}
  visits: {source: visits.csv, mapping: visits.yaml}
"""
CUSTOMERS = "user_id: id\ntraits: [name, city]\n"
VISITS = "user_id: customer\nevent: {value: Page Viewed}\ncreated_at: at\ntraits: [page]\n"
CHANGED = VISITS.replace("[page]", "[page, campaign]")

WORKERS = 16
"""Calls in flight at most, by default."""

DAY = 40
"""New customers of a day. Each has an order and a visit."""


class Shop:
    """The folder of the project, the account, and the clock on the wall: which night it is."""

    def __init__(self, folder: Path, account: Sandbox) -> None:
        self.folder, self.account = folder, account
        self.key = account.api_key
        self.night = 0
        for name, text in (("nightly.yaml", PROJECT), ("customers.yaml", CUSTOMERS), ("visits.yaml", VISITS)):
            self.put(name, text)

    def put(self, name: str, text: str) -> None:
        """Write a file."""
        (self.folder / name).write_text(text, encoding="utf-8")

    def export(self) -> None:
        """Write what the shop exports in the evening: everything so far."""
        self.night += 1
        numbers = range(self.night * DAY)
        moment = [f"2026-03-{1 + n // DAY:02} {n % DAY // 4 + 9:02}:{n % 4 * 15:02}:00" for n in numbers]
        self.put("customers.csv", "id,name,city\n" + "".join(f"C-{n},Person {n},Pune\n" for n in numbers))
        self.put("orders.csv", "order,customer,at,total\n" + "".join(f"{n},C-{n},{moment[n]},{n}\n" for n in numbers))
        self.put(
            "visits.csv",
            "customer,at,page,campaign\n" + "".join(f"C-{n},{moment[n]},/p{n % 7},c{n % 3}\n" for n in numbers),
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the command as cron does: without a terminal."""
        own = {
            "INTERAKT_API_KEY": self.key,
            "INTERAKT_BASE_URL": self.account.url,
            "INTERAKT_STATE_DIR": str(self.folder / "state"),
            "PYTHONPATH": str(HOME),
        }
        return subprocess.Popen(
            [sys.executable, "-m", "interakt_loader", *arguments],
            cwd=self.folder,
            env=os.environ | own,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        """Run the command to its end. Return its exit code, and what it printed."""
        process = self.start(*arguments)
        printed, _ = process.communicate(timeout=120)
        return process.returncode, printed


def steady(printed: str) -> str:
    """Return what a command printed without what differs from run to run."""
    for pattern, shown in (
        (r"\d{4}-\d\d-\d\d \d\d:\d\d", "… …"),
        (r"\d:\d\d:\d\d", "…"),
        (r"(calls?) in \d[^;\n]*", r"\1 in … s"),
        (r"about \d+ s at", "about … s at"),
        (r"127\.0\.0\.1:\d+", "api.interakt.ai"),
    ):
        printed = re.sub(pattern, shown, printed)
    return printed.rstrip("\n")


VARIES = "<!-- how many rows each number counts here depends on the moment -->\n\n"


class Page:
    """Collects the page."""

    def __init__(self) -> None:
        self.parts: list[str] = []

    def begin(self, heading: str) -> None:
        """Add a heading."""
        self.parts.append(heading)

    def say(self, text: str) -> None:
        """Add a paragraph."""
        self.parts.append(textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False))

    def file(self, name: str, text: str) -> None:
        """Add a file."""
        self.parts.append(f'```yaml title="{name}"\n{text}```')

    def show(self, command: Sequence[str], printed: str, exit_code: int, *, varies: bool = False) -> None:
        """Add a command and what it printed. `varies`: by how far a load had come."""
        shown = f"$ interakt-loader {' '.join(command)}\n{steady(printed)}\n$ echo $?\n{exit_code}"
        self.parts.append(f"{VARIES if varies else ''}```text\n{shown}\n```")

    def text(self) -> str:
        """Return the page."""
        return "\n\n".join(self.parts) + "\n"


NIGHTLY = ("run", "nightly.yaml", "--yes", "--quiet")


def seven_nights(shop: Shop) -> str:
    """Run the project for seven nights, and return the page. Raises `AssertionError` if something is lost."""
    page = Page()
    say, begin = page.say, page.begin
    begin("# Seven nights")
    say(
        "For a person who wants to know, before the first night, what the mornings look like. A project runs every "
        f"night. Each day there are {DAY} new customers, with an order and a visit each. Each export has everything so "
        "far. In this week, most things that can go wrong do. What you see below is what the commands printed in a "
        "test against the sandbox, which allows 60 calls a second. Only times are left out."
    )
    page.file("nightly.yaml", PROJECT)
    page.file("customers.yaml", CUSTOMERS)
    page.file("visits.yaml", VISITS)

    def night(title: str, expected: int, command: Sequence[str] = NIGHTLY, *, varies: bool = False) -> None:
        exit_code, printed = shop.run(*command)
        assert exit_code == expected, f"{title}: {printed}"
        page.show(command, printed, exit_code, varies=varies)

    begin("## The first night")
    say("All is new, and all is sent. cron mails this:")
    shop.export()
    night("first", 0)

    begin("## The second night: the machine restarts")
    say("The process is killed in the middle of the orders. It cannot say so.")
    shop.export()
    killed = shop.start(*NIGHTLY)
    await_calls(shop, killed, DAY + DAY // 2)
    killed.kill()
    killed.communicate()
    say("In the morning, `history` shows it:")
    night("history", 0, ("history", "orders"))
    say("The same command continues. What was accepted before is not sent again:")
    night("second", 0, varies=True)

    begin("## The third night: the key was renewed")
    say("Somebody made a new key in the dashboard, and put it into `INTERAKT_API_KEY`.")
    shop.export()
    shop.key = "renewed-key-of-the-shop"
    shop.account.renew_key(shop.key)
    night("third", 2)
    say("It is the same account. Say so once, in the project file: `same_account: true` under `account`.")
    shop.put("nightly.yaml", PROJECT.replace("rate_limit: 60/s}", "rate_limit: 60/s, same_account: true}"))
    night("third again", 0)

    begin("## The fourth night: the mapping has changed")
    say(
        "Somebody wants the campaign of each visit, too. Visits have no "
        "id of their own, so every old visit would be a new event."
    )
    shop.export()
    shop.put("visits.yaml", CHANGED)
    night("fourth", 2)
    say("The other loads have run. For the visits, the old mapping comes back:")
    shop.put("visits.yaml", VISITS)
    night("fourth again", 0, (*NIGHTLY, "visits"))

    begin("## The fifth night: the API does not answer")
    say("From the middle of the night on, no call gets an answer.")
    shop.export()
    silent = shop.start(*NIGHTLY)
    await_calls(shop, silent, DAY // 2)
    shop.account.set_faults("reset=100%")
    printed, _ = silent.communicate(timeout=120)
    assert silent.returncode == 3, printed
    page.show(NIGHTLY, printed, 3, varies=True)
    shop.account.set_faults("")
    say("In the morning it answers again. The same command sends the rest:")
    night("fifth again", 0, varies=True)

    begin("## The sixth night: a damaged file")
    say("The export of the customers broke off: its last line is half a line.")
    shop.export()
    whole = (shop.folder / "customers.csv").read_text(encoding="utf-8")
    shop.put("customers.csv", whole[: whole.rindex(",Person") - 2] + '"')
    night("sixth", 1)
    say("One row has to be fixed. With the whole file:")
    shop.put("customers.csv", whole)
    night("sixth again", 0)

    begin("## The seventh night")
    shop.export()
    night("seventh", 0)

    begin("## The week")
    say(
        "Everything is there. Each event is there once. After the kill, at most the calls in flight could "
        "have been sent again, and the report would mark them."
    )
    night("verify", 0, ("verify", "customers.csv", "--mapping", "customers.yaml", "--no-ledger", "--quiet"))
    check_account(shop)
    night("history of the week", 0, ("history", "customers"), varies=True)
    return page.text()


def await_calls(shop: Shop, process: subprocess.Popen[str], calls: int) -> None:
    """Come back once the account has got so many more calls from a process that runs."""
    target = shop.account.stats().calls + calls
    while process.poll() is None and shop.account.stats().calls < target:
        pass
    assert process.poll() is None, "the load has ended before"


def check_account(shop: Shop) -> None:
    """See that every user and every event is there, and each event once."""
    users = {user.user_id for user in shop.account.users()}
    assert users == {f"C-{n}" for n in range(7 * DAY)}
    for name, in_flight in (("Order Placed", WORKERS), ("Page Viewed", 0)):
        events = Counter(one.user_id for one in shop.account.events() if one.event == name)
        assert events.keys() == users
        assert sum(events.values()) - len(users) <= in_flight


def written() -> str:
    """Run the seven nights, and return the page."""
    with tempfile.TemporaryDirectory() as folder, Sandbox() as account:
        return seven_nights(Shop(Path(folder), account))


if __name__ == "__main__":
    PAGE.write_text(written(), encoding="utf-8")
