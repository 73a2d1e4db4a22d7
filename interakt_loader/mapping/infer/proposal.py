"""Which column is proposed for which field, and what the rows are. Only names and types of columns count.

So the first row of a table and all of its rows give the same proposal. What the names leave open is a question.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from interakt_loader.errors import by_surface, mapped, option
from interakt_loader.mapping.infer import names
from interakt_loader.model import Kind
from interakt_loader.privacy.text import MOST_NAMED, some

_ID_TYPES = ("text", "int", "float", "decimal", "null")
_PHONE_TYPES = (*_ID_TYPES, "list")
_TIME_TYPES = ("text", "int", "float", "timestamp", "date", "null")


@dataclass(frozen=True)
class Proposal:
    """The columns that are proposed, by field, and what their names leave open."""

    kind: Kind
    columns: Mapping[str, str]
    """By field, without traits."""
    questions: tuple[str, ...]
    remarks: tuple[str, ...]
    kind_asked: bool = False
    """Whether one of the questions is if the rows are events or users."""
    offered_phones: tuple[str, ...] = ()
    """Columns of phones that are not proposed and may be the right ones."""

    @property
    def identity(self) -> str | None:
        """The column that identifies the subject of a row; None if there is none."""
        return self.columns.get("user_id", self.columns.get("phone"))


def propose(types: Mapping[str, str], kind: Kind | None, *, event_given: bool) -> Proposal:
    """Choose columns by their names and types (a `Kind` of value by name); `kind` is the user's, for the rows."""
    if event_given:
        kind = "event"
    chosen: dict[str, str] = {}
    event = None if event_given or kind == "user" else _event(types, kind)
    if event is not None:
        chosen["event"] = event
    rows_are: Kind = "event" if event is not None or kind == "event" else "user"
    rest = {name: type_ for name, type_ in types.items() if name != event}
    phones = _Phones(rest)
    ids = _Ids(rest, phone=phones.column, kind=kind)
    questions = [*ids.questions, *phones.questions(ids)]
    if ids.column is not None:
        chosen["user_id"] = ids.column
    if phones.column is not None:
        chosen["phone"] = phones.column
        others = {name: type_ for name, type_ in rest.items() if names.phone(name) is None}
        country = _first(others, names.country_rank, ("text", "int", "float", "null"))
        if country is not None:
            chosen["country_code"] = country
    asked = None if kind is not None or not chosen.keys() & {"user_id", "phone"} else _kind_question(rest, ids, event)
    left = {name: type_ for name, type_ in rest.items() if name not in chosen.values()}
    created_at = _first(left, lambda name: names.created_at_rank(name, rows_are), _TIME_TYPES)
    if created_at is None and rows_are == "event":
        times = [name for name, type_ in left.items() if type_ in _TIME_TYPES and _may_be_the_time(name, type_)]
        if len(times) == 1:
            created_at = times[0]
        elif times:
            questions.append(
                f"created_at: any of {some(times)} may be the time of the event: a mapping line such as "
                f'created_at: {{column: "{times[0]}", type: datetime}}'
            )
    if created_at is not None:
        chosen["created_at"] = created_at
    if rows_are == "user":
        tags = _first(left, names.tags_rank, ("text", "list", "null"))
        if tags is not None:
            chosen["tags"] = tags
    if asked is not None:
        questions.insert(0, asked)
    return Proposal(
        rows_are,
        chosen,
        tuple(questions),
        (*ids.remarks, *phones.remarks),
        kind_asked=asked is not None,
        offered_phones=tuple(phones.offered),
    )


def _first(types: Mapping[str, str], rank: Callable[[str], int | None], usable: Sequence[str]) -> str | None:
    """Return the column with the clearest name among those of a usable type; the first of equals."""
    ranked = [(found, place, name) for place, name in enumerate(types) if (found := rank(name)) is not None]
    return next((name for _, _, name in sorted(ranked) if types[name] in usable), None)


def _may_be_the_time(name: str, type_: str) -> bool:
    return names.names_an_event_time(name, typed=type_ in ("timestamp", "date"))


def _event(types: Mapping[str, str], kind: Kind | None) -> str | None:
    return _first(types, lambda name: names.event_rank(name, known=kind == "event"), ("text", "null"))


class _Ids:
    """The column of the person's ids."""

    def __init__(self, types: Mapping[str, str], *, phone: str | None, kind: Kind | None) -> None:
        found = [(names.person_id(name), place, name) for place, name in enumerate(types) if types[name] in _ID_TYPES]
        known = sorted(
            (of.rank, names.PEOPLE.get(of.noun, 99), place, name, of) for of, place, name in found if of is not None
        )
        of_rows = not any(names.names_something_personal(name) for name in types) and any(
            names.action_id(name) or names.action_time(name) or names.bare_time(name) or names.names_an_amount(name)
            for name in types
        )
        self.column: str | None = None
        self.questions: list[str] = []
        self.remarks: list[str] = []
        self.row_ids = [name for *_, name, of in known if of.noun == ""]
        """Columns called `id` alone."""
        if not known:
            return
        rank, _, _, name, best = known[0]
        if best.sure:
            self.column = name
            self._rivals([(of.rank, of.noun, other) for *_, other, of in known[1:] if of.sure], best, name)
        elif rank >= 10 or (rank == 9 and of_rows):
            # a noun alone, or an id in a table of actions
            if phone is None:
                self._ask(name, best)
            elif rank == 10 and kind != "event":
                self.remarks.append(
                    f"user_id: the phone alone identifies the subject of a row; if {name} is the person's permanent "
                    f"id, give {mapped('user_id', name)}"
                )
        else:
            self._ask(name, best, phone)

    @property
    def sure(self) -> bool:
        """Whether there is an id without a question."""
        return self.column is not None and not self.questions

    def _ask(self, name: str, best: names.IdName, phone: str | None = None) -> None:
        self.column = name
        doubt = "may be the row's number, not a person's id" if not best.noun else "may not be the person's id"
        instead = f", or {mapped('phone', phone)} to go by the phone alone" if phone is not None else ""
        self.questions.append(f"user_id: {name} {doubt}: {mapped('user_id', name)} if it is{instead}")

    def _rivals(self, others: list[tuple[int, str, str]], best: names.IdName, name: str) -> None:
        same = names.PEOPLE[best.noun]
        rivals = [other for rank, noun, other in others if names.PEOPLE[noun] != same or rank in (best.rank, 1)]
        if rivals:
            ways = " or ".join(mapped("user_id", rival) for rival in (name, *rivals[: MOST_NAMED - 1]))
            self.questions.append(f"user_id: {some([name, *rivals])} are ids of people: {ways}")


class _Phones:
    """The column of the person's phones."""

    def __init__(self, types: Mapping[str, str]) -> None:
        self._types = types
        found = [
            (phone.rank, place, name, phone.whose)
            for place, name in enumerate(types)
            if types[name] in _PHONE_TYPES and (phone := names.phone(name)) is not None
        ]
        in_order = sorted(found)
        good = [(name, whose, rank) for rank, _, name, whose in in_order if whose in ("own", "unclear")]
        self.column: str | None = good[0][0] if good else None
        self._whose, self._rank = good[0][1:] if good else ("other", 0)
        self.offered = [] if good else [name for *_, name, _ in in_order]
        """Phones of other people, if there is none of the person."""
        self._guardians = [name for *_, name, whose in in_order if whose == "guardian"]
        others = [name for _, _, name, whose in in_order if whose in ("guardian", "other")]
        self.remarks = []
        if good and others:
            self.remarks.append(f"phone: not {some(others)}, by the name another person's number or a second one")

    def questions(self, ids: _Ids) -> list[str]:
        """Return the questions about the phone, given the ids."""
        if self.column is None:
            if self._guardians and ids.column is not None:
                name = self._guardians[0]
                return [
                    f"phone: {name} is the phone of a parent or relative: {mapped('phone', name)} to write to it, or "
                    f"{mapped('user_id', ids.column)} to load without a phone"
                ]
            return []
        without = f", or {mapped('user_id', ids.column)} to load without a phone" if ids.column is not None else ""
        take = f"{mapped('phone', self.column)} if it is{without}"
        if self._whose == "unclear":
            return [f"phone: {self.column} may not be the phone of the row's subject: {take}"]
        if ids.sure or self._rank < names.UNSAID:
            return []
        subjects = [(name, names.subject(name)) for name in self._types]
        staff = [name for name, subject in subjects if subject == "staff"]
        first = next((name for name in self._types if not names.counts_rows(name)), None)
        things = [name for name, of in subjects if of == "thing" or (of == "word" and name == first)]
        if staff:
            return [f"phone: the rows have {staff[0]}, so {self.column} may be the phone of your own staff: {take}"]
        if things and not any(names.names_something_personal(name) for name in self._types):
            return [
                f"phone: the rows have {things[0]} and no person, so {self.column} may be no person's phone: {take}"
            ]
        return []


def _kind_question(types: Mapping[str, str], ids: _Ids, event: str | None) -> str | None:
    """Return a question if a row may be one of several of a person: an order, a visit."""
    personal = [name for name in types if names.names_a_person(name)]
    if event is not None:
        if not personal or any(names.bare_time(name) or names.action_time(name) for name in types):
            return None
        return (
            f"kind: {event} names an event, and {personal[0]} a person: {option('as', 'events')} if each row is an "
            f"event called as {event} says, or {option('as', 'users')}"
        )
    row_ids = [name for name in ids.row_ids if name != ids.column]
    row_ids += [name for name in types if name != ids.column and names.action_id(name)]
    times = [name for name in types if names.action_time(name)]
    bought = any(names.names_an_amount(name) for name in types)
    if bought or not any(names.names_something_personal(name) for name in types):
        times += [name for name in types if names.bare_time(name)]
    if row_ids:
        sign = f"{some(row_ids)} may differ in rows of the same person"
        if ids.column is None and ids.row_ids:
            return f"kind: {sign}: {events_or_users()}, or {mapped('user_id', ids.row_ids[0])} if it is the person's id"
        return f"kind: {sign}: {events_or_users()}"
    return f"kind: {some(times)} may be the time of an action: {events_or_users()}" if times else None


def events_or_users() -> str:
    """Return the options that say what the rows are."""
    events = by_surface(", ", " ").join([option("as", "events"), option("event", placeholder="NAME")])
    return f"{events} if each row is an event, or {option('as', 'users')} (of each user the last row stays)"
