"""Founding, inviting, joining: what a person does so that their writing counts in a commons.

Where joining is open a follower's first write makes its own join; an invitation is kept until the charter is here, and
so is the wish of a restored identity to be itself again.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from typing import Final

from p2pcommons.commons.charter import Charter, Entrance
from p2pcommons.commons.charter_bodies import found, invite, join_by_invitation, join_open
from p2pcommons.commons.charter_text import founding_fields
from p2pcommons.commons.doors import recovery_hash
from p2pcommons.commons.former import LEFT, UNSEATED
from p2pcommons.commons.invitation import Invitation as InvitationLine
from p2pcommons.commons.invitation import parse_invitation
from p2pcommons.commons.languages import canonical
from p2pcommons.commons.pasts import ancestors
from p2pcommons.commons.stamp import search_stamp
from p2pcommons.core.address import parse_address
from p2pcommons.core.identity import SigningKey
from p2pcommons.core.record import CommonsId, RecordId
from p2pcommons.errors import Conflict, LocalProtocolError, Refused
from p2pcommons.node.acting import Acting
from p2pcommons.node.charters import chosen_rules
from p2pcommons.node.devices import Devices
from p2pcommons.node.runtime import Runtime
from p2pcommons.node.values import Instant, Invitation

_STAMP_SLICE: Final = 1 << 14  # 10 ms of hashing between two looks at whether to go on
_DAY_MS: Final = 24 * 3600 * 1000
_TERRITORY: Final = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?|[0-9][0-9AB]|[0-9]{3}|[0-9][0-9AB][0-9]{3}")


class Membership:
    """This person's standing in the commons it follows."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._acting = Acting(runtime)
        self.devices = Devices(runtime, self._acting)
        self._joining: dict[CommonsId, asyncio.Lock] = {}
        self._kept: dict[CommonsId, bytes] = {}  # invitations not used yet: invite record id, private seed

    def load(self) -> None:
        """Read the invitations kept; in the engine's thread."""
        for commons in self._runtime.replica.followed():
            kept = self._runtime.store.value(_kept_name(commons))
            if kept is not None:
                self._kept[commons] = kept

    def charter(self, commons: CommonsId) -> Charter:
        """The charter. NotFound `unknown-commons`; Conflict `commons-waiting` while nothing is here."""
        self._runtime.check_followed(commons)
        charter = self._runtime.replica.charter(commons)
        if charter is None or not charter.founded:
            raise Conflict(
                "commons-waiting",
                "Nothing of this commons is here yet: connect to a node that has it, then try again.",
            )
        return charter

    def is_member(self, charter: Charter) -> bool:
        """Whether this person is a member by their own key."""
        return charter.is_member(self._runtime.keys.person.public)

    def may_write(self, charter: Charter) -> bool:
        """Whether a write would be taken: a member, or one who may join by writing."""
        if self.is_member(charter) or self.devices.lost_key(charter) is not None:
            return True
        if self._runtime.keys.person.public in charter.purged:
            return False
        way, former = self._way_in(charter), charter.out(self._runtime.keys.person.public)
        if way is None or former is None:
            return way is not None
        return former.how == UNSEATED or (former.how == LEFT and way[1] is not None)

    # -- founding and inviting

    async def create(
        self, name: str, join: str | None, languages: tuple[str, ...], territory: str | None, charter: str | None
    ) -> CommonsId:
        """Found a commons. Refused `bad-language`, `bad-territory`, `unknown-charter`."""
        check_place(languages, territory)
        runtime = self._runtime
        rules = None if charter is None else chosen_rules(charter, join)
        fields = {"join": join or "invite"} if rules is None else founding_fields(rules)
        made = found(
            name,
            entropy=secrets.token_bytes(32),
            recovery=recovery_hash(runtime.keys.recovery.public),
            languages=languages,
            territory=territory,
            template=charter,
            rules=rules,
            **fields,
        )
        return await runtime.run(
            lambda: runtime.replica.found(runtime.keys.person, made.kind, made.body, runtime.watch.signing_ms())
        )

    async def invite(self, commons: CommonsId, uses: int, days: int, addresses: tuple[str, ...]) -> Invitation:
        """Write an invitation; its private key is in the line and nowhere else."""
        if not 1 <= uses <= 10_000 or not 1 <= days <= 3_650:
            raise Refused("bad-invitation", "An invitation has 1 to 10,000 uses and lasts 1 to 3,650 days.")
        charter = self.charter(commons)
        if not self.is_member(charter):
            raise Refused("not-a-member", "Only members can invite. Ask a member for an invitation first.")
        check_may_invite(charter, self._runtime.keys.person.public)
        key = SigningKey(secrets.token_bytes(32))
        expires = self._runtime.now_ms() + days * _DAY_MS
        record = await self._acting.write(commons, invite(key.public, uses=uses, expires_ms=expires), subject=commons)
        places = tuple(parse_address(address) for address in addresses)
        return Invitation(InvitationLine(commons, places, record, key.seed()).line(), commons, uses, Instant(expires))

    # -- joining

    async def accept(self, line: str) -> tuple[CommonsId, tuple[str, ...]]:
        """Keep an invitation: the commons it names and the addresses to dial."""
        parsed = parse_invitation(line)
        runtime = self._runtime

        def keep() -> None:
            runtime.replica.follow(parsed.commons)
            if parsed.invite is not None and parsed.seed is not None:
                self._kept[parsed.commons] = parsed.invite + parsed.seed
                with runtime.store.transaction():
                    runtime.store.put_value(_kept_name(parsed.commons), parsed.invite + parsed.seed)

        await runtime.run(keep)
        return parsed.commons, tuple(str(address) for address in parsed.addresses)

    async def ensure(self, commons: CommonsId) -> None:
        """Be a member, joining if there is a way in. Refused `not-a-member`; Conflict `commons-waiting`."""
        async with self._joining.setdefault(commons, asyncio.Lock()):
            charter = self.charter(commons)
            if self.is_member(charter):
                return
            lost = self.devices.lost_key(charter)
            if lost is not None:
                await self.devices.recover(commons, lost)
                return
            await self._check_not_out(charter)
            if self._runtime.keys.person.public in charter.purged:
                raise Refused(
                    "not-a-member",
                    "Your key was removed from this commons for good. You can go on reading it, and write elsewhere.",
                )
            way = self._way_in(charter)
            if way is None and charter.join == "vote":
                raise Refused(
                    "not-a-member",
                    "You follow this commons but are not a member: its members vote on who comes in. Ask one of them to "
                    "propose it; what to send them says: p2pcommons commons ask",
                )
            if way is None:
                raise Refused(
                    "not-a-member",
                    "You follow this commons but are not a member, and it is not open. Ask a member for an invitation, "
                    "then: p2pcommons commons join INVITATION",
                )
            await self._join(commons, way)

    async def settle(self, commons: CommonsId) -> None:
        """Use what waited for the charter to come: an invitation that was kept, a restored identity."""
        charter = self._runtime.replica.charter(commons)
        if charter is None or not charter.founded or self.is_member(charter):
            return
        mine = self._runtime.keys.person.public
        voted_in = any(entrance.public == mine for entrance in charter.entrances)
        if voted_in or commons in self._kept or self.devices.lost_key(charter) is not None:
            try:
                await self.ensure(commons)
            except Refused:
                pass  # its invite is not here yet, or was withdrawn: said where the person writes

    async def _check_not_out(self, charter: Charter) -> None:
        """Refuse who left or was removed: a join that knows nothing of it changes nothing (CHARTER-28, CHARTER-33)."""
        former = charter.out(self._runtime.keys.person.public)
        if former is None:
            return
        way = self._way_in(charter)
        if former.how == UNSEATED and way is not None:
            return
        if former.how == LEFT and way is not None:

            def past() -> set[bytes]:
                return ancestors({r.id: r for r in self._runtime.store.charter(charter.commons)}, way[0].id)

            if set(former.acts) <= await self._runtime.run(past):
                return
        if former.how == UNSEATED:
            raise Refused(
                "not-a-member",
                "You came in by a way that does not hold by the rules of this commons: you are no member of it. Its members can "
                "let you in; what to send them says: p2pcommons commons ask",
            )
        if former.how == LEFT:
            raise Refused(
                "not-a-member",
                "You left this commons. A member can let you in again with an invitation made since, then: "
                "p2pcommons commons join INVITATION",
            )
        raise Refused(
            "not-a-member",
            "You are a member of this commons no more: `p2pcommons member list` says by whom. You can go on reading it; "
            "its members can vote to admit you again.",
        )

    async def _join(self, commons: CommonsId, way: tuple[Entrance, SigningKey | None]) -> None:
        entrance, key = way
        me = self._runtime.keys.person.public
        recovery = recovery_hash(self._runtime.keys.recovery.public)
        stamp = await self._stamp(commons, entrance)
        if key is None:
            made = join_open(recovery=recovery, stamp=stamp)
        else:
            made = join_by_invitation(commons, entrance.id, me, key, recovery=recovery, stamp=stamp)
        try:
            await self._acting.write(commons, made, subject=me, prev=(entrance.id,))
        except LocalProtocolError as error:
            if error.code != "not_admitted":
                raise
            await self._runtime.run(lambda: self._forget_kept(commons))  # tried once: it would fail every time
            raise Refused(
                "not-a-member",
                "This invitation does not let you in: it is not whole, or not valid. Ask for another one.",
            ) from error
        await self._runtime.run(lambda: self._forget_kept(commons))

    async def _stamp(self, commons: CommonsId, entrance: Entrance) -> bytes:
        start = int.from_bytes(secrets.token_bytes(6), "big")
        me = self._runtime.keys.person.public
        while True:
            stamp = await asyncio.to_thread(
                search_stamp, commons, entrance.id, me, entrance.stamp_bits, start=start, tries=_STAMP_SLICE
            )
            if stamp is not None:
                return stamp
            start += _STAMP_SLICE

    def _way_in(self, charter: Charter) -> tuple[Entrance, SigningKey | None] | None:
        kept = self._kept.get(charter.commons)
        if kept is not None:
            entrance = charter.entrance(RecordId(kept[:32]))
            if entrance is not None:
                return entrance, SigningKey(kept[32:])
        person = self._runtime.keys.person
        mine = next((entrance for entrance in charter.entrances if entrance.public == person.public), None)
        if mine is not None:
            return mine, person  # members let in this very key
        entrance = charter.open_entrance()
        return None if entrance is None else (entrance, None)

    def _forget_kept(self, commons: CommonsId) -> None:
        with self._runtime.store.transaction():
            self._runtime.store.put_value(_kept_name(commons), None)
        self._kept.pop(commons, None)


def check_may_invite(charter: Charter, me: bytes) -> None:
    """Refused `by-vote`, `not-a-steward`: by the rules in force others let in."""
    if charter.join == "vote":
        raise Refused(
            "by-vote",
            "New members come in by a vote here. Ask for their key (they find it by `p2pcommons commons ask`), then: "
            'p2pcommons propose "WHO THEY ARE" --admit KEY',
        )
    if charter.inviting == "stewards" and me not in charter.stewards:
        raise Refused(
            "not-a-steward",
            "By the rule `invite` only stewards invite here: `p2pcommons member list` names them. Ask one.",
        )


def check_place(languages: tuple[str, ...], territory: str | None) -> None:
    """Refuse tags and codes that no founding record should hold. Refused `bad-language`, `bad-territory`."""
    for tag in languages:
        if canonical(tag) is None:
            raise Refused("bad-language", f"{tag[:40]!r} is no language code: give one of BCP 47, such as fr or br.")
    if territory is not None and not _TERRITORY.fullmatch(territory):
        raise Refused(
            "bad-territory",
            f"{territory[:40]!r} is no code of a territory: give one of INSEE, such as 29019 or 29, or of ISO 3166-2, "
            "such as FR-29.",
        )


def _kept_name(commons: bytes) -> str:
    return f"invitation/{commons.hex()}"
