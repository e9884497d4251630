"""Members of a commons: who is in and by which ways one comes in; and what stewards do, each asked for first."""

from __future__ import annotations

from typing import Final

from p2pcommons.core.identity import PublicKey, did_key, parse_did_key
from p2pcommons.errors import FormError, NotFound
from p2pcommons.node.values import REMOVAL_WORDS, ActInfo, EntranceInfo, FormerInfo, MemberInfo, MembersInfo
from p2pcommons.web.naming import names_of
from p2pcommons.web.visit import Answer, Page, Redirect, View, Visit, address

DEEDS: Final = ("leave", "remove", "keep", "purge", "steward", "end", "close")
"""What one may ask for here. Members: leave; take off a member where that was voted. Stewards: that as well, let what a
former member wrote count, take a key out for good, make a member a steward, end that, close a way in."""


async def show(visit: Visit) -> Answer:
    """`/commons/ID/members`."""
    commons = visit.commons_id()
    found = await visit.commons.members(commons)
    return Page(
        "members.html",
        {
            "info": await visit.commons.get_commons(commons),
            "found": found,
            "called": names_of(found),
            "me": await _me(visit),
            "members": [
                {
                    "info": each,
                    "did": did_key(each.key),
                    "by": None if each.by is None else did_key(each.by),
                    "people": () if each.organisation is None else [did_key(key) for key in each.organisation.people],
                }
                for each in found.members
            ],
            "former": [
                {"info": each, "did": did_key(each.key), "by": [did_key(key) for key in each.by]}
                for each in found.former
            ],
        },
    )


async def ask(visit: Visit) -> Answer:
    """`/commons/ID/members/act?do=…&key=…`: says what it does, and asks whether it is meant."""
    commons = visit.commons_id()
    found = await visit.commons.members(commons)
    deed = _deed(visit.asked("do"))
    member = None if deed in ("close", "leave") else _person(found, deed, visit.asked("key"))
    entrance = _entrance(found, visit.asked("entrance")) if deed == "close" else None
    return Page(
        "member_act.html",
        {
            "info": await visit.commons.get_commons(commons),
            "deed": deed,
            "quorum": found.quorum,
            "me": await _me(visit),
            "did": None if member is None else did_key(member.key),
            "member": member,
            "entrance": entrance,
        },
    )


async def act(visit: Visit) -> Answer:
    """Do it, or agree to it where several must."""
    commons = visit.commons_id()
    found = await visit.commons.members(commons)
    deed = _deed(visit.typed("do"))
    if deed == "close":
        done = await visit.commons.purge(commons, entrances=[_entrance(found, visit.typed("entrance")).id])
        return _back(visit, done, "entrance-closed")
    if deed == "leave":
        return _back(visit, await visit.commons.leave(commons), "left")
    member = _person(found, deed, visit.typed("key"))
    if deed == "remove":
        words = visit.typed("words") or REMOVAL_WORDS[0]
        if words not in REMOVAL_WORDS:
            raise NotFound("unknown-page", f"{words[:40]!r} is nothing that can be done here")
        return _back(visit, await visit.commons.remove_member(commons, member.key, words=words), "removed")
    if deed == "keep":
        return _back(visit, await visit.commons.keep_words(commons, member.key), "kept")
    if deed == "purge":
        return _back(visit, await visit.commons.purge(commons, keys=member.keys), "purged")
    add, end = ([member.key], []) if deed == "steward" else ([], [member.key])
    return _back(visit, await visit.commons.name_stewards(commons, add=add, end=end), f"steward-{deed}")


async def _me(visit: Visit) -> str:
    return did_key((await visit.commons.identity()).person)


def _back(visit: Visit, done: ActInfo, word: str) -> Redirect:
    return Redirect(address(f"/commons/{visit.commons_id().hex()}/members", word if done.done else "agreed"))


def _deed(text: str) -> str:
    if text not in DEEDS:
        raise NotFound("unknown-page", f"{text[:40]!r} is nothing that can be done here")
    return text


def _person(found: MembersInfo, deed: str, text: str) -> MemberInfo | FormerInfo:
    try:
        key: PublicKey | None = parse_did_key(text)
    except FormError:
        key = None
    for member in found.former if deed == "keep" else found.members:
        if key is not None and key in (member.key, *member.keys):
            return member
    raise NotFound("unknown-member", "no member has this key")


def _entrance(found: MembersInfo, text: str) -> EntranceInfo:
    for entrance in found.entrances:
        if entrance.id.hex() == text:
            return entrance
    raise NotFound("unknown-entrance", "there is no such way in")


VIEWS = (
    View("GET", "/commons/{commons}/members", show),
    View("GET", "/commons/{commons}/members/act", ask),
    View("POST", "/commons/{commons}/members/act", act, publishes=True),
)
