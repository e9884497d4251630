"""The vectors of chapter 21: which bodies fit, whom records of plane 0 admit, stamps, invitations, addresses.

Who is admitted is written here by hand beside each history; the view's bytes come from the package.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

from vectors_records import NOW_MS, bytes_of

from p2pcommons.commons import charter_bodies as bodies
from p2pcommons.commons import moderation_bodies as moderation
from p2pcommons.commons import removal_bodies as removals
from p2pcommons.commons.charter import judge, view_value
from p2pcommons.commons.charter_bodies import Made
from p2pcommons.commons.doors import read_form, recovery_hash
from p2pcommons.commons.invitation import Invitation, parse_invitation
from p2pcommons.commons.stamp import search_stamp, stamp_holds
from p2pcommons.core.address import parse_address
from p2pcommons.core.encoding import encode, encode_body
from p2pcommons.core.identity import TAG_INVITATION, SigningKey, did_key
from p2pcommons.core.record import ZEROS, CommonsId, Record, RecordId, build, parse_header, record_id
from p2pcommons.errors import FormError

Case = dict[str, Any]
KEYS = {name: SigningKey(bytes_of(name)) for name in ("alice", "bob", "carol", "dave", "eve")}
WORDS = {name: SigningKey(bytes_of(f"recovery of {name}")) for name in KEYS}
TOKEN = SigningKey(bytes_of("invitation"))
NODE = SigningKey(bytes_of("node"))
ABOUT = {
    "judge": "commons, records ([{header, salt, body or null}]) -> the set of plane 0, admitted keys, waiting and "
    "missing ids, heads (all ascending), stewards, quorum, the canonical view, its hash (CHARTER-3 to CHARTER-22)",
    "fits": "kind, body (canonical bytes) -> whether the body fits its kind (CHARTER-1); of the founding record without "
    "the bound of its quorum by its stewards (CHARTER-4)",
    "stamp": "commons, way, author, stamp, bits -> whether it holds (CHARTER-6)",
    "invitation": "line -> commons, addresses, invite, seed (null where there is none)",
    "address": "text -> its one form",
}


class World:
    """A commons of alice's; records have names."""

    def __init__(self, **founding: Any) -> None:
        self.named: dict[str, Record] = {}
        self.left_out: set[str] = set()
        self.commons = ZEROS
        values = {"stamp_bits": 0, "entropy": bytes_of("entropy"), "recovery": recovery_hash(WORDS["alice"].public)}
        self.write("found", "alice", [], bodies.found("Lanterns", **{**values, **founding}))

    def write(self, name: str, who: str, prev: list[str], made: Made, **changed: Any) -> World:
        values: dict[str, Any] = {
            "commons": self.commons, "plane": 0, "author": KEYS[who].public, "after": ZEROS,
            "time": (NOW_MS + len(self.named)) << 16, "subject": self.commons,
            "prev": [self.named[p].id if p in self.named else bytes_of(p) for p in prev],
            "kind": made.kind, "body": made.body, "salt": bytes_of(f"salt of {name}", 16),
        }  # fmt: skip
        record = build(**{**values, **changed})
        self.named[name] = record
        if self.commons == ZEROS:
            self.commons = bytes(record.id)
        return self

    def invite(self, name: str, who: str, prev: list[str], bits: int | None = 0) -> World:
        return self.write(name, who, prev, bodies.invite(TOKEN.public, stamp_bits=bits))

    def join(self, who: str, invite: str, name: str | None = None) -> World:
        made = bodies.join_by_invitation(
            self.commons, self.named[invite].id, KEYS[who].public, TOKEN,
            recovery=recovery_hash(WORDS[who].public), stamp=bytes(8),
        )  # fmt: skip
        return self.write(name or who, who, [invite], made)

    def bring(self, *people: str) -> World:
        for who in people:
            self.invite(f"invite {who}", "alice", ["found"]).join(who, f"invite {who}")
        return self

    def walk_in(self, who: str, way: str, name: str | None = None) -> World:
        return self.write(name or who, who, [way], bodies.join_open(recovery=bytes(32), stamp=bytes(8)))

    def device(self, name: str, who: str, device: str, prev: list[str]) -> World:
        return self.write(name, who, prev, bodies.add_device(self.commons, KEYS[who].public, KEYS[device]))

    def rotate(self, new: str, old: str, prev: list[str], by: str | None = None) -> World:
        made = bodies.rotate(
            self.commons, KEYS[new].public, KEYS[old].public, WORDS[by or old],
            next_recovery=recovery_hash(WORDS[new].public), heads={0: [self.named[prev[0]].id]},
        )  # fmt: skip
        return self.write(f"{old} to {new}", new, prev, made)

    def purge(self, name: str, who: str, prev: list[str], *people: str, doors: tuple[str, ...] = ()) -> World:
        made = bodies.purge([KEYS[key].public for key in people], [self.named[door].id for door in doors])
        return self.write(name, who, prev, made)

    def approve(self, name: str, who: str, prev: list[str], made: Made) -> World:
        return self.write(name, who, prev, bodies.approve(self.commons, made))

    def odd(self, name: str, who: str, prev: list[str], kind: str = "weather.report") -> World:
        return self.write(name, who, prev, Made(kind, {}))

    def without(self, *names: str) -> World:
        self.left_out.update(names)
        return self


def _ids(found: Any) -> list[str]:
    return sorted(bytes(item).hex() for item in found)


def _judge(given: Mapping[str, Any]) -> Any:
    records = []
    for item in given["records"]:
        header = bytes.fromhex(item["header"])
        salt, body = (None if item[part] is None else bytes.fromhex(item[part]) for part in ("salt", "body"))
        records.append(Record(record_id(header), parse_header(header), header, salt, body))
    charter = judge(records, bytes.fromhex(given["commons"]))
    return {
        "set": _ids(charter.set_ids), "admitted": _ids(charter.admitted), "waiting": _ids(charter.ungrounded),
        "missing": _ids(charter.missing), "heads": _ids(charter.heads), "stewards": _ids(charter.stewards),
        "quorum": charter.quorum, "view": encode(view_value(charter)).hex(), "hash": charter.digest.hex(),
    }  # fmt: skip


def _fits(given: Mapping[str, Any]) -> Any:
    return {"fits": read_form(given["kind"], bytes.fromhex(given["body"])) is not None}


def _stamp(given: Mapping[str, Any]) -> Any:
    commons, way, author, stamp = (bytes.fromhex(given[part]) for part in ("commons", "way", "author", "stamp"))
    return {"holds": stamp_holds(commons, way, author, stamp, given["bits"])}


def _invitation(given: Mapping[str, Any]) -> Any:
    read = parse_invitation(given["line"])
    return {
        "commons": read.commons.hex(),
        "addresses": [str(address) for address in read.addresses],
        "invite": None if read.invite is None else read.invite.hex(),
        "seed": None if read.seed is None else read.seed.hex(),
    }


def _address(given: Mapping[str, Any]) -> Any:
    return {"text": str(parse_address(given["text"]))}


OPERATIONS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "judge": _judge, "fits": _fits, "stamp": _stamp, "invitation": _invitation, "address": _address,
}  # fmt: skip


def answer(op: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """What the package says: {"out"} or {"error"}."""
    try:
        return {"out": OPERATIONS[op](given)}
    except FormError as error:
        return {"error": error.code}


class Cases:
    """The cases of the file, in order."""

    def __init__(self) -> None:
        self.cases: list[Case] = []

    def judge(self, name: str, world: World, admitted: str, *, kept: str = "", gone: str = "", waits: str = "") -> None:
        """`admitted`: people; `kept`, `gone`, `waits`: names of records in the set, not in it, and waiting."""
        records = [
            {
                "header": record.header_bytes.hex(),
                "salt": None if record.salt is None else record.salt.hex(),
                "body": None if record.body is None else record.body.hex(),
            }
            for key, record in world.named.items()
            if key not in world.left_out
        ]
        given = {"commons": world.commons.hex(), "records": records}
        answered = answer("judge", given)
        out = answered["out"]
        ids = {key: record.id.hex() for key, record in world.named.items()}
        if out["admitted"] != _ids(KEYS[person].public for person in admitted.split()):
            raise AssertionError(f"{name}: other keys are admitted")
        if not {ids[k] for k in kept.split(", ") if k} <= set(out["set"]):
            raise AssertionError(f"{name}: not in the set")
        if {ids[k] for k in gone.split(", ") if k} & set(out["set"]):
            raise AssertionError(f"{name}: in the set")
        if {ids[k] for k in waits.split(", ") if k} != set(out["waiting"]):
            raise AssertionError(f"{name}: other records wait")
        for order in (records[::-1], records * 2):
            if answer("judge", {**given, "records": order}) != answered:
                raise AssertionError(f"{name}: the order of records changes something")
        self.cases.append({"name": name, "op": "judge", "in": given, **answered})

    def fits(self, name: str, fits: bool, kind: str, body: Any) -> None:
        self._add(name, "fits", {"kind": kind, "body": encode_body(body).hex()}, {"out": {"fits": fits}})

    def stamp(self, name: str, holds: bool, stamp: bytes, **changed: Any) -> None:
        given = {"commons": bytes_of("c"), "way": bytes_of("w"), "author": bytes_of("a"), "bits": 12, **changed}
        shown = {key: value.hex() if isinstance(value, bytes) else value for key, value in given.items()}
        self._add(name, "stamp", {**shown, "stamp": stamp.hex()}, {"out": {"holds": holds}})

    def text(self, name: str, op: str, text: str, expected: Any) -> None:
        """`expected`: an error code, or what it must say."""
        wanted = {"error": expected} if isinstance(expected, str) else {"out": expected}
        self._add(name, op, {"line" if op == "invitation" else "text": text}, wanted)

    def _add(self, name: str, op: str, given: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
        answered = answer(op, given)
        if answered != wanted:
            raise AssertionError(f"{name}: {answered}")
        self.cases.append({"name": name, "op": op, "in": given, **answered})


def vectors() -> dict[str, Any]:
    """The whole file."""
    cases = Cases()
    for part in (_bodies, _stamps, _doors, _people, _purges, _stewards, _plane, _views, _invitations, _addresses):
        part(cases)
    names = [(case["op"], case["name"]) for case in cases.cases]
    if len(set(names)) != len(names):
        raise AssertionError("names twice")
    return {"chapter": "21 Charter", "about": ABOUT, "cases": cases.cases}


def _bodies(cases: Cases) -> None:
    key = bytes_of("a key")
    fitting: dict[str, dict[str, Any]] = {
        "commons.found": {
            "entropy": key, "join": "open", "recovery": key, "stamp": 30, "stewards": {"keys": [key], "quorum": 2},
        },
        "charter.open": {"stamp": 0},
        "charter.stewards": {"add": [key], "end": [], "quorum": 32},
        "charter.approve": {"act": key},
        "member.invite": {"public": key, "stamp": 16},
        "member.join": {"proof": key * 2, "recovery": key, "stamp": bytes(8)},
        "key.rotate": {"next": key, "old": key, "proof": key * 2, "recovery_key": key},
        "device.add": {"key": key, "proof": key * 2},
        "member.purge": {"doors": [key, key], "keys": [key]},
    }  # fmt: skip
    optional = {"join", "quorum", "proof of member.join", "stamp", "stewards"}
    for kind, body in fitting.items():
        cases.fits(f"{kind}", True, kind, body)
        cases.fits(f"{kind} with what nobody knows", True, kind, {**body, "colour": None, "expires": -1, "name": 7})
        for name in body:
            less = {other: value for other, value in body.items() if other != name}
            may = (name in optional or f"{name} of {kind}" in optional) and not (
                kind == "member.join" and name == "stamp"
            )
            cases.fits(f"{kind} without {name}", may, kind, less)
            if name != "join":
                cases.fits(f"{kind} with nil as {name}", False, kind, {**body, name: None})
    found = fitting["commons.found"]
    for name, fits, kind, body in (
        ("join is another word", True, "commons.found", {**found, "join": "sometimes"}),
        ("join is a number", True, "commons.found", {**found, "join": 1}),
        ("31 bits", False, "commons.found", {**found, "stamp": 31}),
        ("true as bits", False, "commons.found", {**found, "stamp": True}),
        ("bits below zero", False, "member.invite", {"public": key, "stamp": -1}),
        ("short entropy", False, "commons.found", {**found, "entropy": key[:31]}),
        ("text as entropy", False, "commons.found", {**found, "entropy": "x" * 32}),
        ("a quorum of nobody", False, "commons.found", {**found, "stewards": {"keys": [], "quorum": 0}}),
        ("a quorum of 34", False, "commons.found", {**found, "stewards": {"keys": [], "quorum": 34}}),
        ("no quorum", False, "commons.found", {**found, "stewards": {"keys": []}}),
        ("no keys", False, "commons.found", {**found, "stewards": {"quorum": 1}}),
        ("32 stewards", True, "commons.found", {**found, "stewards": {"keys": [key] * 32, "quorum": 1}}),
        ("33 stewards", False, "commons.found", {**found, "stewards": {"keys": [key] * 33, "quorum": 1}}),
        ("a list as council", False, "commons.found", {**found, "stewards": []}),
        ("33 to add", False, "charter.stewards", {"add": [key] * 33, "end": []}),
        ("33 to end", False, "charter.stewards", {"add": [], "end": [key] * 33}),
        ("a quorum of 33", False, "charter.stewards", {"add": [], "end": [], "quorum": 33}),
        ("a stamp of 9 bytes", False, "member.join", {"recovery": key, "stamp": bytes(9)}),
        ("a number as stamp", False, "member.join", {"recovery": key, "stamp": 7}),
        ("a short proof", False, "member.join", {"proof": key, "recovery": key, "stamp": bytes(8)}),
        ("heads are the views'", True, "key.rotate", {**fitting["key.rotate"], "heads": 7}),
        ("a key in a purge is short", False, "member.purge", {"doors": [], "keys": [key, key[:31]]}),
        ("keys are a map", False, "member.purge", {"doors": [], "keys": {}}),
        ("an empty purge", True, "member.purge", {"doors": [], "keys": []}),
        ("another kind", False, "member.leave", {}),
    ):
        cases.fits(name, fits, kind, body)


def _stamps(cases: Cases) -> None:
    stamp = search_stamp(bytes_of("c"), bytes_of("w"), bytes_of("a"), 12)
    assert stamp is not None
    cases.stamp("12 bits", True, stamp)
    short = next(
        found
        for start in range(1 << 16)
        if (found := search_stamp(bytes_of("c"), bytes_of("w"), bytes_of("a"), 11, start=start, tries=1))
        and not stamp_holds(bytes_of("c"), bytes_of("w"), bytes_of("a"), found, 12)
    )
    cases.stamp("one bit too few", False, short)
    cases.stamp("no bits: any stamp", True, bytes(8), bits=0)
    cases.stamp("the number before", False, (int.from_bytes(stamp, "big") - 1).to_bytes(8, "big"))
    cases.stamp("backwards", False, stamp[::-1])
    cases.stamp("for another commons", False, stamp, commons=bytes_of("d"))
    cases.stamp("for another way", False, stamp, way=bytes_of("x"))
    cases.stamp("for another key", False, stamp, author=bytes_of("b"))
    cases.stamp("30 bits", False, stamp, bits=30)
    cases.stamp("nine bytes", False, stamp + b"\0", bits=0)


def _doors(cases: Cases) -> None:
    cases.judge("nothing", World().without("found"), "")
    cases.judge("a founding record", World(), "alice", kept="found")
    cases.judge("an invite that came first", World().bring("bob").without("found"), "", waits="invite bob, bob")
    one = World()
    one.write("again", "alice", ["found"], Made("commons.found", one.named["found"].content()))
    cases.judge("a second founding record is nothing", one, "alice", kept="again")
    cases.judge("an invited key", World().bring("bob"), "alice bob", kept="invite bob, bob")
    chain = World().bring("bob").invite("i", "bob", ["bob"]).join("carol", "i").invite("j", "carol", ["carol"])
    cases.judge("joins on joins", chain.join("dave", "j"), "alice bob carol dave")
    cases.judge(
        "an invite by a stranger", World().invite("i", "eve", ["found"]).join("eve", "i"), "alice", gone="i, eve"
    )
    cases.judge("an open commons", World(join="open").walk_in("bob", "found"), "alice bob")
    cases.judge("a commons that is not open", World().walk_in("eve", "found"), "alice", gone="eve")
    unproven = World().invite("i", "alice", ["found"]).walk_in("eve", "i")
    cases.judge("a join without proof", unproven, "alice", gone="eve")
    world = World().invite("i", "alice", ["found"])
    for name, made, prev in (
        ("a join with another's proof", _join_as(world, "bob"), ["i"]),
        ("a join that names more than its way", _join_as(world, "eve"), ["i", "found"]),
        ("a join by what is no way", _join_as(world, "eve"), ["found"]),
    ):
        other = World().invite("i", "alice", ["found"]).write("eve", "eve", prev, made).odd("on it", "eve", ["eve"])
        cases.judge(name, other, "alice", gone="eve, on it")
    dear = World().invite("i", "alice", ["found"], bits=12)
    stamp = search_stamp(dear.commons, dear.named["i"].id, KEYS["bob"].public, 12)
    for name, number, admitted in (("a stamp paid", stamp, "alice bob"), ("a stamp not paid", bytes(8), "alice")):
        made = _join_as(dear, "bob")
        dear.write("bob", "bob", ["i"], made._replace(body={**made.body, "stamp": number}))
        cases.judge(name, dear, admitted)
    later = World().write("open", "alice", ["found"], bodies.open_joining(stamp_bits=0))
    cases.judge("joining opened later", later.walk_in("bob", "open"), "alice bob")
    cases.judge("several doors of a key", World(join="open").bring("bob").walk_in("bob", "found", "again"), "alice bob")


def _join_as(world: World, who: str) -> Made:
    return bodies.join_by_invitation(
        world.commons, world.named["i"].id, KEYS[who].public, TOKEN, recovery=bytes(32), stamp=bytes(8)
    )


def _people(cases: Cases) -> None:
    cases.judge("a device", World().bring("bob").device("d", "bob", "carol", ["bob"]), "alice bob carol")
    alone = World().device("d", "eve", "eve", ["found"]).odd("on it", "eve", ["d"])
    cases.judge("a key that lets itself in as its device", alone, "alice", gone="d, on it")
    made = World().bring("bob")
    body = bodies.add_device(made.commons, KEYS["bob"].public, KEYS["carol"]).body
    made.write("d", "bob", ["bob"], Made("device.add", {**body, "key": KEYS["eve"].public}))
    cases.judge("a device that did not agree", made, "alice bob", kept="d")
    back = World().bring("bob").rotate("carol", "bob", ["bob"]).rotate("dave", "carol", ["bob to carol"])
    cases.judge("back by recovery words, twice", back, "alice bob carol dave")
    cases.judge(
        "other words", World().bring("bob").rotate("eve", "bob", ["bob"], by="eve"), "alice bob", gone="bob to eve"
    )
    cases.judge("a past without the old key's door", World().bring("bob").rotate("eve", "bob", ["found"]), "alice bob")
    cases.judge("a key that rotates to itself", World().bring("bob").rotate("bob", "bob", ["bob"]), "alice bob")


def _purges(cases: Cases) -> None:
    cases.judge("a key purged", World().bring("bob").purge("p", "alice", ["bob"], "bob"), "alice", kept="bob, p")
    again = (
        World().bring("bob").purge("p", "alice", ["bob"], "bob").invite("i", "alice", ["p"]).join("bob", "i", "again")
    )
    cases.judge("a purged key never returns", again, "alice", gone="again")
    seen = World().bring("bob").invite("i", "bob", ["bob"]).join("carol", "i").purge("p", "alice", ["carol"], "bob")
    cases.judge("a purge spares the doors it has seen", seen, "alice carol")
    cases.judge("and cuts those it has not", seen.join("dave", "i"), "alice carol", gone="dave")
    falls = World().invite("i", "alice", ["found"]).join("bob", "i").invite("j", "bob", ["bob"]).join("carol", "j")
    falls.purge("p", "alice", ["i"], doors=("i",))
    cases.judge("what rests on a cut door falls", falls, "alice", kept="i, p", gone="bob, j, carol")
    closed = World(join="open").walk_in("bob", "found").purge("p", "alice", ["bob"], doors=("found",))
    cases.judge("an open door closed", closed.walk_in("eve", "found"), "alice bob", gone="eve")
    more = World(join="open").walk_in("bob", "found").purge("p", "alice", ["found"], doors=("found",))
    more.invite("i", "alice", ["p"]).join("bob", "i", "again")
    cases.judge("another door stands where one is cut", more, "alice bob", kept="bob, again")
    cases.judge("no right", World().bring("bob").purge("p", "bob", ["bob"], "alice"), "alice bob", kept="p")
    both = World(stewards=[KEYS["bob"].public]).bring("bob", "carol")
    both.purge("p", "alice", ["bob", "carol"], "bob").purge("q", "bob", ["bob", "carol"], "alice")
    cases.judge("two purge each other", both, "carol", kept="p, q")
    late = World(stewards=[KEYS["bob"].public]).bring("bob").purge("p", "alice", ["bob"], "bob")
    cases.judge("a purge by who was purged before", late.purge("q", "bob", ["p"], "alice"), "alice", gone="q")
    cases.judge("a founder who goes alone", World().purge("p", "alice", ["found"], "alice"), "", kept="found, p")


def _stewards(cases: Cases) -> None:
    council = [KEYS["bob"].public, KEYS["carol"].public]

    def two() -> World:
        return World(stewards=council, quorum=2).bring("bob", "carol", "eve")

    everyone = ["bob", "carol", "eve"]
    made = bodies.purge([KEYS["eve"].public])
    cases.judge("one of two", two().write("p", "alice", everyone, made), "alice bob carol eve", kept="p")
    agreed = two().approve("yes", "bob", everyone, made).write("p", "alice", ["yes"], made)
    cases.judge("two of two", agreed, "alice bob carol")
    beside = two().approve("yes", "bob", everyone, made).write("p", "alice", everyone, made)
    cases.judge("an approval that is not in its past", beside, "alice bob carol eve")
    other = (
        two().approve("yes", "bob", everyone, bodies.purge([KEYS["carol"].public])).write("p", "alice", ["yes"], made)
    )
    cases.judge("an approval of another act", other, "alice bob carol eve")
    own = (
        two()
        .device("d", "alice", "dave", everyone)
        .approve("yes", "dave", ["d"], made)
        .write("p", "alice", ["yes"], made)
    )
    cases.judge("two keys of one person", own, "alice bob carol dave eve")
    member = two().approve("yes", "eve", everyone, made).write("p", "alice", ["yes"], made)
    cases.judge("an approval by who is no steward", member, "alice bob carol eve")
    carried = two().approve("yes", "bob", everyone, made).approve("and", "carol", everyone, made)
    cases.judge("an act by who is no steward", carried.write("p", "eve", ["yes", "and"], made), "alice bob carol eve")
    device = World().device("d", "alice", "dave", ["found"]).bring("eve").purge("p", "dave", ["d", "eve"], "eve")
    cases.judge("a steward's device is a steward", device, "alice dave")
    named = World().bring("bob", "eve").write("s", "alice", ["bob"], bodies.name_stewards(add=council[:1]))
    cases.judge("a new steward", named.purge("p", "bob", ["s", "eve"], "eve"), "alice bob")
    unseen = World().bring("bob", "eve").write("s", "alice", ["bob"], bodies.name_stewards(add=council[:1]))
    cases.judge("a grant not in the act's past", unseen.purge("p", "bob", ["bob", "eve"], "eve"), "alice bob eve")
    ended = (
        World(stewards=council).bring("bob", "eve").write("s", "alice", ["bob"], bodies.name_stewards(end=council[:1]))
    )
    ended.write("t", "alice", ["bob"], bodies.name_stewards(add=council[:1]))
    cases.judge("an end and a grant at once", ended.purge("p", "bob", ["s", "t", "eve"], "eve"), "alice bob eve")
    ended.write("u", "alice", ["s", "t"], bodies.name_stewards(add=council[:1]))
    cases.judge("a grant that has seen the end", ended.purge("q", "bob", ["u", "eve"], "eve"), "alice bob")
    raised = World().bring("bob", "eve").write("s", "alice", ["bob"], bodies.name_stewards(add=council[:1], quorum=2))
    cases.judge("the quorum raised", raised.purge("p", "alice", ["s", "eve"], "eve"), "alice bob eve")
    cases.judge("and the old past still open", raised.purge("q", "alice", ["eve"], "eve"), "alice bob")
    gone = World().bring("bob").write("s", "alice", ["bob"], bodies.name_stewards(add=council[:1]))
    cases.judge("an act outlives its author", gone.purge("p", "bob", ["s"], "alice"), "bob", kept="s, p")


def _plane(cases: Cases) -> None:
    world = World().odd("x", "alice", ["found", "invented"]).odd("y", "alice", ["x"]).odd("z", "alice", ["found"])
    cases.judge("an invented predecessor waits", world, "alice", gone="x, y", waits="x, y")
    never = World().odd("x", "eve", ["found"]).odd("y", "alice", ["x"]).odd("z", "alice", ["y", "invented"])
    cases.judge("what can never be grounded does not wait", never, "alice", gone="x, y, z")
    late = World().odd("x", "alice", ["found"]).odd("y", "alice", ["x"])
    cases.judge(
        "a past that is not here",
        World().odd("x", "alice", ["found"]).odd("y", "alice", ["x"]).without("x"),
        "alice",
        waits="y",
    )
    cases.judge("a past that came", late, "alice", kept="x, y")
    bare = World().bring("bob")
    bare.named["invite bob"] = bare.named["invite bob"]._replace(salt=None, body=None)
    cases.judge("a past without its body", bare, "alice", waits="bob")
    ballots = World().odd("p", "alice", ["found"], "proposal.open").odd("b", "alice", ["p"], "ballot.cast")
    cases.judge("a ballot is no head and hides none", ballots, "alice", kept="p, b")
    other = World().write(
        "x", "alice", ["found"], bodies.invite(TOKEN.public, stamp_bits=0), commons=bytes_of("elsewhere")
    )
    cases.judge("a record of another commons", other.join("bob", "x"), "alice", waits="bob", gone="x")
    catalogue = World().write("x", "alice", ["found"], bodies.invite(TOKEN.public, stamp_bits=0), plane=1)
    cases.judge("a record of plane 1", catalogue.join("bob", "x"), "alice", waits="bob", gone="x")
    fork = World().write(
        "f",
        "eve",
        [],
        Made("commons.found", {"entropy": bytes(32), "recovery": bytes(32)}),
        commons=ZEROS,
        subject=ZEROS,
    )
    cases.judge("another founding record", fork, "alice", gone="f")


def _views(cases: Cases) -> None:
    entry = bytes_of("a record of plane 1")
    full = World(
        join="open", languages=["fr", "br"], territory="29019", licence="CC-BY-SA-4.0", announced=False,
        stewards=[KEYS["bob"].public], quorum=2, stamp_bits=3,
    )  # fmt: skip
    cases.judge("all that a founding record says", full, "alice")
    invited = World().write(
        "i", "alice", ["found"], bodies.invite(TOKEN.public, uses=3, expires_ms=NOW_MS, stamp_bits=0)
    )
    cases.judge("an invite used twice", invited.join("bob", "i").join("carol", "i"), "alice bob carol")
    unfit = World()
    body = {**unfit.named["found"].content(), "name": None, "languages": ["fr", 1], "announced": 1, "join": "maybe"}
    odd = World()
    odd.commons = ZEROS
    odd.write("found", "alice", [], Made("commons.found", body))
    cases.judge("what does not fit the view", odd, "alice")
    opening = World().bring("bob").write("o", "bob", ["bob"], bodies.open_joining(stamp_bits=0)).walk_in("eve", "o")
    cases.judge("an opening without the right", opening, "alice bob eve", kept="o, eve")
    erased = World().bring("bob", "carol").device("d", "bob", "dave", ["bob"])
    erased.write("e", "dave", ["d"], bodies.erase({entry: ["title", "period"], erased.named["carol"].id: []}))
    erased.write("f", "alice", ["d", "carol"], bodies.erase({bytes_of("another"): ["title.fr"]}))
    cases.judge("erased by their author, and by a steward", erased, "alice bob carol dave")
    stolen = (
        World(stewards=[KEYS["bob"].public]).bring("bob").write("e", "bob", ["bob"], bodies.erase({entry: ["title"]}))
    )
    removed = World(stewards=[KEYS["bob"].public]).bring("bob")
    removed.write(
        "x", "alice", ["bob"], removals.remove(KEYS["bob"].public, {(KEYS["bob"].public, 1): [entry]}, keep=False)
    )
    removed.write("e", "bob", ["bob"], bodies.erase({entry: ["title"]}))
    cases.judge("removed, with words up to a cut: erases their own alone", removed, "alice bob", kept="x, e")
    removed.write("k", "alice", ["x"], removals.keep([bytes_of("another"), removed.named["bob"].id]))
    removed.invite("j", "bob", ["bob"]).join("carol", "j")
    cases.judge("kept, and let in by who was removed", removed, "alice bob carol", kept="k, j, carol")
    parted = (
        World().bring("bob").bring("carol").write("x", "alice", ["bob"], removals.remove(KEYS["bob"].public, keep=True))
    )
    parted.write("l", "carol", ["carol"], removals.leave(KEYS["carol"].public))
    cases.judge("removed with all words, and left", parted, "alice bob carol", kept="x, l")
    entry, other = bytes_of("an entry"), bytes_of("another entry")
    hiding = World(stewards=[KEYS["carol"].public]).bring("bob", "carol")
    hiding.write("h", "alice", ["bob", "carol"], moderation.hide(entry, "spam"))
    hiding.write("h2", "carol", ["bob", "carol"], moderation.hide(other, "harm"))
    hiding.write("h3", "bob", ["bob", "carol"], moderation.hide(bytes_of("no right to it"), "harm"))
    cases.judge("entries that stewards hid", hiding, "alice bob carol", kept="h, h2, h3")
    hiding.write("s", "alice", ["h", "h2", "h3"], moderation.show(other, [hiding.named["h2"].id]))
    cases.judge("an entry that is shown again", hiding, "alice bob carol", kept="s")
    hiding.write("x", "carol", ["s"], removals.remove(KEYS["alice"].public, keep=True))
    hiding.write("h4", "alice", ["s"], moderation.hide(other, "other"))
    cases.judge("a hiding by who was removed meanwhile", hiding, "alice bob carol", kept="x, h4")
    cases.judge("an erasure falls with its author", stolen.purge("p", "alice", ["e"], "bob"), "alice", kept="e")


def _forged(value: Any) -> str:
    payload = encode(value)
    data = sha256(TAG_INVITATION + payload).digest()[:4] + payload
    return "p2pcommons:" + urlsafe_b64encode(data).decode().rstrip("=")


def _invitations(cases: Cases) -> None:
    node = did_key(NODE.public).removeprefix("did:key:")
    home, portal = f"{node}@192.0.2.4:7421", f"{node}@wss://portal.example/p2p"
    commons, invite = CommonsId(bytes_of("commons")), RecordId(bytes_of("invite"))
    whole = Invitation(commons, (parse_address(home), parse_address(portal)), invite, TOKEN.seed())
    says = {"commons": commons.hex(), "addresses": [home, portal], "invite": invite.hex(), "seed": TOKEN.seed().hex()}
    line = whole.line()
    cases.text("whole", "invitation", line, says)
    cases.text("broken by mail", "invitation", f"Come: «{line[:70]}\r\n> {line[70:]}»", says)
    cases.text("in a sentence", "invitation", f"Paste {line} and press enter", says)
    none = {"commons": commons.hex(), "addresses": [], "invite": None, "seed": None}
    cases.text("to an open commons", "invitation", Invitation(commons).line(), none)
    cases.text("nothing", "invitation", "", "bad_invitation")
    cases.text("another scheme", "invitation", line.replace("p2pcommons", "https"), "bad_invitation")
    cases.text("too long", "invitation", line + "A" * 20_000, "bad_invitation")
    cases.text("the end is missing", "invitation", line[:-9], "incomplete_invitation")
    cases.text(
        "a letter changed",
        "invitation",
        line[:40] + ("B" if line[40] == "A" else "A") + line[41:],
        "incomplete_invitation",
    )
    cases.text("base64 of the other alphabet", "invitation", line[:-1] + "+", "incomplete_invitation")
    cases.text("only the prefix", "invitation", "p2pcommons:", "incomplete_invitation")
    for name, value, code in (
        ("a newer version", [2, commons, [], b"", b""], "unknown_invitation"),
        ("no seed", [1, commons, [], invite, b""], "bad_invitation"),
        ("no invite", [1, commons, [], b"", invite], "bad_invitation"),
        ("a short commons", [1, commons[:31], [], b"", b""], "bad_invitation"),
        ("an address without its key", [1, commons, ["192.0.2.4:7421"], b"", b""], "bad_invitation"),
        ("nine addresses", [1, commons, [home] * 9, b"", b""], "bad_invitation"),
        ("an address that is none", [1, commons, [f"{node}@nowhere"], b"", b""], "bad_address"),
        ("a key that is none", [1, commons, ["z6Mk@192.0.2.4:7421"], b"", b""], "bad_key"),
        ("a map", {"commons": commons}, "bad_invitation"),
    ):
        cases.text(name, "invitation", _forged(value), code)


def _addresses(cases: Cases) -> None:
    node = did_key(NODE.public).removeprefix("did:key:")
    for text, form in (
        ("Example.ORG:7421", "example.org:7421"),
        (f"did:key:{node}@[2001:DB8:0::1]:7421", f"{node}@[2001:db8::1]:7421"),
        (f"{node}@WSS://Example.org:443", f"{node}@wss://example.org/"),
        ("wss://example.org:8443/a@b", "wss://example.org:8443/a@b"),
    ):
        cases.text(text, "address", text, {"text": form})
    for text in (
        "", "example.org", "example.org:0", "example.org:65536", "2001:db8::1:7421", "[2001:db8::1]", "[fe80::1%eth0]:1",
        "1.2.3:7421", "1.2.3.256:7421", "-a.example:1", "a..example:1", "bücher.example:1", "https://example.org/",
        "ws://example.org/", "wss://example.org/a#b", "wss://user@example.org/", "wss://example.org/a b",
    ):  # fmt: skip
        cases.text(text, "address", text, "bad_address")
    cases.text("z6Mkno@example.org:1", "address", "z6Mkno@example.org:1", "bad_key")
