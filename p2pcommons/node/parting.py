"""Leaving and removing (chapter 21, "Removal"): a member goes, stewards or a vote take one off, and what counts of theirs.

Nothing here decides: an act that has no right does nothing, on every node alike. What is written is made of one moment of
the assembly and names all of it, and the person's ballots, as its past.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple, TypeVar

from p2pcommons.commons.assembly_bodies import seen, sheet
from p2pcommons.commons.charter import Charter, Member
from p2pcommons.commons.charter_bodies import Made, approve
from p2pcommons.commons.doors import act_hash
from p2pcommons.commons.organisation_bodies import spoken_hash
from p2pcommons.commons.removal_bodies import keep, leave, remove
from p2pcommons.core.encoding import encode_body
from p2pcommons.core.identity import PublicKey
from p2pcommons.core.limits import KEPT_MAX, PREV_MAX
from p2pcommons.core.record import CommonsId, Plane, Record, RecordId, Subject
from p2pcommons.errors import Conflict, FormError, NotFound, Refused
from p2pcommons.node.acting import Acting, door_of
from p2pcommons.node.assemblies import Assemblies, Moment
from p2pcommons.node.membership import Membership
from p2pcommons.node.runtime import Runtime
from p2pcommons.node.speaking import Speaking
from p2pcommons.node.values import ActInfo
from p2pcommons.store.reading import SqliteReader

T = TypeVar("T")
_HEADS: Final = 16  # of the 32 that a removal names; the others are for the person's ballots, or sheets of them
_IDS_PER_STEP: Final = 4096  # records of one read where there may be any number: some 10 MB
_CUTS: Final = 512  # a person's latest records at which another steward may have seen them


class _Removing(NamedTuple):
    """What a moment says of a removal before it is written."""

    by_vote: bytes | None  # the key that members voted to remove
    ballots: tuple[bytes, ...]  # of the person, latest first


class Parting:
    """How members go, for the commons followed here."""

    def __init__(self, runtime: Runtime, membership: Membership, assemblies: Assemblies, speaking: Speaking) -> None:
        self._runtime = runtime
        self._membership = membership
        self._assemblies = assemblies
        self._speaking = speaking
        self._acting = Acting(runtime)

    async def leave(self, commons: CommonsId) -> ActInfo:
        """Be a member no more; all one wrote goes on counting. Refused `not-a-member`; Conflict `too-few-stewards`."""
        charter = self._membership.charter(commons)
        mine = charter.person(self._me)
        if mine is None or not charter.is_member(self._me):
            raise Refused("not-a-member", "You are no member of this commons: there is nothing to leave.")
        _check_stewards_left(charter, mine)
        await self._speaking.before(commons, [leave(self._me)])
        return ActInfo(True, 1, 1, await self._write(commons, leave(self._me), ()))

    async def remove(self, commons: CommonsId, key: PublicKey, words: str) -> ActInfo:
        """Take a person off the members, by the stewards or where members voted for it. `words`: one of `REMOVAL_WORDS`.

        Refused `not-a-steward`, `yourself`, `too-many`; Conflict `too-few-stewards`; NotFound `unknown-member`.
        """
        charter = self._membership.charter(commons)
        member = charter.person(key)
        if member is None:
            raise NotFound("unknown-member", "No member has this key: `p2pcommons member list` shows the keys.")
        if self._me in member.keys:
            raise Refused("yourself", "That is you: `p2pcommons member leave` is for that.")
        if not charter.is_member(self._me):
            raise Refused("not-a-member", "You are no member of this commons: only its members decide.")

        def look(moment: Moment) -> _Removing:
            pasts, cut = moment.assembly.pasts, moment.assembly.removals.within(moment.everything)
            decided = ((one, moment.assembly.decides(("person", one), moment.everything, cut)) for one in member.keys)
            by_vote = next((one for one, said in decided if said is not None and said[0] == "remove"), None)
            theirs = [one for one in pasts.ballots.values() if one.author in member.keys]
            records = sorted((moment.grounds.records[one.id] for one in theirs), key=_place, reverse=True)
            return _Removing(by_vote, tuple(record.id for record in records))

        removing = await self._ask(commons, look)
        cuts = await self._cuts(charter, member) if words == "seen" else [{}]
        try:
            wanted = [remove(removing.by_vote or member.key, heads, keep=words == "all") for heads in cuts]
        except FormError as error:
            raise Refused("too-many", "This person has too many keys for one act: purge some of them first.") from error
        if removing.by_vote is not None:
            await self._speaking.before(commons, wanted[:1])
            return ActInfo(True, 1, 1, await self._write(commons, wanted[0], removing.ballots))
        _check_stewards_left(charter, member)
        return await self._agree(commons, wanted, removing.ballots)

    async def keep(self, commons: CommonsId, key: PublicKey, entries: Sequence[Subject]) -> ActInfo:
        """Let what a former member wrote (about these entries) count after all.

        Refused `not-a-steward`, `nothing-named` where all of it counts, `too-many`; NotFound `unknown-member`.
        """
        charter = self._membership.charter(commons)
        former = charter.out(key)
        if former is None:
            raise NotFound("unknown-member", "No former member has this key: `p2pcommons member list` shows the keys.")
        about = frozenset(bytes(entry) for entry in entries)

        def look(reader: SqliteReader) -> list[bytes]:
            return [
                record.id
                for record in _written(reader, commons, former.keys)
                if not charter.counts(record.id, record.header.author) and (not about or record.header.subject in about)
            ]

        ids = await self._runtime.read(look)
        if not ids:
            raise Refused("nothing-named", "Nothing of this former member's waits there: all of it counts already.")
        if len(ids) > KEPT_MAX:
            raise Refused("too-many", f"{len(ids):,} records wait: name entries, at most {KEPT_MAX} records at a time.")
        return await self._agree(commons, [keep(ids)], ())

    # -- agreeing and writing

    @property
    def _me(self) -> bytes:
        return self._runtime.keys.person.public

    async def _ask(self, commons: CommonsId, question: Callable[[Moment], T]) -> T:
        charter = await self._runtime.run(lambda: self._acting.known(commons))
        return await self._assemblies.ask(lambda: charter, commons, question, noted=False)

    async def _agree(self, commons: CommonsId, wanted: Sequence[Made], beside: Sequence[bytes]) -> ActInfo:
        """Write the act if this person's yes completes the quorum; else write that yes.

        `wanted`: acts that say the same, of several moments, the present one first: others may have agreed to another.
        """

        def look(moment: Moment) -> tuple[Made, set[bytes], bytes, int]:
            removals, pasts = moment.assembly.removals, moment.assembly.pasts
            organisations = moment.assembly.organisations
            cut = removals.within(moment.everything)
            stewards = removals.stewards(moment.everything, cut)
            mine = stewards.get(self._me)
            if mine is None:
                raise Refused(
                    "not-a-steward",
                    "Only stewards of this commons can do this, or members who voted for it: `p2pcommons member list` "
                    "names the stewards.",
                )

            def agreeing(made: Made) -> set[bytes]:
                named = act_hash(commons, made.kind, encode_body(made.body))
                some = (one for one in pasts.approvals.get(named, ()) if not cut.has(one.id, one.author))
                found = {one.author for one in some if one.author in stewards}
                mute = {
                    one for one in found
                    if organisations.agreed(
                        one, moment.everything, spoken_hash(commons, one, made.kind, encode_body(made.body))
                    ) is False
                }  # fmt: skip
                return {stewards[one] for one in found - mute}

            found = [(made, agreeing(made)) for made in wanted]
            made, together = max(found, key=lambda one: len(one[1] | {mine}))  # the first of these
            return made, together, mine, moment.charter.quorum

        made, together, mine, quorum = await self._ask(commons, look)
        await self._speaking.before(commons, [made])
        agreed = len(together | {mine})
        if agreed >= quorum:
            return ActInfo(True, agreed, quorum, await self._write(commons, made, beside))
        if mine not in together:
            await self._acting.write(commons, approve(commons, made), subject=commons)
        return ActInfo(False, agreed, quorum, None)

    async def _write(self, commons: CommonsId, made: Made, beside: Sequence[bytes]) -> RecordId:
        """Write on top of all heads (ASSEMBLY-23) and of these ballots."""
        charter = await self._runtime.run(lambda: self._acting.known(commons))
        door = await self._ask(commons, lambda moment: door_of(moment.grounds, self._me))
        heads = await self._acting.merged(commons, seen(), charter.heads, door, _HEADS)
        ballots = await self._acting.merged(commons, sheet(), beside, door, PREV_MAX - _HEADS)
        return await self._acting.write(commons, made, subject=commons, prev=tuple(sorted({*heads, *ballots})))

    async def _cuts(self, charter: Charter, member: Member) -> list[dict[tuple[bytes, int], list[bytes]]]:
        """The ends of a person's chains in the catalogue: now, and as they were before each of their latest records."""

        def look(reader: SqliteReader) -> list[dict[tuple[bytes, int], list[bytes]]]:
            records = _written(reader, charter.commons, member.keys)
            ends: dict[bytes, dict[bytes, None]] = {}
            found = []
            for at, record in enumerate(records):
                if at >= len(records) - _CUTS:
                    found.append(_heads(ends))
                own = ends.setdefault(record.header.author, {})
                own.pop(record.header.after, None)
                own[record.id] = None
            return [_heads(ends), *reversed(found)]

        return await self._runtime.read(look)


def _heads(ends: dict[bytes, dict[bytes, None]]) -> dict[tuple[bytes, int], list[bytes]]:
    return {(key, int(Plane.CATALOGUE)): list(ids)[-PREV_MAX:] for key, ids in ends.items()}


def _written(reader: SqliteReader, commons: CommonsId, keys: Iterable[bytes]) -> list[Record]:
    """What these keys wrote in the catalogue, in order of (time, id)."""

    def read() -> Iterator[Record]:
        ids = reader.authored(commons, sorted(keys))
        for start in range(0, len(ids), _IDS_PER_STEP):
            for sealed in reader.sealed(ids[start : start + _IDS_PER_STEP]):
                yield sealed.record._replace(salt=None, body=None)

    return sorted(read(), key=_place)


def _place(record: Record) -> tuple[int, bytes]:
    return record.header.time, record.id


def _check_stewards_left(charter: Charter, gone: Member) -> None:
    """Refuse what would leave a commons with too few stewards to act."""
    left = sum(member.steward and member.key != gone.key for member in charter.members)
    if gone.steward and left < charter.quorum:
        raise Conflict(
            "too-few-stewards",
            "Fewer stewards would be left than must agree: nobody could act any more. Make another member a steward first.",
        )
