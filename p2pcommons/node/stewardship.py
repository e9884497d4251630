"""What stewards do: take keys out for good, close ways in, make and unmake stewards (chapter 21, "Acts").

Where several must agree, each asks for the same act: the first ones approve of it, and whoever completes the quorum
writes it. Nothing here decides on a right: what an act does is the charter's to say, on every node alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from p2pcommons.commons.charter import Charter, Member
from p2pcommons.commons.charter_bodies import Made, approve, name_stewards, purge
from p2pcommons.commons.doors import APPROVE, act_hash
from p2pcommons.commons.former import Former
from p2pcommons.commons.organisations import Organisation
from p2pcommons.core.clock import to_ms
from p2pcommons.core.encoding import encode_body
from p2pcommons.core.identity import PublicKey
from p2pcommons.core.limits import STEWARDS_NAMED_MAX
from p2pcommons.core.record import CommonsId, RecordId
from p2pcommons.errors import Conflict, FormError, NotFound, Refused
from p2pcommons.node.acting import Acting
from p2pcommons.node.assemblies import Assemblies, Moment
from p2pcommons.node.membership import Membership
from p2pcommons.node.naming import names_of
from p2pcommons.node.runtime import Runtime
from p2pcommons.node.values import ActInfo, EntranceInfo, FormerInfo, Instant, MemberInfo, MembersInfo, OrganisationInfo


class _Looked(NamedTuple):
    """What a moment says of members."""

    charter: Charter
    stewards: frozenset[bytes]
    organised: Mapping[bytes, OrganisationInfo]
    names: Mapping[bytes, str]


class Stewardship:
    """The members of the commons followed here, and what this node's person may do about them as a steward."""

    def __init__(self, runtime: Runtime, membership: Membership, assemblies: Assemblies) -> None:
        self._runtime = runtime
        self._membership = membership
        self._assemblies = assemblies
        self._acting = Acting(runtime)

    async def members(self, commons: CommonsId) -> MembersInfo:
        """Who is in, who are stewards, and by which ways one comes in. Conflict `commons-waiting`."""

        def look(moment: Moment) -> _Looked:
            removals = moment.assembly.removals
            stewards = removals.stewards(moment.everything, removals.within(moment.everything))
            organisations = moment.assembly.organisations.all(moment.everything)
            charter = moment.charter
            return _Looked(
                charter,
                frozenset(stewards),
                {key: _organised(charter, one) for key, one in organisations.items()},
                names_of(
                    moment.reader,
                    charter,
                    [*(one.keys for one in charter.members), *(one.keys for one in charter.former)],
                ),
            )

        charter, stewards, organised, names = await self._assemblies.ask(
            lambda: self._membership.charter(commons), commons, look, noted=False
        )
        me = self._runtime.keys.person.public
        return MembersInfo(
            commons=commons,
            quorum=charter.quorum,
            steward=me in charter.stewards,
            members=tuple(_member(charter, each, me, stewards, organised, names) for each in sorted(charter.members, key=lambda m: m.joined)),
            entrances=tuple(
                EntranceInfo(
                    RecordId(each.id), PublicKey(each.author), each.public is None, each.used, each.uses,
                    None if each.expires is None else Instant(each.expires),
                )
                for each in charter.entrances
            ),
            former=tuple(_former(charter, each, me, names) for each in charter.former),
        )  # fmt: skip

    async def purge(self, commons: CommonsId, keys: Iterable[PublicKey], entrances: Iterable[bytes]) -> ActInfo:
        """Take keys out for good, with all they wrote, and close ways in. Refused `not-a-steward`.

        Conflict `too-few-stewards`; NotFound `unknown-member`, `unknown-entrance`. A person who has other keys stays in by these.
        """
        charter = self._charter(commons)
        gone, closed = sorted(set(keys)), sorted(set(entrances))
        _check_number(gone, STEWARDS_NAMED_MAX)
        _check_number(closed, STEWARDS_NAMED_MAX)
        if not gone and not closed:
            raise Refused("nothing-named", "Name a key or a way in: `p2pcommons member list` shows them.")
        for key in gone:
            if key not in charter.admitted:
                raise NotFound("unknown-member", "No member has this key: `p2pcommons member list` shows the keys.")
        for way in closed:
            if charter.entrance(way) is None:
                raise NotFound("unknown-entrance", "There is no such way in: `p2pcommons member list` shows them.")
        _check_stewards_left(
            charter, {m.key for m in charter.members if not set(m.keys) & charter.admitted - set(gone)}
        )
        return await self._agree(charter, purge(gone, closed))

    async def name_stewards(
        self, commons: CommonsId, add: Iterable[PublicKey], end: Iterable[PublicKey], quorum: int | None
    ) -> ActInfo:
        """Make and unmake stewards; `quorum`: how many of them must agree from then on. Refusals as for `purge`."""
        charter = self._charter(commons)
        made = [self._person(charter, key) for key in add]
        ended = [self._person(charter, key) for key in end]
        if not made and not ended and quorum is None:
            raise Refused("nothing-named", "Name a member to make a steward, one who shall be none, or a quorum.")
        after = {member.key for member in charter.members if member.steward} | {member.key for member in made}
        gone = {member.key for member in ended}
        if gone & {member.key for member in made}:
            raise Refused("both-ways", "One person cannot be made a steward and be ended in one act.")
        if len(after - gone) < (charter.quorum if quorum is None else quorum):
            raise _too_few()
        # An end names every key that may have been made steward; a grant the one that the person is shown by.
        ends = sorted({key for member in ended for key in member.keys})
        _check_number(ends, STEWARDS_NAMED_MAX)
        try:
            act = name_stewards(add=(member.key for member in made), end=ends, quorum=quorum)
        except FormError as error:
            raise Refused("bad-stewards", f"{error.detail[:1].upper()}{error.detail[1:]}.") from error
        return await self._agree(charter, act)

    def _charter(self, commons: CommonsId) -> Charter:
        charter = self._membership.charter(commons)
        if self._runtime.keys.person.public not in charter.stewards:
            raise Refused(
                "not-a-steward",
                "Only stewards of this commons can do this: `p2pcommons member list` names them. Ask one of them.",
            )
        return charter

    @staticmethod
    def _person(charter: Charter, key: PublicKey) -> Member:
        member = charter.person(key)
        if member is None or member not in charter.members:
            raise NotFound("unknown-member", "No member has this key: `p2pcommons member list` shows the keys.")
        return member

    async def _agree(self, charter: Charter, act: Made) -> ActInfo:
        """Write the act if this person's yes completes the quorum; else write that yes."""
        commons, me = charter.commons, self._runtime.keys.person.public
        agreeing = await self._runtime.run(lambda: self._agreeing(charter, act))
        mine = charter.person(me)
        assert mine is not None
        together = agreeing | {mine.key}
        if len(together) >= charter.quorum:
            record = await self._acting.write(commons, act, subject=commons)
            return ActInfo(True, len(together), charter.quorum, record)
        if mine.key not in agreeing:
            await self._acting.write(commons, approve(commons, act), subject=commons)
        return ActInfo(False, len(together), charter.quorum, None)

    def _agreeing(self, charter: Charter, act: Made) -> set[bytes]:
        """Stewards, by the keys they are shown under, who approved of exactly this act."""
        named = act_hash(charter.commons, act.kind, encode_body(act.body))
        found = set()
        for record in self._runtime.store.charter(charter.commons):
            author = record.header.author
            if record.header.kind != APPROVE or author not in charter.stewards or record.id not in charter.set_ids:
                continue
            try:
                said = record.content()
            except FormError:
                continue
            person = charter.person(author)
            if said.get("act") == named and person is not None:
                found.add(person.key)
        return found


def _member(
    charter: Charter,
    member: Member,
    me: PublicKey,
    stewards: frozenset[bytes],
    organised: Mapping[bytes, OrganisationInfo],
    names: Mapping[bytes, str],
) -> MemberInfo:
    return MemberInfo(
        key=PublicKey(member.key),
        keys=tuple(PublicKey(key) for key in member.keys if key in charter.admitted),
        joined_at=Instant(to_ms(member.joined)),
        by=None if member.by is None else PublicKey(member.by),
        steward=member.steward or not stewards.isdisjoint(member.keys),
        chosen=not member.steward and not stewards.isdisjoint(member.keys),
        you=me in member.keys,
        organisation=next((organised[key] for key in member.keys if key in organised), None),
        name=names.get(member.key),
    )


def _organised(charter: Charter, found: Organisation) -> OrganisationInfo:
    named = {key for one in found.declared for key in one.people}
    persons = {key if (person := charter.person(key)) is None else person.key for key in named}
    return OrganisationInfo(tuple(map(PublicKey, sorted(persons))), found.needed, len(found.declared) > 1)


def _former(charter: Charter, former: Former, me: PublicKey, names: Mapping[bytes, str]) -> FormerInfo:
    by = {each if (person := charter.person(each)) is None else person.key for each in former.by}
    return FormerInfo(
        key=PublicKey(former.key),
        keys=tuple(PublicKey(key) for key in former.keys if key in charter.admitted),
        how=former.how,
        by=tuple(PublicKey(key) for key in sorted(by)),
        since=Instant(to_ms(former.since)) if former.since else None,
        words=former.keep,
        you=me in former.keys,
        name=names.get(former.key),
    )


def _check_number(names: list[PublicKey] | list[bytes], most: int) -> None:
    if len(names) > most:
        raise Refused("too-many", f"At most {most} at a time.")


def _check_stewards_left(charter: Charter, gone: set[bytes]) -> None:
    """Refuse what would leave a commons with nobody to act."""
    left = sum(member.steward and member.key not in gone for member in charter.members)
    if left < charter.quorum:
        raise _too_few()


def _too_few() -> Conflict:
    return Conflict(
        "too-few-stewards",
        "Fewer stewards would be left than must agree: nobody could act any more. Make another member a steward first.",
    )
