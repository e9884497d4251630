"""Commons that neighbours announce, put together from what each of them listed (chapter 30, "Announced commons")."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping

from p2pcommons.core.identity import PublicKey
from p2pcommons.core.limits import NEARBY_ADDRESSES_MAX, NEARBY_MAX
from p2pcommons.core.record import CommonsId
from p2pcommons.node.values import NearbyCommons


def nearby_commons(
    listings: Mapping[PublicKey, tuple[tuple[bytes, str], ...]],
    followed: Collection[CommonsId],
    places: Callable[[PublicKey], tuple[str, ...]],
) -> tuple[NearbyCommons, ...]:
    """Those that most name first. Where they call one differently, the name that most give it is shown."""
    names: dict[CommonsId, Counter[str]] = {}
    addresses: dict[CommonsId, list[str]] = {}
    for key in sorted(listings):
        for identifier, name in listings[key]:
            commons = CommonsId(identifier)
            names.setdefault(commons, Counter())[name] += 1
            addresses.setdefault(commons, []).extend(places(key))
    found = [
        NearbyCommons(
            id=commons,
            name=min(called, key=lambda name: (-called[name], name)),
            followed=commons in followed,
            neighbours=called.total(),
            addresses=tuple(addresses[commons][:NEARBY_ADDRESSES_MAX]),
        )
        for commons, called in names.items()
    ]
    return tuple(sorted(found, key=lambda one: (-one.neighbours, one.name, one.id))[:NEARBY_MAX])
