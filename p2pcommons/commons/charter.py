"""The charter: one pure fold over all records of plane 0 of a commons (chapter 21).

`judge` says which of them are in the set, whose records the commons takes, and what the charter says. Order,
grouping and duplicates of what it is given change nothing. Knows no store and no peer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, Final, NamedTuple, Self

from p2pcommons.commons.assembly import Assembly
from p2pcommons.commons.cuts import NOTHING
from p2pcommons.commons.doors import (
    BALLOT_PREFIX,
    ERASE,
    Founding,
    Invite,
    Opening,
    Purge,
    Stewards,
    remembered_verify,
)
from p2pcommons.commons.former import Asked, Chains, Departures, Former, departures
from p2pcommons.commons.grounding import Door, Grounds, Way, ground
from p2pcommons.commons.growing import Ground, is_head
from p2pcommons.commons.membership import Membership, persons
from p2pcommons.commons.moderating import HIDING, Moderating, may_hide_something
from p2pcommons.commons.rules import Rules
from p2pcommons.core.encoding import encode
from p2pcommons.core.identity import TAG_CHARTER
from p2pcommons.core.limits import PREV_MAX
from p2pcommons.core.record import ZEROS, CommonsId, Plane, Record, commons_of, is_founding
from p2pcommons.core.seal import Verifier
from p2pcommons.errors import FormError

JOIN_POLICIES: Final = ("invite", "open", "vote")


class Member(NamedTuple):
    """A person: all keys that doors link, shown under the one whose door has the smallest id."""

    key: bytes
    keys: tuple[bytes, ...]  # ascending; some may be purged, one at least is admitted
    joined: int  # record time of that door
    by: bytes | None  # who made that door: inviter, opener, older key; None for the founder
    steward: bool


class Entrance(NamedTuple):
    """A way in that new keys can use now."""

    id: bytes
    author: bytes
    public: bytes | None  # an invitation's public key; None: open to anyone
    stamp_bits: int
    uses: int | None  # invitations: how many persons it is meant for, None for any number
    expires: int | None  # invitations: Unix ms; None: never
    used: int  # keys that came in by it and stand


class Erasure(NamedTuple):
    """One record named by one `record.erase` of an admitted key."""

    person: bytes  # shown key of who erased
    keys: frozenset[bytes]  # all keys of that person
    fields: frozenset[str]


class _Head(NamedTuple):
    time: int
    id: bytes
    author: bytes


@dataclass(frozen=True, slots=True)
class Charter:
    """The fold of the plane-0 records given. All of it is made of the set alone, but `ungrounded` and `missing`."""

    commons: CommonsId
    founded: bool = False  # whether the founding record is here: all else is empty without
    name: str = ""
    languages: tuple[str, ...] = ()  # BCP 47
    territory: str | None = None  # INSEE or ISO 3166-2
    licence: str | None = None  # SPDX expression, the default for new entries
    join: str = "invite"  # "invite", "open" or "vote"
    announced: bool = False
    inviting: str = "members"  # who may invite: "members" or "stewards"
    set_ids: frozenset[bytes] = frozenset()  # the set of plane 0
    ungrounded: frozenset[bytes] = frozenset()  # given, and may yet be grounded once `missing` are here
    missing: frozenset[bytes] = frozenset()  # ids that these name and that were not given (with their bodies)
    admitted: frozenset[bytes] = frozenset()  # keys with a standing door and not purged
    purged: frozenset[bytes] = frozenset()  # keys that a valid purge names: they never return
    members: tuple[Member, ...] = ()  # ascending by key
    former: tuple[Former, ...] = ()  # persons with an admitted key who are out, ascending by key
    limits: Mapping[bytes, Chains] = field(
        default_factory=dict
    )  # keys whose catalogue records count in part (`counts`)
    kept: frozenset[bytes] = frozenset()  # catalogue records that count whatever limits say
    reached: Mapping[bytes, frozenset[bytes]] = field(default_factory=dict)  # what these limits let count of plane 1
    stewards: frozenset[bytes] = frozenset()  # admitted keys of members who are stewards
    quorum: int = 1  # steward persons that a purge or an act on stewards needs
    heads: tuple[bytes, ...] = ()  # ids, latest first
    entrances: tuple[Entrance, ...] = ()  # ascending by id
    erased: Mapping[bytes, frozenset[str]] = field(default_factory=dict)  # by stewards: whoever wrote the record
    erased_own: Mapping[bytes, tuple[Erasure, ...]] = field(default_factory=dict)  # by others: counts on own records
    hidden: frozenset[bytes] = frozenset()  # entries that are not shown, but to who asks (chapter 23)
    digest: bytes = b""  # 32 bytes: hash of the charter view, part of `state`
    _recoveries: Mapping[bytes, bytes] = field(default_factory=dict, repr=False)  # recovery hash → key
    _persons: Mapping[bytes, Member] = field(default_factory=dict, repr=False)
    _replaced: frozenset[bytes] = field(default=frozenset(), repr=False)
    _heads: tuple[_Head, ...] = field(default=(), repr=False)  # latest first
    _anchors: Mapping[bytes, bytes] = field(default_factory=dict, repr=False)
    _ground: Ground | None = field(default=None, repr=False, compare=False)
    _moderating: Moderating | None = field(default=None, repr=False, compare=False)  # None: nothing was ever hidden
    _asked: Asked | None = field(default=None, repr=False, compare=False)  # the assembly, where the view goes by it

    def counts(self, record: bytes, author: bytes) -> bool:
        """Whether this catalogue record of this key counts in views (CHARTER-35).

        What limits let count of those who are out is known from `reaching` on.
        """
        if author not in self.admitted:
            return False
        return author not in self.limits or record in self.reached.get(author, ()) or record in self.kept

    def reaching(self, reached: Mapping[bytes, frozenset[bytes]]) -> Self:
        """The same charter over a catalogue in which the chains of `limits` reach these records, by key."""
        return replace(self, reached=reached)

    def grown(self, records: Iterable[Record]) -> Charter | None:
        """The charter with these plane-0 records of this commons besides; None where they are to be judged with all.

        Equal to `judge` over all of them, at the cost of the new ones and of a copy of the set's ids.
        """
        ground, more = self._ground, {r.id: r for r in records if r.id not in self.set_ids}
        if ground is None or self.ungrounded:
            return None
        moderating = self._moderating
        if moderating is None and any(map(may_hide_something, more.values())):
            return None
        if moderating is not None and moderating.size != len(self.set_ids):
            return None  # it took records that came into no set after all: a disk was full, say
        growth = Growth(self, ground)
        while more:
            ready = [r for r in more.values() if growth.ids.issuperset(r.header.prev)]
            if not ready or not all(growth.take(record) for record in ready):
                return None
            for record in ready:
                del more[record.id]
        asked = self._asked
        if asked is not None and (asked := asked.with_more(growth.taken)) is None:
            return None
        if moderating is not None and not all(moderating.take(record) for record in growth.taken):
            return None
        hidden = frozenset[bytes]() if moderating is None else moderating.hidden()
        return growth.charter(hidden, asked)

    def person(self, key: bytes) -> Member | None:
        """The member that a key belongs to; None for a key that never stood here, or is out."""
        return self._persons.get(key)

    def is_member(self, key: bytes) -> bool:
        """Whether this key is admitted and its person is a member."""
        return key in self.admitted and key in self._persons

    def out(self, key: bytes) -> Former | None:
        """How the person of this key is out; None for members and strangers."""
        return next((one for one in self.former if key in one.keys), None)

    def left_behind(self, key: bytes) -> tuple[bytes, ...]:
        """Keys of this key's person that a recovery replaced and that are admitted still: whoever has them writes."""
        member = self._persons.get(key)
        return () if member is None else tuple(k for k in member.keys if k != key and k in self._replaced)

    def recoverable(self, recovery: bytes) -> bytes | None:
        """The admitted key that the recovery key of this hash (`doors.recovery_hash`) can replace; the latest."""
        return self._recoveries.get(recovery)

    @property
    def erasures(self) -> dict[bytes, object]:
        """All that is erased of every record that some erasure names, whether it counts for its author or not."""
        own = self.erased_own
        return {**own, **{record: (fields, own.get(record)) for record, fields in self.erased.items()}}

    def erased_fields(self, record_id: bytes, author: bytes) -> frozenset[str] | None:
        """The register fields that the erased record of this author had written; None where it is not erased.

        This is the whole rule: `erased` has what stewards erased, and authors erase their own.
        """
        found = self.erased.get(record_id)
        for erasure in self.erased_own.get(record_id, ()):
            if author in erasure.keys:
                found = erasure.fields | (found or frozenset())
        return found

    def open_entrance(self) -> Entrance | None:
        """The way in that is open to anyone, if there is one: that of the least work, then of the smallest id."""
        return min((e for e in self.entrances if e.public is None), key=lambda e: (e.stamp_bits, e.id), default=None)

    def entrance(self, way: bytes) -> Entrance | None:
        """A way in by its record id; None where it is not here or closed."""
        return next((e for e in self.entrances if e.id == way), None)

    def prev_for(self, author: bytes) -> tuple[bytes, ...]:
        """What this key's next plane-0 record names (but a join, which names its way, and a ballot): ascending.

        All heads. Where they are more than 32: the key's own last record (or the door that let it in), then the
        latest heads of distinct keys, then the latest others.
        """
        if len(self._heads) <= PREV_MAX:
            return tuple(sorted(self.heads))
        chosen = dict.fromkeys([self._anchors[author]] if author in self._anchors else [])
        distinct: dict[bytes, bytes] = {}
        for head in self._heads:
            distinct.setdefault(head.author, head.id)
        for identifier in (*distinct.values(), *self.heads):
            if len(chosen) == PREV_MAX:
                break
            chosen[identifier] = None
        return tuple(sorted(chosen))


class Growth:
    """A charter that takes some more records, ancestors first."""

    def __init__(self, charter: Charter, ground: Ground) -> None:
        self._before, self._ground = charter, ground
        self.taken: list[Record] = []
        self.ids = set(charter.set_ids)
        self._heads = dict.fromkeys(charter._heads)
        self._by_id = {head.id: head for head in self._heads}
        self._anchors = dict(charter._anchors)
        self._ways: list[Way] = []
        self._used: dict[bytes, int] = {}
        self._members: dict[bytes, Member] = {}
        self._recoveries: dict[bytes, bytes] = {}

    def take(self, record: Record) -> bool:
        """One record whose `prev` are all here; False where all has to be judged anew."""
        header, before = record.header, self._before
        if record.body is None or header.plane != Plane.CHARTER or commons_of(record) != before.commons:
            return False
        if record.id in before.kept:
            return False
        known = header.author in before.admitted or header.author in self._members
        if not self._lets_in(record) and not (known and (self._invites(record) or self._ground.takes(record))):
            return False
        self.taken.append(record)
        self.ids.add(record.id)
        self._ground.put(record)
        if is_head(record):
            for parent in header.prev:
                if parent in self._by_id:
                    self._heads.pop(self._by_id.pop(parent), None)
            self._by_id[record.id] = head = _Head(header.time, record.id, header.author)
            self._heads[head] = None
            if self._ground.is_older(self._anchors.get(header.author), header.author, record):
                self._anchors[header.author] = record.id
        return True

    def _invites(self, record: Record) -> bool:
        way = self._ground.invites(record)
        if way is None:
            return False
        self._ground.put_way(way)
        self._ways.append(way)
        return True

    def _lets_in(self, record: Record) -> bool:
        before, key = self._before, record.header.author
        found = self._ground.lets_in(record, before.commons, remembered_verify)
        if found is None:
            return False
        way, join = found
        if join.recovery in before._recoveries or join.recovery in self._recoveries:
            return False
        self._ground.put_door(record)
        self._used[way.id] = self._used.get(way.id, 0) + 1
        self._members[key] = Member(key, (key,), record.header.time, way.author, False)
        self._recoveries[join.recovery] = key
        return True

    def charter(self, hidden: frozenset[bytes], asked: Asked | None) -> Charter:
        """The charter with what was taken. `asked`: the assembly with it, where the view goes by one."""
        latest = tuple(sorted(self._heads, reverse=True))
        grown = replace(
            self._before,
            set_ids=frozenset(self.ids),
            heads=tuple(head.id for head in latest),
            hidden=hidden,
            _heads=latest,
            _anchors=self._anchors,
            _asked=asked,
        )
        if self._members or self._ways:
            grown = self._with_people(grown, asked)
        elif hidden == self._before.hidden:
            return grown
        return replace(grown, digest=_digest(view_value(grown)))

    def _with_people(self, charter: Charter, asked: Asked | None) -> Charter:
        closes = (lambda way: False) if asked is None else asked.assembly.closer()
        records: dict[bytes, Record] = {record.id: record for record in self.taken}
        opened = [_entrance(records[way.id], way, 0) for way in self._ways if not closes(way)]
        return replace(
            charter,
            admitted=charter.admitted.union(self._members),
            members=tuple(sorted((*charter.members, *self._members.values()))),
            entrances=tuple(
                one._replace(used=one.used + self._used.get(one.id, 0)) for one in sorted((*charter.entrances, *opened))
            ),
            _recoveries={**charter._recoveries, **self._recoveries},
            _persons={**charter._persons, **self._members},
        )


def judge(records: Iterable[Record], commons: bytes | None = None, *, check: Verifier = remembered_verify) -> Charter:
    """The charter of a commons, from plane-0 records in any order; other planes and commons are passed over.

    `commons` None: the one whose founding record is given (of several, the smallest id). A record without its
    body is as good as not given. Never raises: what does not fit does nothing.
    """
    whole = {r.id: r for r in records if r.header.plane == Plane.CHARTER and r.body is not None}
    if commons is None:
        commons = min((r.id for r in whole.values() if is_founding(r)), default=ZEROS)
    given: dict[bytes, Record] = {r.id: r for r in whole.values() if commons_of(r) == commons}
    grounds = ground(given, commons, check)
    if grounds.founding is None:
        return Charter(CommonsId(commons), ungrounded=grounds.waiting, missing=grounds.missing, digest=_digest({}))
    return _view(grounds, Membership(grounds))


def _view(grounds: Grounds, membership: Membership) -> Charter:
    # CHARTER-16: views are made of the set alone; what is grounded but not in it must not be seen from here on.
    in_set = [record for record in grounds.records.values() if record.id in membership.set_ids]
    content = _content(grounds.records[grounds.commons])
    gone = departures(grounds, membership)
    everybody = _members(grounds, membership, gone, membership.standing)
    members = everybody
    if gone.cut is not NOTHING:
        left = _members(grounds, membership, gone, membership.standing_within(membership.set_bits & ~gone.cut.doors))
        members = tuple(m for m in left if not membership.admitted.intersection(m.keys) <= gone.cut.gone)
    person = {key: member for member in members for key in member.keys}
    former = tuple(gone.former(m.key, m.keys) for m in everybody if person.keys().isdisjoint(m.keys))
    entrances = _entrances(grounds, membership, gone)
    join = _one_of(gone.said("join", "policy", content.get("join")), JOIN_POLICIES, "invite")
    if any(entrance.public is None for entrance in entrances):
        join = "open"
    elif join == "open":
        join = "invite"
    announced = gone.said("announcing", "announced", content.get("announced"))
    inviting = Rules.founded(content, grounds.commons, 0).params("invite")["by"]
    erased, erased_own = _erasures(in_set, grounds, membership, gone, everybody)
    heads = _heads(in_set)
    moderating = _moderating(in_set, grounds, membership, gone, everybody)
    charter = Charter(
        commons=CommonsId(grounds.commons),
        founded=True,
        name=_text(content.get("name")) or "",
        languages=_texts(content.get("languages")),
        territory=_text(content.get("territory")),
        licence=_text(gone.said("licence", "expression", content.get("licence"))),
        join=join,
        announced=announced if type(announced) is bool else join == "open",
        inviting=str(gone.said("invite", "by", inviting)),
        set_ids=membership.set_ids,
        ungrounded=grounds.waiting,
        missing=grounds.missing,
        admitted=membership.admitted,
        purged=membership.purged,
        members=members,
        former=former,
        limits=gone.limits,
        kept=gone.kept,
        stewards=frozenset(key for member in members if member.steward for key in member.keys) & membership.admitted,
        quorum=membership.quorum(),
        heads=tuple(head.id for head in heads),
        entrances=entrances,
        erased=erased,
        erased_own=erased_own,
        hidden=frozenset() if moderating is None else moderating.hidden(),
        _recoveries={
            door.recovery: door.key  # ancestors come first: a rotated key takes the place of the old one
            for door in grounds.doors
            if door.recovery is not None and door.bit & membership.standing and door.key in membership.admitted
        },
        _persons=person,
        _replaced=frozenset(  # of the doors that link keys, a rotation alone has a recovery key
            door.maker
            for door in grounds.doors
            if door.link and door.recovery is not None and door.maker in membership.admitted
            if door.bit & membership.standing and door.id in membership.set_ids
        ),
        _heads=heads,
        _anchors=_anchors(in_set, grounds, membership),
        _ground=_ground(in_set, grounds, membership),
        _moderating=moderating,
        _asked=gone.asked,
    )
    return replace(charter, digest=_digest(view_value(charter)))


def view_value(charter: Charter) -> dict[str, Any]:
    """The charter view as the canonical map that `digest` is the hash of; empty without a founding record."""
    if not charter.founded:
        return {}
    own = charter.erased_own
    view = {
        "announced": charter.announced,
        "commons": charter.commons,
        "entrances": [[e.id, e.author, e.public, e.stamp_bits, e.uses, e.expires, e.used] for e in charter.entrances],
        "erased": [[i, sorted(charter.erased[i])] for i in sorted(charter.erased)],
        "erased_own": [[i, [[e.person, sorted(e.fields)] for e in own[i]]] for i in sorted(own)],
        "join": charter.join,
        "languages": charter.languages,
        "licence": charter.licence,
        "members": [[m.key, m.keys, m.joined, m.by, m.steward] for m in charter.members],
        "name": charter.name,
        "quorum": charter.quorum,
        "territory": charter.territory,
    }
    if charter.former:
        view["former"] = [[m.key, m.keys, m.how, m.by, m.since] for m in charter.former]
    if charter.hidden:
        view["hidden"] = sorted(charter.hidden)
    if charter.limits:
        view["kept"] = sorted(charter.kept)
        view["limits"] = [[k, [sorted(heads) for heads in charter.limits[k]]] for k in sorted(charter.limits)]
    return view


def _digest(view: Mapping[str, Any]) -> bytes:
    return sha256(TAG_CHARTER + encode(view)).digest()


def _members(grounds: Grounds, membership: Membership, gone: Departures, stand: int) -> tuple[Member, ...]:
    """The persons that these standing doors let in, but for who is out."""
    standing = [d for d in grounds.doors if d.bit & stand and d.id in membership.set_ids]
    # A key that stands but by no door of the set is purged, or was let in by one who is: no link of it is seen.
    root = persons(standing)
    together: dict[bytes, list[bytes]] = {}
    for key in root:
        together.setdefault(root[key], []).append(key)
    first: dict[bytes, Door] = {}
    for door in standing:
        shown = first.get(root[door.key])
        if shown is None or door.id < shown.id:
            first[root[door.key]] = door
    stewards = gone.by_role(membership, membership.set_bits)
    found = []
    for one, keys in together.items():
        if not membership.admitted.isdisjoint(keys):
            door = first[one]
            joined = grounds.records[door.id].header.time
            steward = not stewards.keys().isdisjoint(keys)
            found.append(Member(door.key, tuple(sorted(keys)), joined, door.maker, steward))
    return tuple(sorted(found))


def _entrances(grounds: Grounds, membership: Membership, gone: Departures) -> tuple[Entrance, ...]:
    used: dict[bytes, set[bytes]] = {}
    for door in grounds.doors:
        if door.bit & membership.standing and door.key in membership.admitted:
            used.setdefault(door.way, set()).add(door.key)
    return tuple(
        _entrance(grounds.records[way.id], way, len(used.get(way.id, ())) - (way.id == grounds.commons))
        for way in sorted(grounds.ways.values())
        if _is_entrance(way, grounds, membership, gone)
    )


def _is_entrance(way: Way, grounds: Grounds, membership: Membership, gone: Departures) -> bool:
    if membership.is_closed(way.id, way.author) or gone.closes(way):
        return False
    if isinstance(way.form, Founding):
        return True
    if way.author not in membership.admitted:
        return False
    # CHARTER-18: opening joining to anyone is a steward's, or where the members said so anybody's.
    if isinstance(way.form, Invite) or gone.opens(way):
        return True
    return way.author in gone.by_role(membership, grounds.pasts[way.id])


def _entrance(record: Record, way: Way, used: int) -> Entrance:
    if isinstance(way.form, Founding | Opening):
        return Entrance(way.id, way.author, None, way.form.stamp_bits, None, None, used)
    content = _content(record)
    uses, expires = _count(content.get("uses")), _count(content.get("expires"))
    return Entrance(way.id, way.author, way.form.public, way.form.stamp_bits, uses, expires, used)


def _erasures(
    in_set: Sequence[Record],
    grounds: Grounds,
    membership: Membership,
    gone: Departures,
    everybody: Sequence[Member],
) -> tuple[dict[bytes, frozenset[str]], dict[bytes, tuple[Erasure, ...]]]:
    person = {key: member for member in everybody for key in member.keys}
    erased: dict[bytes, frozenset[str]] = {}
    own: dict[bytes, dict[bytes, frozenset[str]]] = {}
    for record in in_set:
        author = record.header.author
        if record.header.kind != ERASE or author not in membership.admitted:
            continue
        # Whoever is out may still take their own words back; what is cut of a steward's does no more.
        steward = not gone.cut.has(record.id, author)
        steward = steward and author in gone.by_role(membership, grounds.pasts[record.id])
        for identifier, fields in _erasure_items(_content(record)):
            if identifier in membership.set_ids:  # CHARTER-20: bodies of plane 0 are never erased
                continue
            if steward:
                erased[identifier] = erased.get(identifier, frozenset()) | fields
            else:
                by = own.setdefault(identifier, {})
                by[person[author].key] = by.get(person[author].key, frozenset()) | fields
    keys: dict[bytes, frozenset[bytes]] = {}
    for member in person.values():  # comes once for each of its keys, and one person may have thousands
        if member.key not in keys:
            keys[member.key] = frozenset(member.keys)
    return erased, {
        identifier: tuple(Erasure(one, keys[one], by[one]) for one in sorted(by)) for identifier, by in own.items()
    }


def _erasure_items(content: Mapping[str, Any]) -> list[tuple[bytes, frozenset[str]]]:
    items = content.get("ids")
    if type(items) is not list:
        return []
    found = []
    for item in items:
        if type(item) is not list or len(item) != 2:
            return []
        identifier, fields = item
        if type(identifier) is not bytes or len(identifier) != 32 or type(fields) is not list:
            return []
        if any(type(name) is not str for name in fields):
            return []
        found.append((identifier, frozenset(fields)))
    return found


def _heads(in_set: Sequence[Record]) -> tuple[_Head, ...]:
    # CHARTER-21: a ballot names only its proposal; were it a head, or did it hide one, what others saw would be lost.
    plain = [record for record in in_set if not record.header.kind.startswith(BALLOT_PREFIX)]
    named = {parent for record in plain for parent in record.header.prev}
    heads = (_Head(r.header.time, r.id, r.header.author) for r in plain if r.id not in named)
    return tuple(sorted(heads, reverse=True))


def _ground(in_set: Sequence[Record], grounds: Grounds, membership: Membership) -> Ground:
    doors: dict[bytes, set[bytes]] = {}
    for door in grounds.doors:
        doors.setdefault(door.key, set()).add(door.id)
    acts = [act.form for act in grounds.acts]
    shape = Ground(
        doors={key: frozenset(ids) for key, ids in doors.items()},
        ways={way.id: way for way in grounds.ways.values() if way.id in membership.set_ids},
        named=frozenset[bytes]().union(
            grounds.founding.stewards if grounds.founding else (),
            *(form.add | form.end for form in acts if isinstance(form, Stewards)),
        ),
        is_calm=not any(isinstance(act.form, Purge) for act in membership.valid),
    )
    for record in in_set:
        shape.put(record)
    return shape


def _moderating(
    in_set: Sequence[Record],
    grounds: Grounds,
    membership: Membership,
    gone: Departures,
    everybody: Sequence[Member],
) -> Moderating | None:
    """What hides entries; None where nobody ever hid one, or proposed to: then it costs nothing."""
    if not any(map(may_hide_something, in_set)):
        return None
    shown = {key: member.key for member in everybody for key in member.keys}
    assembly = Assembly(grounds, membership) if gone.asked is None else gone.asked.assembly
    return Moderating(assembly, in_set, membership.admitted, shown, HIDING)


def _anchors(in_set: Sequence[Record], grounds: Grounds, membership: Membership) -> dict[bytes, bytes]:
    """For each admitted key a record whose past or self has a door of it: its last one, else the door itself."""
    last: dict[bytes, tuple[int, bytes]] = {}
    for door in grounds.doors:
        if door.bit & membership.standing and door.key in membership.admitted and door.id in membership.set_ids:
            last[door.key] = max((-1, door.id), last.get(door.key, (-1, b"")))
    for record in in_set:
        author = record.header.author
        if author in membership.admitted and not record.header.kind.startswith(BALLOT_PREFIX):
            last[author] = max((record.header.time, record.id), last.get(author, (-1, b"")))
    return {key: identifier for key, (_, identifier) in last.items()}


def _content(record: Record) -> dict[str, Any]:
    try:
        return record.content()
    except FormError:
        return {}


def _text(value: Any) -> str | None:
    return value if type(value) is str else None


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(value) if type(value) is list and all(type(item) is str for item in value) else ()


def _count(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _one_of(value: Any, known: Sequence[str], default: str) -> str:
    return value if type(value) is str and value in known else default
