"""Which ballots of one vote count, and why the others do not (chapter 22, "Ballots").

A pure function of the ballots gathered, the wording voted on, and whose ballot each is. Knows no clock: a ballot is
never late here, only gathered or not.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from typing import NamedTuple

from p2pcommons.commons.assembly_bodies import Choice
from p2pcommons.commons.pasts import Ballot

COUNTED = "counted"
SAME = "same"  # as another of the person, which is counted
DOUBLE = "double"  # other than another of the person: neither counts
REPLACED = "replaced"
LAPSED = "lapsed"  # on another wording
NO_ELECTOR = "no_elector"
UNAPPROVED = "unapproved"  # of an organisation whose people did not approve of it
UNFIT = "unfit"  # names in `prev` or as text what it must not


class Verdict(NamedTuple):
    """What becomes of one ballot."""

    id: bytes
    elector: bytes | None  # a key of the person; None where the ballot is nobody's who may vote
    choice: Choice
    code: str


def judge_ballots(
    ballots: Iterable[Ballot],
    wording: bytes,
    texts: Mapping[bytes, bytes],
    let_in: Mapping[bytes, bytes],
    elector: Callable[[Ballot], bytes | None],
    casts: Callable[[Ballot], bool | None] = lambda ballot: None,
    approving: Container[bytes] = (),
) -> list[Verdict]:
    """What becomes of each ballot, ascending by id.

    `wording`: the record voted on; `texts`: the text's hash of each wording of this proposal, by record id; `let_in`:
    the key that each door lets in; `elector`: whose ballot it is; `casts`: whether the people of the organisation that cast
    it approved of it, None where nobody has to; `approving`: the ids of approvals, which such a ballot names besides.
    """
    found: list[Verdict] = []
    voting: dict[bytes, list[Ballot]] = {}
    for ballot in ballots:
        person = elector(ballot)
        on = [one for one in ballot.prev if one in texts]
        approved = casts(ballot)
        doors = [one for one in ballot.prev if one not in texts and (approved is None or one not in approving)]
        own_doors = [let_in.get(door) for door in doors] in ([], [ballot.author])
        if person is None:
            code = NO_ELECTOR
        elif len(on) != 1 or texts[on[0]] != ballot.form.text or not own_doors:
            code = UNFIT
        elif approved is False:
            code = UNAPPROVED
        elif on[0] != wording:
            code = LAPSED
        else:
            voting.setdefault(person, []).append(ballot)
            continue
        found.append(Verdict(ballot.id, person, ballot.form.choice, code))
    for person, cast in voting.items():
        found.extend(_persons(person, cast))
    return sorted(found)


def _persons(person: bytes, cast: list[Ballot]) -> Iterable[Verdict]:
    replaced = frozenset[bytes]().union(*(ballot.form.replaces for ballot in cast))
    standing = [ballot for ballot in cast if ballot.id not in replaced]
    agree = len({ballot.form.choice for ballot in standing}) == 1
    first = min(ballot.id for ballot in standing)  # ids are hashes: nobody replaces in a circle
    for ballot in cast:
        code = REPLACED if ballot.id in replaced else DOUBLE
        if agree and ballot.id not in replaced:
            code = COUNTED if ballot.id == first else SAME
        yield Verdict(ballot.id, person, ballot.form.choice, code)
