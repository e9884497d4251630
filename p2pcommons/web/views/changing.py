"""Adding, changing, withdrawing and settling an entry."""

from __future__ import annotations

from typing import Any, Final

from p2pcommons.commons.draft import FieldError
from p2pcommons.commons.vocabulary import FIELDS, TYPES, UNDETERMINED
from p2pcommons.core.record import CommonsId
from p2pcommons.errors import FormError
from p2pcommons.node.values import CommonsInfo, EntryAnswer, EntryChanged
from p2pcommons.web import labels
from p2pcommons.web.entry_form import (
    LISTS,
    MULTILINGUAL,
    NEW,
    PLACE,
    SIMPLE,
    Errors,
    Values,
    entry_of,
    patch_of,
    text_keys,
    values_of,
)
from p2pcommons.web.views.entries import commons_info, unsettled
from p2pcommons.web.visit import Answer, Page, Redirect, View, Visit, address

_WAS: Final = "was."  # what stood in a field when the form was made
_REASON_MAX: Final = 2000  # characters


def typed_values(visit: Visit, prefix: str = "") -> Values:
    """The entry form's fields as they came, with `prefix` in front taken off."""
    known = {*SIMPLE, *LISTS, *PLACE, "language", "words", *(f"{name}.{NEW}" for name in MULTILINGUAL)}
    found: Values = {}
    for key, value in visit.form:
        name = key.removeprefix(prefix)
        if key.startswith(prefix) and (name in known or name.split(".")[0] in MULTILINGUAL):
            found.setdefault(name, value)
    if not prefix and found.get("licence") == "other":
        found["licence"] = visit.typed("licence.other")
    return found


# -- adding


async def add_form(visit: Visit) -> Answer:
    """`/add`: an empty form."""
    writable = [info for info in await visit.commons.list_commons() if info.may_write]
    if not writable:
        return Redirect("/welcome" if not await visit.commons.list_commons() else "/commons")
    values: Values = {"licence": labels.LICENCE_DEFAULT, "words": visit.texts.language}
    return _adding(writable, visit.asked("commons"), values, {})


async def add(visit: Visit) -> Answer:
    """Write a new entry."""
    writable = [info for info in await visit.commons.list_commons() if info.may_write]
    values = typed_values(visit)
    entry, errors = entry_of(values)
    commons = visit.place()
    if commons is None:
        errors["commons"] = labels.REFUSALS["unknown-commons"]
    if errors or commons is None:
        return _adding(writable, visit.typed("commons"), values, errors)
    try:
        made = await visit.commons.add_entry(commons, entry)
    except FormError as error:
        return _adding(writable, commons.hex(), values, _of_form(error))
    return Redirect(address(f"/entries/{made.entry['id']}", "added"))


def _adding(writable: list[CommonsInfo], commons: str, values: Values, errors: Errors) -> Page:
    return Page(
        "entry_form.html",
        {
            **_form(values, errors),
            "entry": None,
            "writable": writable,
            "chosen": commons,
            "action": "/add",
            "was": {},
            "now_there": {},
            "etag": "",
        },
        422 if errors else 200,
    )


def _of_form(error: FormError) -> Errors:
    """What a refused entry has wrong, at its field where it names one."""
    if isinstance(error, FieldError):
        return {error.field: labels.FIELD_ERRORS.get(error.field, labels.FIELD_ERROR)}
    return {"": labels.REFUSALS.get(error.code.replace("_", "-"), labels.FIELD_ERROR)}


def _form(values: Values, errors: Errors) -> dict[str, Any]:
    texts = {name: text_keys(values, name) or [name] for name in MULTILINGUAL}
    return {"values": values, "errors": errors, "types": TYPES, "text_keys": texts}


# -- changing


async def edit_form(visit: Visit) -> Answer:
    """`/entries/ID/edit`: the entry as it is now."""
    found = await visit.commons.get_entry(visit.entry_id(), visit.place())
    values = values_of(found.entry)
    return _editing(visit, found, values, values, {}, {})


async def edit(visit: Visit) -> Answer:
    """Write what was changed, unless somebody was faster."""
    found = await visit.commons.get_entry(visit.entry_id(), visit.place())
    was, now = typed_values(visit, _WAS), typed_values(visit)
    if found.etag != visit.typed("etag"):
        return _overtaken(visit, found, was, now)
    patch, errors = patch_of(found.entry, was, now)
    if errors:
        return _editing(visit, found, was, now, errors, {})
    commons = CommonsId(bytes.fromhex(found.entry["commons"]))
    try:
        changed = await visit.commons.patch_entry(visit.entry_id(), patch, commons=commons, if_match=[found.etag])
    except EntryChanged as error:
        return _overtaken(visit, error.present, was, now)
    except FormError as error:
        return _editing(visit, found, was, now, _of_form(error), {})
    done = "unchanged" if changed.etag == found.etag else "saved"
    return Redirect(address(f"/entries/{found.entry['id']}", done, commons=visit.asked("commons")))


def _overtaken(visit: Visit, present: EntryAnswer, was: Values, now: Values) -> Page:
    """The form again: what the person typed stays, what they left alone is as it is now."""
    there = values_of(present.entry)
    typed = {name: value for name, value in now.items() if value.strip() != was.get(name, "").strip()}
    against = {name: there.get(name, "") for name in typed if there.get(name, "") != was.get(name, "")}
    return _editing(visit, present, there, {**there, **typed}, {}, against, overtaken=True)


def _editing(
    visit: Visit,
    found: EntryAnswer,
    was: Values,
    now: Values,
    errors: Errors,
    against: Values,
    *,
    overtaken: bool = False,
) -> Page:
    page = f"/entries/{found.entry['id']}"
    commons = visit.asked("commons")
    return Page(
        "entry_form.html",
        {
            **_form({**values_of(found.entry), **now}, errors),
            "entry": found.entry,
            "etag": found.etag,
            "was": was,
            "now_there": against,
            "overtaken": overtaken,
            "action": address(f"{page}/edit", commons=commons),
            "back": address(page, commons=commons),
        },
        412 if overtaken else 422 if errors else 200,
    )


# -- settling


async def settle(visit: Visit) -> Answer:
    """Choose one of the values that stand against each other."""
    entry, place = visit.entry_id(), visit.place()
    found = await visit.commons.get_entry(entry, place)
    page = address(f"/entries/{entry.hex()}", "settled", commons=visit.asked("commons"))
    wanted = (visit.typed("field"), visit.typed("tag"))
    chosen = visit.typed("choice")
    for one in unsettled(visit.texts, found.entry):
        if (one.field, one.tag) != wanted or not chosen.isdigit() or len(chosen) > 4 or int(chosen) >= len(one.choices):
            continue
        value = one.choices[int(chosen)].value
        tagged = one.tag or (UNDETERMINED if isinstance(found.entry.get(one.field), dict) else "")
        multilingual = FIELDS[one.field].multilingual
        patch = {one.field: {tagged: value} if tagged and multilingual else value}
        etag = [visit.typed("etag")]
        commons = CommonsId(bytes.fromhex(found.entry["commons"]))
        await visit.commons.patch_entry(entry, patch, commons=commons, if_match=etag)
        return Redirect(page)
    return Redirect(address(f"/entries/{entry.hex()}", "unchanged", commons=visit.asked("commons")))


# -- withdrawing


async def withdraw_form(visit: Visit) -> Answer:
    """`/entries/ID/withdraw`: asks for a reason, and whether it is meant."""
    found = await visit.commons.get_entry(visit.entry_id(), visit.place())
    return await _withdrawing(visit, found, "", None)


async def _withdrawing(visit: Visit, found: EntryAnswer, reason: str, problem: str | None) -> Page:
    info = await commons_info(visit, found.entry)
    commons = visit.asked("commons")
    page = f"/entries/{found.entry['id']}"
    return Page(
        "withdraw.html",
        {
            "entry": found.entry,
            "etag": found.etag,
            "info": info,
            "reason": reason,
            "problem": problem,
            "action": address(f"{page}/withdraw", commons=commons),
            "back": address(page, commons=commons),
        },
        200 if problem is None else 422,
    )


async def withdraw(visit: Visit) -> Answer:
    """Withdraw the entry as the person saw it."""
    entry = visit.entry_id()
    found = await visit.commons.get_entry(entry, visit.place())
    reason = visit.typed("reason").strip()[:_REASON_MAX]
    commons = CommonsId(bytes.fromhex(found.entry["commons"]))
    try:
        await visit.commons.withdraw_entry(entry, reason or None, commons=commons, if_match=[visit.typed("etag")])
    except EntryChanged as error:
        return await _withdrawing(visit, error.present, reason, labels.REFUSALS["entry-changed"])
    except FormError:
        return await _withdrawing(visit, found, reason, labels.FIELD_ERROR)
    return Redirect(address(f"/entries/{entry.hex()}", commons=visit.asked("commons")))


async def restore(visit: Visit) -> Answer:
    """Show a withdrawn entry again."""
    entry = visit.entry_id()
    await visit.commons.restore_entry(entry, commons=visit.place())
    return Redirect(address(f"/entries/{entry.hex()}", "restored", commons=visit.asked("commons")))


VIEWS = (
    View("GET", "/add", add_form),
    View("POST", "/add", add, publishes=True),
    View("GET", "/entries/{entry}/edit", edit_form),
    View("POST", "/entries/{entry}/edit", edit, publishes=True),
    View("POST", "/entries/{entry}/settle", settle, publishes=True),
    View("GET", "/entries/{entry}/withdraw", withdraw_form),
    View("POST", "/entries/{entry}/withdraw", withdraw, publishes=True),
    View("POST", "/entries/{entry}/restore", restore, publishes=True),
)
