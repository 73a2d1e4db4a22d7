"""`verify`: compare each row with what the account holds, and correct the ledger by it. Nothing is sent."""

from __future__ import annotations

import json
import sqlite3
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from interakt_loader.account.compare import compare
from interakt_loader.account.contacts import Contact, page_request
from interakt_loader.account.index import ContactIndex
from interakt_loader.account.kept import KeptReading
from interakt_loader.account.lookups import Undecided, Wanted, fewer_calls, look_up
from interakt_loader.account.reader import AccountReader
from interakt_loader.account.windows import past_at
from interakt_loader.codes import Code, ContactCode
from interakt_loader.errors import LoadStopped, RecordBroken, SettingsError, option
from interakt_loader.load.api import load
from interakt_loader.load.opening import opened
from interakt_loader.mapping import CreatedNames, Mapping, MappingDict
from interakt_loader.model import Kind, Message, Outcome, Status, Stop
from interakt_loader.privacy.text import number_of
from interakt_loader.result import AccountRead, LoadResult
from interakt_loader.settings import Options, Settings, Unpack, lists_options
from interakt_loader.settings.settings import NOT_FOR_VERIFY, VARIABLES
from interakt_loader.sources import Data, hidden_source

if TYPE_CHECKING:
    from interakt_loader.ledger import Plan
    from interakt_loader.load.job import Job

MOST_SHOWN = 3
"""Differences that the message of a row shows."""


@lists_options()
def verify(
    data: Data, mapping: Mapping | MappingDict | str | Path | None = None, **options: Unpack[Options]
) -> LoadResult:
    """Compare users with what the account holds, and send nothing.

    Rows are `same`, `different`, `absent`, `ambiguous` or `invalid`. The rows of a user are compared as the last state
    that they lead to. Its traits and tags must be in the contact, which may have more. With a `ledger`, users that are
    the same are recorded as sent. Those that are different or absent are forgotten, so that the next load sends just
    these. It writes over what somebody has changed in the dashboard. Without a ledger, it only looks.

    A call reads 100 contacts, so an account of 100,000 contacts takes about 1,050 calls. Few users are looked up one by
    one. With a `report`, a reading that was killed continues. Otherwise like `load_users`.
    """
    data = hidden_source(data)
    variables = [name for name in VARIABLES if name not in NOT_FOR_VERIFY]
    settings = Settings.resolve(options, variables=variables)
    return load(opened(data, settings), mapping, None, settings, settler=Verifier())


class Verifier:
    """Compares calls with the contacts of the account: the `Settler` of `verify`."""

    last_states = True

    def __init__(self) -> None:
        self._made = ExitStack()
        self._index: ContactIndex | None = None
        # the column of each trait that is not called like its column
        self._columns: dict[str, str] = {}
        # calls that are not compared yet
        self._left = 0
        self.account: AccountRead | None = None
        self.created: CreatedNames | None = CreatedNames()

    def check(self, settings: Settings, kind: Kind | None) -> None:
        """Refuse options that have no meaning here, and events."""
        if kind == "event":
            raise SettingsError("verify compares users: Interakt gives back contacts, but no events")
        for name in ("dry_run", "resend", "on_error", "failures"):
            if getattr(settings, name):
                raise SettingsError(f"{option(name)} has no meaning for verify, which sends nothing: leave it out")

    def plan_line(self, plan: Plan) -> str:
        """Return how many rows and users are compared."""
        return f"{number_of(plan.rows, 'row')}; {number_of(plan.calls, 'user')} to compare, none is sent"

    def begin(self, job: Job, plan: Plan) -> Stop | None:
        """Read what is needed of the account."""
        self._left = plan.calls
        self._columns = {name: field.label for name, field in job.mapping.traits}
        self.account = AccountRead(0, 0, by_look_ups=False, seconds=0.0)
        if not plan.calls:
            return None
        began, reader = time.monotonic(), AccountReader(job.settings, job.stop_token, job.observer)
        try:
            with reader:
                self._read(reader, plan, job.settings)
        except LoadStopped as error:
            return reader.stopped or Stop("abandoned", str(error))
        except (sqlite3.Error, OSError, RecordBroken) as error:
            return Stop("abandoned", f"what was read of the account cannot be kept: {error}")
        finally:
            self.account.calls, self.account.seconds = reader.attempts, time.monotonic() - began
        return None

    def _read(self, reader: AccountReader, plan: Plan, settings: Settings) -> None:
        assert self.account is not None
        folder = Path(self._made.enter_context(tempfile.TemporaryDirectory(prefix="interakt-loader-")))
        first = reader.fetch([page_request(0, None, 0)])[0]
        index = None
        if fewer_calls(plan.calls, first.total):
            index = self._looked_up(reader, plan, first.contacts, folder / "found.db")
        if index is None:
            self.account.by_look_ups = False
            path = folder if settings.report is None else Path(f"{settings.report}.part")
            kept = KeptReading(path, settings, 0, past_at(time.time_ns() // 1000))
            try:
                reader.read_into(kept, first.total)
            except BaseException:
                (kept.close if kept.done else kept.remove)()
                raise
            self._made.callback(self._ended_with, kept)
            index = self._made.enter_context(closing(ContactIndex(path / "contacts.db")))
            index.add(kept.contacts())
            self.account.incomplete = kept.incomplete_spans()
        index.complete()
        self._index, self.account.contacts = index, index.count

    def _looked_up(self, reader: AccountReader, plan: Plan, known: list[Contact], path: Path) -> ContactIndex | None:
        """Return the contacts that these users can be; None if look-ups do not show that."""
        assert self.account is not None
        users = [Wanted(one.user_id, one.country_code, one.phone) for one in plan.each_call()]
        index = self._made.enter_context(closing(ContactIndex(path)))
        try:
            for contacts in look_up(users, known, reader.look_up, reader.probe):
                index.add(contacts)
        except Undecided:
            return None
        self.account.by_look_ups = True
        return index

    def settle(self, calls: Sequence[Message]) -> list[Outcome]:
        """Compare each call with its contact. Raises `RecordBroken` if the contacts cannot be read from the disk."""
        try:
            outcomes = [self._compared(one) for one in calls]
        except sqlite3.Error as error:
            raise RecordBroken(f"what was read of the account cannot be read again: {error}") from None
        self._left -= len(calls)
        return outcomes

    def _compared(self, message: Message) -> Outcome:
        assert self._index is not None
        assert self.account is not None
        found = find(message, self._index)
        if isinstance(found, Contact):
            return self._outcome(message, found)
        if found is None and self.account.incomplete:
            found = Unclear("account_incomplete", "not found, but some contacts of the account could not be read")
        if found is None:
            return _ended(message, Status.ABSENT, "contact_absent", None, "the account has no such contact")
        return _ended(message, Status.AMBIGUOUS, found.code, None, found.text)

    def _outcome(self, message: Message, contact: Contact) -> Outcome:
        assert self.account is not None
        assert self.created is not None
        body = json.loads(message.body)
        comparison = compare(body, contact)
        if comparison.differences:
            first, more = comparison.differences[0], len(comparison.differences) - MOST_SHOWN
            texts = [one.text for one in comparison.differences[:MOST_SHOWN]]
            text = "; ".join([*texts, *([f"and {more} more"] if more > 0 else [])])
            return _ended(message, Status.DIFFERENT, first.code, self._column(first.name), text)
        self.created.add("traits", body.get("traits", {}))
        self.created.add("tags", body.get("tags", ()))
        for one in comparison.tolerated:
            self.account.tolerated[one.code] = self.account.tolerated.get(one.code, 0) + 1
        if comparison.tolerated:
            tolerated = comparison.tolerated[0]
            return _ended(message, Status.SAME, tolerated.code, self._column(tolerated.name), tolerated.text)
        return _ended(message, Status.SAME, message.note_code, message.note_column, message.note)

    def _column(self, name: str) -> str:
        return self._columns.get(name, name)

    def _ended_with(self, kept: KeptReading) -> None:
        """Remove a reading once all is compared. Otherwise the same command continues after it."""
        (kept.close if self._left else kept.remove)()

    def close(self) -> None:
        """Remove what was read."""
        self._made.close()


class Unclear(NamedTuple):
    """Why it is unclear which contact a row is about."""

    code: ContactCode
    text: str


def find(message: Message, index: ContactIndex) -> Contact | Unclear | None:
    """Return the contact that a user call is about; None if there is none.

    The user id counts first. A phone counts if no contact has the id. Then its contact may not have another id: the
    phone would be somebody else's.
    """
    by_phone = [] if message.phone is None else index.by_phone(message.country_code or "", message.phone)
    if message.user_id is None:
        return _one(by_phone, "phone")
    by_id = index.by_user_id(message.user_id)
    found = _one(by_id or by_phone, "user id" if by_id else "phone")
    if not isinstance(found, Contact):
        return found
    if not by_id and found.user_id is not None:
        return Unclear("phone_of_another", "no contact has the user id, and the phone is that of another user id")
    if by_id and by_phone and found.id not in {one.id for one in by_phone}:
        return Unclear("phone_of_another", "the user id and the phone belong to two contacts")
    return found


def _one(contacts: Sequence[Contact], what: str) -> Contact | Unclear | None:
    if len(contacts) > 1:
        return Unclear("several_contacts", f"{len(contacts)} contacts have the {what}")
    return contacts[0] if contacts else None


def _ended(message: Message, status: Status, code: Code | None, column: str | None, text: str | None) -> Outcome:
    return Outcome.without_call(message, status, code=code, column=column, text=text, finished_at=time.time())
