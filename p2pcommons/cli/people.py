"""How commands name people: a person is a key, told short in what is read, and named by its beginning.

`member list` and `--json` have keys whole. Knows no record: whom a key belongs to, the verbs say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from p2pcommons.errors import NotFound, Refused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from p2pcommons.api.verbs import Verbs
    from p2pcommons.core.identity import PublicKey
    from p2pcommons.core.record import CommonsId
    from p2pcommons.node.values import FormerInfo, MemberInfo, MembersInfo

SHORT_CHARACTERS: Final = 16  # "z6Mk", which all have, and 12 that no two people of a commons share by chance
_NAMED_MIN: Final = 8  # as many tell people apart that one meets


class People:
    """The members of a commons and who was one, by their keys."""

    def __init__(self, members: MembersInfo) -> None:
        everybody: list[MemberInfo | FormerInfo] = [*members.members, *members.former]
        self._own = frozenset(key for each in everybody if each.you for key in each.keys)
        self._names = {key: each.name for each in everybody for key in (each.key, *each.keys)}
        self._keys = {key: each.key for each in everybody for key in (each.key, *each.keys)}

    def name(self, key: PublicKey) -> str:
        """Somebody in a line that people read: what they call themselves, if anything, with the key that tells them apart."""
        own = self._names.get(key)
        return (f"“{own}” " if own else "") + short_key(key) + (" (you)" if key in self._own else "")

    def find(self, named: str) -> PublicKey:
        """The key that a person gave, whole or its beginning. NotFound `unknown-member`; Refused `which-member`."""
        from p2pcommons.core.identity import did_key, parse_did_key
        from p2pcommons.errors import FormError

        bare = named.removeprefix("did:key:").rstrip("…")
        try:
            return parse_did_key(bare)
        except FormError:
            pass
        found = [key for key in self._keys if did_key(key).removeprefix("did:key:").startswith(bare)]
        if len(bare) < _NAMED_MIN or not found:
            raise NotFound(
                "unknown-member",
                f"No member's key begins with {named[:80]!r}. Give at least {_NAMED_MIN} characters of it, as shown by: "
                "p2pcommons member list",
            )
        if len({self._keys[key] for key in found}) > 1:
            raise Refused("which-member", f"Several keys begin with {bare}: give more of it.")
        return self._keys[found[0]] if len(found) > 1 else found[0]


async def people_of(verbs: Verbs, commons: CommonsId) -> People:
    """The people of a commons."""
    return People(await verbs.members(commons))


async def find_keys(verbs: Verbs, commons: CommonsId, named: Iterable[str]) -> tuple[PublicKey, ...]:
    """The keys that a person gave, whole or by their beginnings; refused as `People.find`."""
    texts = list(named)
    if not texts:
        return ()
    people = await people_of(verbs, commons)
    return tuple(people.find(text) for text in texts)


def short_key(key: PublicKey) -> str:
    """A key as long as one compares by eye: `z6MkpTHR8VNsBxYA`."""
    from p2pcommons.core.identity import did_key

    return did_key(key).removeprefix("did:key:")[:SHORT_CHARACTERS]
