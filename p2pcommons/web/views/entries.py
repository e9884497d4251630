"""One entry to read, and its history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from p2pcommons.commons.vocabulary import FIELDS, UNDETERMINED, field_of, split_key
from p2pcommons.core.identity import did_key
from p2pcommons.errors import NotFound
from p2pcommons.node.moderation_values import EntryHidden
from p2pcommons.node.values import CommonsInfo, EntryWithdrawn, HistoryItem
from p2pcommons.web.reading import Shown, field_values
from p2pcommons.web.texts import Texts
from p2pcommons.web.views.moderation import hidden_page
from p2pcommons.web.visit import Answer, Page, View, Visit, address

HISTORY_ITEMS: Final = 20


class Choice(NamedTuple):
    """One of the values that stand against each other."""

    value: Any  # as a patch of the field writes it
    shown: tuple[Shown, ...]


class Unsettled(NamedTuple):
    """A field that waits for somebody to choose. The first choice is the value shown now."""

    field: str
    tag: str  # of one language of the field; "" where it has none
    offered: bool  # what stands against it comes from an import, not from a person
    choices: tuple[Choice, ...]


def unsettled(texts: Texts, entry: Mapping[str, Any]) -> list[Unsettled]:
    """What an entry's `conflicts` and `offered` ask to be chosen, field by field, language by language."""
    found = []
    for part in ("conflicts", "offered"):
        for name, others in entry.get(part, {}).items():
            field = FIELDS.get(name)
            if field is None:
                continue
            present = entry.get(name)
            if name in _SETS:
                whole = list(present or [])
                values: list[Any] = [whole, *([*whole, other] for other in others)]
                found.append(_unsettled(texts, name, "", part, values))
                continue
            by_tag: dict[str, list[Any]] = {}
            for other in others:
                tag, value = (
                    next(iter(other.items())) if field.multilingual and isinstance(other, dict) else ("", other)
                )
                by_tag.setdefault(tag, []).append(value)
            for tag, values in by_tag.items():
                found.append(_unsettled(texts, name, tag, part, [_of_tag(present, tag, field.multilingual), *values]))
    return found


_SETS: Final = frozenset(name for name, field in FIELDS.items() if field.kind == "set")


def _of_tag(present: Any, tag: str, multilingual: bool) -> Any:
    if multilingual and isinstance(present, dict):
        return present.get(tag or UNDETERMINED)
    return None if tag else present


def _unsettled(texts: Texts, name: str, tag: str, part: str, values: list[Any]) -> Unsettled:
    choices = []
    for value in values:
        spoken = {tag: value} if tag and value is not None else value
        shown = () if value in (None, []) else tuple(field_values(texts, FIELDS[name], spoken))
        choices.append(Choice(value, shown))
    return Unsettled(name, tag, part == "offered", tuple(choices))


async def commons_info(visit: Visit, entry: Mapping[str, Any]) -> CommonsInfo:
    """The commons that an entry is in."""
    return await visit.commons.get_commons(visit.commons_id(entry["commons"]))


async def show(visit: Visit) -> Answer:
    """`/entries/ID`."""
    try:
        found = await visit.commons.get_entry(visit.entry_id(), visit.place(), hidden=visit.asked("hidden") == "yes")
    except EntryHidden as error:
        return await hidden_page(visit, error.hidden)
    except EntryWithdrawn as error:
        return Page("withdrawn.html", {"withdrawal": error.withdrawal, "by": did_key(error.withdrawal.by)}, 410)
    identity = await visit.commons.identity()
    return Page(
        "entry.html",
        {
            "entry": found.entry,
            "etag": found.etag,
            "place": visit.asked("commons"),
            "info": await commons_info(visit, found.entry),
            "unsettled": unsettled(visit.texts, found.entry),
            "me": did_key(identity.person),
        },
    )


async def history(visit: Visit) -> Answer:
    """`/entries/ID/history`: what was written, by whom, when; newest first."""
    entry = visit.entry_id()
    place = visit.place()
    found = await visit.commons.history(entry, commons=place, limit=HISTORY_ITEMS, cursor=visit.asked("cursor") or None)
    identity = await visit.commons.identity()
    path = f"/entries/{entry.hex()}"
    try:
        title = (await visit.commons.get_entry(entry, place)).entry.get("title")
    except NotFound:  # withdrawn or erased: its history is here all the same
        title = None
    return Page(
        "history.html",
        {
            "title": title,
            "back": address(path, commons=place.hex() if place else None),
            "items": [_item(visit.texts, item) for item in found.items],
            "me": did_key(identity.person),
            "more": address(f"{path}/history", cursor=found.next, commons=place.hex() if place else None)
            if found.next
            else None,
        },
    )


class Written(NamedTuple):
    """One line of what a record wrote."""

    name: str  # field
    tag: str
    how: str  # "set", "add", "remove", "clear"
    values: tuple[Shown, ...]


def _item(texts: Texts, item: HistoryItem) -> dict[str, Any]:
    body = item.body or {}
    return {
        "author": did_key(item.author),
        "at": item.at,
        "kind": item.kind,
        "first": item.kind == "entry.edit" and not item.prev,
        "counts": item.counts,
        "erased": item.body is None,
        "origin": body.get("origin") if isinstance(body.get("origin"), str) else None,
        "reason": body.get("reason") if isinstance(body.get("reason"), str) else None,
        "written": sorted(_written(texts, body), key=_reading_order) if item.kind == "entry.edit" else [],
        "record": item.record.hex(),
    }


def _reading_order(line: Written) -> tuple[int, str]:
    return _PLACES[line.name], line.tag


_PLACES: Final = {name: place for place, name in enumerate(FIELDS)}


def _written(texts: Texts, body: Mapping[str, Any]) -> list[Written]:
    found = []
    for how in ("set", "add", "remove"):
        part = body.get(how)
        for key, value in part.items() if isinstance(part, dict) else ():
            name, tag = split_key(key)
            field = field_of(key)
            if field is not None:
                spoken = {tag: value} if tag else value
                try:
                    shown = tuple(field_values(texts, field, spoken))
                except (TypeError, ValueError, KeyError, AttributeError):
                    continue  # a body that does not fit wrote nothing, and is shown as that
                found.append(Written(name, tag, how, shown))
    for key in body.get("clear") or () if isinstance(body.get("clear"), list) else ():
        if isinstance(key, str) and field_of(key) is not None:
            found.append(Written(*split_key(key), "clear", ()))
    return found


VIEWS = (View("GET", "/entries/{entry}", show), View("GET", "/entries/{entry}/history", history))
