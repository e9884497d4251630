"""How long folding an assembly takes: 1,000 members, 500 changes of rules, 10,000 ballots, from nothing and one more.

Run by hand: `python tests/property/assembly_speed.py [changes] [ballots each]`.
"""

from __future__ import annotations

import sys
from hashlib import sha256
from pathlib import Path
from statistics import median
from time import perf_counter

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[2])]

from towns import LOWS, RULES, START_MS, TOKEN, key_of, text_of  # noqa: E402

from p2pcommons.commons import assembly_bodies as bodies  # noqa: E402
from p2pcommons.commons import charter_bodies as acts  # noqa: E402
from p2pcommons.commons.assembly import Assembly, assemble  # noqa: E402
from p2pcommons.commons.charter_bodies import Made  # noqa: E402
from p2pcommons.commons.doors import remembered_verify  # noqa: E402
from p2pcommons.commons.grounding import ground  # noqa: E402
from p2pcommons.commons.membership import Membership  # noqa: E402
from p2pcommons.commons.minutes import minutes, minutes_hash  # noqa: E402
from p2pcommons.core.record import ZEROS, Record, build  # noqa: E402

MEMBERS = 1000
CHANGED = ("licence", "replicas", "alarms", "review", "host", "invite", "hide", "edit")
PARAMS = {"licence": {"expression": "MIT"}}


class Large:
    """A large commons, written straight on."""

    def __init__(self, members: int = MEMBERS) -> None:
        self.records: list[Record] = []
        self.commons = ZEROS
        self.heads: list[bytes] = []
        self.names = [f"person {number}" for number in range(members)]
        made = acts.found("A town", entropy=bytes(32), recovery=bytes(32), stamp_bits=0)
        rules = {**RULES, **LOWS}
        self.commons = bytes(self.write(self.names[0], Made(made.kind, {**made.body, "rules": rules}), []).id)
        for name in self.names[1:]:
            invite = self.write(self.names[0], acts.invite(TOKEN.public, stamp_bits=0), self.heads)
            join = acts.join_by_invitation(
                self.commons, invite.id, key_of(name).public, TOKEN, recovery=bytes(32), stamp=bytes(8)
            )
            self.write(name, join, [invite.id])
        self.versions: dict[str, bytes] = {}
        self.keys = sorted(key_of(name).public for name in self.names[:3])

    def write(self, name: str, made: Made, prev: list[bytes], head: bool = True) -> Record:
        number = len(self.records)
        record = build(
            commons=self.commons, plane=0, author=key_of(name).public, after=ZEROS, time=(START_MS + number) << 16,
            subject=self.commons, prev=sorted(prev), kind=made.kind, body=made.body,
            salt=sha256(b"%d" % number).digest()[:16],
        )  # fmt: skip
        self.records.append(record)
        if head:
            self.heads = [record.id]
        return record

    def change(self, number: int, ballots: int) -> None:
        """A rule is changed: a proposal, ballots, and closings by three."""
        rule = CHANGED[number % len(CHANGED)]
        effect = {
            "params": PARAMS.get(rule, {}), "rule": rule, "text": text_of("a text"),
            "version": self.versions.get(rule, bytes(32)),
        }  # fmt: skip
        made = bodies.propose(
            "rule", mode="qualified", threshold=(2, 3), quorum=1, closers=self.keys, k=2, text=text_of("a text"),
            effect=effect,
        )  # fmt: skip
        proposal = self.write(self.names[number % len(self.names)], made, self.heads)
        cast = []
        for at in range(ballots):
            voter = self.names[(number * ballots + at) % len(self.names)]
            ballot = self.write(voter, bodies.cast(proposal.id, text_of("a text"), "for"), [proposal.id], head=False)
            cast.append(ballot.id)
        *sheets, last = bodies.sheets_for(ballots, 28)
        for sheet in sheets:
            named = [cast[at] for at in sheet]
            cast.append(self.write(self.names[0], bodies.sheet(), named, head=False).id)
        closing = bodies.close(proposal.id, proposal.id, cast[:ballots])
        closings = [self.write(name, closing, [proposal.id, *(cast[at] for at in last)]).id for name in self.names[:3]]
        self.heads = closings
        self.versions[rule] = proposal.id


def main() -> None:
    changes, ballots = (int(word) for word in [*sys.argv[1:], "500", "20"][:2])
    large = Large()
    for number in range(changes):
        large.change(number, ballots)
    print(f"{len(large.records):,} records, {MEMBERS:,} members, {changes} changes, {changes * ballots:,} ballots")
    for what in ("first", "again"):
        start = perf_counter()
        grounds = ground({r.id: r for r in large.records}, large.commons, remembered_verify)
        membership = Membership(grounds)
        middle = perf_counter()
        assembly = Assembly(grounds, membership)
        rules = assembly.rules()
        end = perf_counter()
        minutes(assembly)
        last = perf_counter()
        print(
            f"{what}: who is in {middle - start:.2f} s, assembly {end - middle:.2f} s, together {end - start:.2f} s; "
            f"minutes of all {last - end:.2f} s"
        )
        assert len(assembly.pasts.members(assembly.pasts.all)) == MEMBERS
        assert all(rules[rule].version == version for rule, version in large.versions.items())
    at = len(large.records)
    for number in range(20):
        large.change(changes + number, ballots)
    taken: dict[str, list[float]] = {}
    for record in large.records[at:]:
        start = perf_counter()
        assert assembly.take(record)
        assembly.rules()
        taken.setdefault(record.header.kind, []).append(perf_counter() - start)
    for kind, some in taken.items():
        print(f"one more {kind} and the rules: median {1000 * median(some):.2f} ms, worst {1000 * max(some):.2f} ms")
    assert minutes_hash(minutes(assembly)) == minutes_hash(minutes(assemble(large.records, large.commons)))


if __name__ == "__main__":
    main()
