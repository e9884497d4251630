"""Protecting what is shared: report an entry, hide it, show it again, look at reports, take one's own words back."""

from __future__ import annotations

from typing import Final

from p2pcommons.commons.moderation_bodies import REASONS
from p2pcommons.core.identity import PublicKey, did_key, parse_did_key
from p2pcommons.core.limits import WRITTEN_CHARACTERS_MAX
from p2pcommons.core.record import CommonsId
from p2pcommons.errors import FormError, NotFound
from p2pcommons.node.moderation_values import HiddenInfo
from p2pcommons.web import labels
from p2pcommons.web.visit import Answer, Page, Redirect, View, Visit, address

DEEDS: Final = ("report", "hide", "unhide", "review", "erase")
"""What one may ask for about an entry. Who may: hide, show again, answer reports."""
LISTING: Final = ("add", "remove", "follow", "unfollow")


async def hidden_page(visit: Visit, hidden: HiddenInfo) -> Page:
    """In the place of an entry that is hidden: by whom, why, and how to see it all the same."""
    return Page(
        "hidden.html",
        {
            "hidden": hidden,
            "acts": [(one, did_key(one.person)) for one in hidden.hidings],
            "lists": [did_key(one) for one in hidden.lists],
            "info": await visit.commons.get_commons(hidden.commons),
            "me": did_key((await visit.commons.identity()).person),
            "place": visit.asked("commons"),
        },
        403,
    )


async def ask(visit: Visit) -> Answer:
    """`/entries/ID/moderate?do=…`: says what it does, and asks whether it is meant."""
    return await _asking(visit, _deed(visit.asked("do")), "", None)


async def _asking(visit: Visit, deed: str, text: str, problem: str | None) -> Page:
    entry = visit.entry_id()
    found = await visit.commons.get_entry(entry, visit.place(), hidden=True)
    commons = CommonsId(bytes.fromhex(found.entry["commons"]))
    return Page(
        "moderate.html",
        {
            "deed": deed,
            "entry": found.entry,
            "info": await visit.commons.get_commons(commons),
            "queue": await visit.commons.moderation_queue(commons),
            "reasons": [(reason, labels.REASONS[reason]) for reason in REASONS],
            "chosen": visit.typed("reason") or "other",
            "text": text,
            "problem": problem,
            "back": address(f"/entries/{entry.hex()}", commons=found.entry["commons"]),
        },
        200 if problem is None else 422,
    )


async def act(visit: Visit) -> Answer:
    """Do it."""
    entry, deed, commons = visit.entry_id(), _deed(visit.typed("do")), visit.place()
    page, text = f"/entries/{entry.hex()}", visit.typed("text").strip()
    reason = visit.typed("reason")
    if deed in ("report", "hide") and (reason not in REASONS or len(text) > WRITTEN_CHARACTERS_MAX or "\0" in text):
        return await _asking(visit, deed, text, labels.FIELD_ERROR)
    if deed == "report":
        await visit.commons.report_entry(entry, reason, text or None, commons=commons)
    elif deed == "hide":
        await visit.commons.hide_entry(entry, reason, text or None, commons=commons)
    elif deed == "unhide":
        done = await visit.commons.unhide_entry(entry, commons=commons)
        deed = "unhide" if done.hidden is None else "unhide-some"
    elif deed == "review":
        await visit.commons.review_reports(entry, commons=commons)
    else:
        await visit.commons.erase_words(entry, commons=commons)
    return Redirect(address(page, f"did-{deed}", commons=visit.typed("commons")))


async def overview(visit: Visit) -> Answer:
    """`/commons/ID/moderation`: what waits, what is hidden, and whose block lists there are."""
    commons = visit.commons_id()
    queue, hidden = await visit.commons.moderation_queue(commons), await visit.commons.hidden_entries(commons)
    lists = await visit.commons.block_lists(commons)
    return Page(
        "moderation.html",
        {
            "info": await visit.commons.get_commons(commons),
            "queue": queue,
            "reports": [[(report, did_key(report.person)) for report in item.reports] for item in queue.items],
            "hidden": [(one, [(each, did_key(each.person)) for each in one.hidings]) for one in hidden],
            "lists": [(one, did_key(one.person), [(key, did_key(key.key)) for key in one.keys]) for one in lists],
            "reasons": [(reason, labels.REASONS[reason]) for reason in REASONS],
            "me": did_key((await visit.commons.identity()).person),
        },
    )


async def block_list(visit: Visit) -> Answer:
    """Change one's own block list, or whose lists this node follows."""
    commons, deed = visit.commons_id(), visit.typed("do")
    if deed not in LISTING:
        raise NotFound("unknown-page", f"{deed[:40]!r} is nothing that can be done here")
    key = _key(visit.typed("key"))
    if deed == "add":
        reason = visit.typed("reason")
        await visit.commons.change_block_list(commons, add=[key], reason=reason if reason in REASONS else "other")
    elif deed == "remove":
        await visit.commons.change_block_list(commons, remove=[key])
    else:
        await visit.commons.follow_block_list(commons, key, follow=deed == "follow")
    return Redirect(address(f"/commons/{commons.hex()}/moderation", f"list-{deed}"))


def _deed(text: str) -> str:
    if text not in DEEDS:
        raise NotFound("unknown-page", f"{text[:40]!r} is nothing that can be done here")
    return text


def _key(text: str) -> PublicKey:
    try:
        return parse_did_key(text.strip())
    except FormError:
        raise NotFound("unknown-member", "no member has this key") from None


VIEWS = (
    View("GET", "/entries/{entry}/moderate", ask),
    View("POST", "/entries/{entry}/moderate", act, publishes=True),
    View("GET", "/commons/{commons}/moderation", overview),
    View("POST", "/commons/{commons}/block-list", block_list, publishes=True),
)
