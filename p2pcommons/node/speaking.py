"""Organisations (chapter 21, "Organisations"): saying who speaks for one, asking them, approving, and carrying out.

What an organisation's node would write it shows to its people first; as soon as enough of them have approved, it writes it.
Nothing here decides: an act that its people did not approve of does nothing, on every node alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, NamedTuple, TypeVar

from p2pcommons.commons.assembly_bodies import CAST, Amend, Cast, Open, read_assembly, seen, sheet
from p2pcommons.commons.charter_bodies import Made, approve
from p2pcommons.commons.moderation_bodies import Hide, Show, read_moderation
from p2pcommons.commons.organisation_bodies import (
    ASK,
    DECLARE,
    Ask,
    approve_for,
    ask,
    declare,
    read_ask,
    read_declaration,
    spoken_hash,
)
from p2pcommons.commons.organisations import Organisation
from p2pcommons.commons.removal_bodies import KEEP, REMOVE, Remove, read_removal
from p2pcommons.core.clock import to_ms
from p2pcommons.core.encoding import encode_body
from p2pcommons.core.identity import PublicKey
from p2pcommons.core.limits import ORGANISATION_PEOPLE_MAX, PREV_MAX
from p2pcommons.core.record import CommonsId, Record, RecordId, Subject, decode_body
from p2pcommons.errors import Conflict, FormError, NotFound, Refused
from p2pcommons.node.acting import Acting, door_of
from p2pcommons.node.assemblies import Assemblies, Moment
from p2pcommons.node.membership import Membership
from p2pcommons.node.organisation_values import AskedInfo
from p2pcommons.node.runtime import Runtime
from p2pcommons.node.values import ActInfo, Instant

T = TypeVar("T")
_SHOWN_MAX: Final = 100  # acts that are shown, the latest ones
_PENDING_MAX: Final = 32  # acts that one node waits to carry out, of each commons
_HEADS: Final = 16  # of the 32 that an act names; the others are for a removed person's ballots


class _Ready(NamedTuple):
    """An act of which enough people have approved, as a moment has it."""

    id: bytes  # of what asked
    made: Made
    prev: tuple[bytes, ...] | None  # of a ballot; None: all heads
    beside: tuple[bytes, ...]  # ballots that a removal names
    agreeing: bool  # other stewards have to agree: it is this one's yes that is written


class Speaking:
    """The organisations of the commons followed here, and what this node's person does for one, or as one."""

    def __init__(self, runtime: Runtime, membership: Membership, assemblies: Assemblies) -> None:
        self._runtime = runtime
        self._membership = membership
        self._assemblies = assemblies
        self._acting = Acting(runtime)
        self._pending: dict[CommonsId, tuple[bytes, ...]] = {}  # what this person's organisation asked, not done yet

    # -- what people do

    async def declare(self, commons: CommonsId, people: Iterable[PublicKey], needed: int) -> ActInfo:
        """Say that one is an organisation of these people, or that others speak for it from now on.

        Refused `not-a-member`; Conflict `bad-organisation`; NotFound `unknown-member`. Where one is an organisation
        already its people are asked: then it is not done yet.
        """
        named = sorted(set(people))

        def look(moment: Moment) -> Organisation | None:
            members = moment.assembly.pasts.members(moment.everything)
            if self._me not in members:
                raise Refused("not-a-member", "You are no member of this commons: join it first.")
            for key in named:
                if key not in members:
                    raise NotFound("unknown-member", "No member has this key: `p2pcommons member list` shows the keys.")
                if members[key] == members[self._me] or moment.assembly.organisations.of(key, moment.everything):
                    raise Conflict(
                        "bad-organisation",
                        "People speak for an organisation, each with their own key: neither itself nor another organisation.",
                    )
            if len({members[key] for key in named}) < len(named):
                raise Conflict("bad-organisation", "Two of these keys are one person's: name each person once.")
            return moment.assembly.organisations.of(self._me, moment.everything)

        mine = await self._ask(commons, look)
        try:
            made = declare(named, needed)
        except FormError as error:
            raise Conflict(
                "bad-organisation",
                f"Name 1 to {ORGANISATION_PEOPLE_MAX} people, and at most as many who have to approve as you name.",
            ) from error
        if mine is None:
            return ActInfo(True, 1, 1, await self._write(commons, made))
        await self._put_question(commons, made)
        return ActInfo(False, 0, max(one.quorum for one in mine.declared), None)

    async def asked(self, commons: CommonsId) -> tuple[AskedInfo, ...]:
        """What organisations ask their people, the latest first. NotFound `unknown-commons`; Conflict `commons-waiting`."""
        return await self._assemblies.ask(
            lambda: self._membership.charter(commons), commons, lambda moment: tuple(self._infos(moment))
        )

    async def approve(self, commons: CommonsId, act: RecordId) -> AskedInfo:
        """Approve of an act, as one of an organisation's people. Refused `not-asked`; NotFound `unknown-act`."""

        def look(moment: Moment) -> tuple[AskedInfo, Made]:
            record = moment.grounds.records.get(act)
            found = None if record is None else read_ask(record.header.kind, record.body or b"")
            shown = None if record is None or found is None else self._info(moment, record, found, {})
            if shown is None or found is None or record is None:
                raise NotFound(
                    "unknown-act", "No organisation asks this: `p2pcommons organisation list` shows what waits."
                )
            if not shown.asked:
                raise Refused(
                    "not-asked", "You do not speak for this organisation: `p2pcommons member list` says who does."
                )
            return shown, approve_for(commons, record.header.author, Made(found.kind, decode_body(found.body)))

        shown, yes = await self._ask(commons, look)
        if not shown.yours:
            await self._write(commons, yes)
        return next(one for one in await self.asked(commons) if one.id == act)

    # -- what its own node does

    async def before(self, commons: CommonsId, some: Iterable[Made]) -> tuple[bytes, ...]:
        """Before acts are written: the approvals that they need, by the ids that a ballot names.

        Where this person is an organisation whose people have not approved yet they are asked, and it is refused for
        now: Conflict `people-asked`.
        """
        made = list(some)

        def look(moment: Moment) -> tuple[list[Made], tuple[bytes, ...], int]:
            organisations, everything = moment.assembly.organisations, moment.everything
            mine = organisations.of(self._me, everything)
            if mine is None:
                return [], (), 0
            names = [spoken_hash(commons, self._me, one.kind, encode_body(one.body)) for one in made]
            lacking = [
                one for one, name in zip(made, names, strict=True)
                if organisations.agreed(self._me, everything, name) is False
            ]  # fmt: skip
            return lacking, self._approvals(moment, names[0]) if names else (), mine.needed

        lacking, approvals, needed = await self._ask(commons, look)
        for one in lacking:
            await self._put_question(commons, one)
        if lacking:
            raise Conflict(
                "people-asked",
                f"As an organisation you act when {needed} of your people have approved: they are asked now, and it is done "
                "as soon as they have. What waits: p2pcommons organisation list",
            )
        return approvals

    def load(self) -> None:
        """Read what waits; in the engine's thread."""
        for commons in self._runtime.replica.followed():
            kept = self._runtime.store.value(_pending_name(commons)) or b""
            if kept:
                self._pending[commons] = tuple(kept[at : at + 32] for at in range(0, len(kept), 32))

    async def settle(self, commons: CommonsId) -> None:
        """Carry out what enough people have approved of. After records came in; costs nothing where nothing waits."""
        if not self._pending.get(commons):
            return
        try:
            ready, over = await self._ask(commons, self._ready)
        except (Conflict, NotFound):
            return  # let go in this very moment
        for one in ready:
            await self._carry_out(commons, one)
        if ready or over:
            await self._keep(commons, [], [*over, *(one.id for one in ready)])

    async def _carry_out(self, commons: CommonsId, one: _Ready) -> None:
        if one.agreeing:
            await self._write(commons, approve(commons, one.made))
        elif one.prev is not None:
            await self._acting.write(commons, one.made, subject=commons, prev=one.prev)
        else:
            await self._write(commons, one.made, one.beside)

    def _ready(self, moment: Moment) -> tuple[list[_Ready], list[bytes]]:
        """What can be carried out, and what never will: voted on by other words, or closed."""
        found, over = list[_Ready](), list[bytes]()
        organisations, everything = moment.assembly.organisations, moment.everything
        for identifier in self._pending.get(moment.charter.commons, ()):
            record = moment.grounds.records.get(identifier)
            asked = None if record is None else read_ask(record.header.kind, record.body or b"")
            if asked is None:
                over.append(identifier)
                continue
            made = Made(asked.kind, decode_body(asked.body))
            name = spoken_hash(moment.charter.commons, self._me, asked.kind, asked.body)
            said = organisations.agreed(self._me, everything, name, ruled=asked.kind != DECLARE)
            if said:
                prev = self._names(moment, asked, name) if asked.kind == CAST else None
                if asked.kind == CAST and prev is None:
                    over.append(identifier)
                else:
                    beside, agreeing = self._parting(moment, asked)
                    found.append(_Ready(identifier, made, prev, beside, agreeing))
        return found, over

    def _names(self, moment: Moment, asked: Ask, name: bytes) -> tuple[bytes, ...] | None:
        """What a ballot names; None where its words are not up to vote any more."""
        form = read_assembly(asked.kind, asked.body)
        case = moment.assembly.cases.get(form.proposal) if isinstance(form, Cast) else None
        if not isinstance(form, Cast) or case is None or case.fault or moment.assembly.outcome(case.id) is not None:
            return None
        on = [one.id for one in case.current(moment.everything)]
        if len(on) != 1 or case.wordings[on[0]].text != form.text:
            return None
        door = () if self._me in case.electors else (door_of(moment.grounds, self._me),)
        return tuple(sorted({*on, *door, *self._approvals(moment, name)}))

    def _parting(self, moment: Moment, asked: Ask) -> tuple[tuple[bytes, ...], bool]:
        """Of a removal: the ballots of the person, and whether other stewards have to agree."""
        if asked.kind not in (REMOVE, KEEP):
            return (), False
        form, assembly = read_removal(asked.kind, asked.body), moment.assembly
        ballots: tuple[bytes, ...] = ()
        voted = False
        if isinstance(form, Remove):
            people = assembly.pasts.people(moment.everything)
            keys = {key for key in people if people[key] == people.get(form.person)}
            ballots = tuple(one.id for one in assembly.pasts.ballots.values() if one.author in keys)
            cut = assembly.removals.within(moment.everything)
            decided = assembly.decides(("person", form.person), moment.everything, cut)
            voted = decided is not None and decided[0] == "remove"
        return ballots, not voted and moment.charter.quorum > 1

    def _approvals(self, moment: Moment, name: bytes) -> tuple[bytes, ...]:
        """One approval of each person who speaks for this organisation, ascending; as many as a ballot has room for."""
        assembly, everything = moment.assembly, moment.everything
        people, mine = assembly.pasts.people(everything), assembly.organisations.of(self._me, everything)
        if mine is None:
            return ()
        speaking = {people.get(key) for one in mine.declared for key in one.people}
        signed = assembly.organisations.signed(name, everything) & speaking
        found: dict[bytes, bytes] = {}
        for one in assembly.pasts.approvals.get(name, ()):
            person = people.get(one.author, b"")
            if person in signed:
                found[person] = one.id  # the last one: it has seen most
        return tuple(sorted(found.values())[: PREV_MAX - 2])

    # -- what all of these share

    def _infos(self, moment: Moment) -> Iterator[AskedInfo]:
        records = [
            r for r in moment.grounds.records.values() if r.header.kind == ASK and r.id in moment.charter.set_ids
        ]
        written = _written(moment, {record.header.author for record in records})
        for record in sorted(records, key=lambda r: (r.header.time, r.id), reverse=True)[:_SHOWN_MAX]:
            found = read_ask(record.header.kind, record.body or b"")
            shown = None if found is None else self._info(moment, record, found, written)
            if shown is not None:
                yield shown

    def _info(
        self,
        moment: Moment,
        record: Record,
        asked: Ask,
        written: Mapping[tuple[bytes, str, bytes | None], list[Record]],
    ) -> AskedInfo | None:
        assembly, everything = moment.assembly, moment.everything
        mine = assembly.organisations.of(record.header.author, everything)
        if mine is None:
            return None
        people = assembly.pasts.people(everything)
        members = assembly.pasts.members(everything)
        name = spoken_hash(moment.charter.commons, record.header.author, asked.kind, asked.body)
        speaking = {people.get(key) for one in mine.declared for key in one.people}
        signed = assembly.organisations.signed(name, everything) & speaking
        me = people.get(self._me) if self._me in members else None
        form = _form(asked)
        choice = form.choice if isinstance(form, Cast) else None
        proposal = getattr(form, "proposal", None)
        entry = form.entry if isinstance(form, Hide | Show) else None
        declared = read_declaration(asked.kind, asked.body)
        ruled = asked.kind != DECLARE
        return AskedInfo(
            id=record.id,
            organisation=_shown(moment, record.header.author),
            at=Instant(to_ms(record.header.time)),
            act=asked.kind,
            proposal=None if proposal is None else RecordId(proposal),
            choice=choice if isinstance(choice, str) else None,
            grades=None if choice is None or isinstance(choice, str) else dict(choice),
            person=PublicKey(form.person) if isinstance(form, Remove) else None,
            entry=None if entry is None else Subject(entry),
            people=() if declared is None else tuple(_shown(moment, key) for key in sorted(declared.people)),
            text=_text(moment, form, proposal),
            needed=mine.needed if ruled else max(one.quorum for one in mine.declared),
            approved=tuple(sorted(_shown(moment, person) for person in signed)),
            asked=me is not None and me in speaking and assembly.organisations.of(self._me, everything) is None,
            yours=me in signed,
            done=any(
                (past := assembly.pasts.past(one)) is not None and assembly.organisations.speaks(one, past) is not False
                for one in written.get((record.header.author, asked.kind, asked.body), ())
            ),
        )

    @property
    def _me(self) -> PublicKey:
        return self._runtime.keys.person.public

    async def _ask(self, commons: CommonsId, question: Callable[[Moment], T]) -> T:
        self._membership.charter(commons)
        charter = await self._runtime.run(lambda: self._acting.known(commons))
        return await self._assemblies.ask(lambda: charter, commons, question, noted=False)

    async def _put_question(self, commons: CommonsId, made: Made) -> None:
        """Ask the people, once: who asks again waits for the same answer."""
        question = ask(made)
        body = encode_body(question.body)

        def there(moment: Moment) -> bool:
            pending = self._pending.get(commons, ())
            return any(r.body == body and r.id in pending for r in moment.grounds.records.values())

        if not await self._ask(commons, there):
            await self._keep(commons, [await self._write(commons, question)], [])

    async def _keep(self, commons: CommonsId, more: Iterable[bytes], over: Iterable[bytes]) -> None:
        gone = set(over)
        left = tuple(one for one in (*self._pending.get(commons, ()), *more) if one not in gone)[-_PENDING_MAX:]
        store = self._runtime.store

        def put() -> None:
            with store.transaction():
                store.put_value(_pending_name(commons), b"".join(left) or None)

        await self._runtime.run(put)
        self._pending[commons] = left

    async def _write(self, commons: CommonsId, made: Made, beside: tuple[bytes, ...] = ()) -> RecordId:
        """Write on top of all heads (ASSEMBLY-23), and of these ballots."""
        charter = await self._runtime.run(lambda: self._acting.known(commons))
        door = await self._ask(commons, lambda moment: door_of(moment.grounds, self._me))
        heads = await self._acting.merged(commons, seen(), charter.heads, door, _HEADS)
        ballots = await self._acting.merged(commons, sheet(), beside, door, PREV_MAX - _HEADS)
        return await self._acting.write(commons, made, subject=commons, prev=tuple(sorted({*heads, *ballots})))


def _written(moment: Moment, authors: set[bytes]) -> dict[tuple[bytes, str, bytes | None], list[Record]]:
    """What these keys wrote, by what it says."""
    found: dict[tuple[bytes, str, bytes | None], list[Record]] = {}
    for record in moment.grounds.records.values():
        header = record.header
        if header.author in authors:
            found.setdefault((header.author, header.kind, record.body), []).append(record)
    return found


def _form(asked: Ask) -> object:
    for read in (read_assembly, read_removal, read_moderation):
        form = read(asked.kind, asked.body)
        if form is not None:
            return form
    return None


def _text(moment: Moment, form: object, proposal: bytes | None) -> str | None:
    """What is proposed; of what is said of a proposal, what that proposes."""
    if isinstance(form, Open | Amend):
        wanted = form.text
    elif proposal is not None and proposal in moment.assembly.cases:
        wanted = moment.assembly.cases[proposal].form.text
    else:
        return None
    return moment.texts([wanted]).get(wanted)


def _shown(moment: Moment, key: bytes) -> PublicKey:
    """The key that a person is shown under."""
    person = moment.charter.person(key) or moment.charter.out(key)
    return PublicKey(key if person is None else person.key)


def _pending_name(commons: bytes) -> str:
    return f"asked/{commons.hex()}"
