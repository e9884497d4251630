"""How pages name people: by what they call themselves, and where two say the same with the beginning of each key."""

from __future__ import annotations

from collections import Counter

from p2pcommons.core.identity import did_key
from p2pcommons.node.values import FormerInfo, MemberInfo, MembersInfo
from p2pcommons.web.wording import short_key


def names_of(found: MembersInfo) -> dict[str, str]:
    """By did, the name of each who has one; who has none is told by their key."""
    everybody: list[MemberInfo | FormerInfo] = [*found.members, *found.former]
    named = [(each, each.name) for each in everybody if each.name is not None]
    said = Counter(_alike(name) for _, name in named)
    return {
        did_key(key): name if said[_alike(name)] == 1 else f"{name} ({short_key(did_key(each.key))})"
        for each, name in named
        for key in (each.key, *each.keys)
    }


def _alike(name: str) -> str:
    return "".join(name.casefold().split())
