"""Letting in whom the members voted in, and opening what they voted to open (chapter 21, "Letting in").

An outcome needs nobody to carry it out, but a key comes into the sets by a door alone. So any member writes an invite of
that very key: who holds it joins with no secret to send. It gives nobody a right that the vote did not.
"""

from __future__ import annotations

from p2pcommons.commons.charter import Charter
from p2pcommons.commons.charter_bodies import invite, open_joining
from p2pcommons.core.identity import PublicKey, did_key
from p2pcommons.core.record import CommonsId, RecordId
from p2pcommons.errors import Conflict, Refused
from p2pcommons.node.acting import Acting
from p2pcommons.node.assemblies import Assemblies
from p2pcommons.node.assembly_values import ProposalInfo
from p2pcommons.node.membership import Membership, check_may_invite
from p2pcommons.node.runtime import Runtime
from p2pcommons.node.values import ActInfo


class Admitting:
    """What members do for whom they let in."""

    def __init__(self, runtime: Runtime, membership: Membership, assemblies: Assemblies) -> None:
        self._runtime = runtime
        self._membership = membership
        self._assemblies = assemblies
        self._acting = Acting(runtime)

    async def admit(self, commons: CommonsId, key: PublicKey) -> ActInfo:
        """An invite of this very key. Refused `not-a-member`; Conflict `already-a-member`, `not-voted`."""
        charter = self._membership.charter(commons)
        if not self._membership.is_member(charter):
            raise Refused("not-a-member", "Only members let others in. Ask one of them.")
        if charter.is_member(key):
            raise Conflict("already-a-member", "Who has this key is a member: `p2pcommons member list` shows the keys.")
        there = next((each.id for each in charter.entrances if each.public == key), None)
        if there is not None:
            return _done(RecordId(there))
        voted = await self._assemblies.ask(
            lambda: self._membership.charter(commons),
            commons,
            lambda moment: moment.assembly.admits(key, moment.everything),
        )
        if not voted:
            _check_may_invite(charter, self._runtime.keys.person.public, key)
        return _done(await self._acting.write(commons, invite(key), subject=commons))

    async def carry_out(self, commons: CommonsId, made: ProposalInfo) -> None:
        """After an outcome of a vote: write what its effect needs, unless that is there."""
        charter = self._membership.charter(commons)
        if made.applied != "yes" or not self._membership.is_member(charter):
            return
        person, effect = made.effect.person, made.effect
        if made.matter == "admit" and person is not None and not charter.is_member(person):
            await self.admit(commons, person)
        opened = effect.rule == "join" and (effect.params or {}).get("policy") == "open"
        if opened and charter.open_entrance() is None:
            await self._acting.write(commons, open_joining(), subject=commons)


def _check_may_invite(charter: Charter, me: bytes, key: PublicKey) -> None:
    if charter.join == "vote":
        raise Conflict(
            "not-voted",
            "No vote lets this key in yet: by the rule `join` members come in by a vote here. Begin one: "
            f'p2pcommons propose "WHO THEY ARE" --admit {did_key(key)}',
        )
    check_may_invite(charter, me)


def _done(record: RecordId) -> ActInfo:
    return ActInfo(True, 1, 1, record)
