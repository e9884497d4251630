"""The vectors of chapter 22: which bodies fit, and the minutes of assemblies.

What becomes of each proposal is written here by hand beside each history; the minutes' bytes come from the package.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from typing import Any

from vectors_charter import KEYS, World
from vectors_records import NOW_MS, bytes_of

from p2pcommons.commons import assembly_bodies as bodies
from p2pcommons.commons import charter_bodies as acts
from p2pcommons.commons import organisation_bodies as organisations
from p2pcommons.commons import removal_bodies as removals
from p2pcommons.commons.assembly import assemble
from p2pcommons.commons.assembly_bodies import read_assembly
from p2pcommons.commons.charter_bodies import Made
from p2pcommons.commons.discussion import COMMENT, discuss
from p2pcommons.commons.minutes import minutes, minutes_hash, minutes_value, people_value
from p2pcommons.commons.organisation_bodies import read_declaration
from p2pcommons.commons.removal_bodies import read_removal
from p2pcommons.commons.written import body_text, text_hash
from p2pcommons.core.encoding import encode, encode_body
from p2pcommons.core.record import Record, build, parse_header, record_id
from p2pcommons.errors import FormError

Case = dict[str, Any]
ABOUT = {
    "assembly": "commons, records ([{header, salt, body}]) -> the canonical minutes, their hash (ASSEMBLY-4 to ASSEMBLY-22, ASSEMBLY-27)",
    "assembly_fits": "kind, body (canonical bytes) -> whether the body fits its kind (ASSEMBLY-1 to ASSEMBLY-3, CHARTER-27, "
    "CHARTER-39)",
    "removal": "commons, records (as in assembly) -> members ([key, all keys] of each), stewards, the removals and "
    "leavings that count, the ids of records that are cut, all ascending (CHARTER-28 to CHARTER-37)",
    "organisation": "commons, records (as in assembly) -> the organisations, ascending: key, how many approve at least, and "
    "[id, the keys named, quorum] of each declaration in force (CHARTER-39 to CHARTER-41)",
    "text": "body (canonical bytes) of a text.write -> its hash, and the text, null where it does not fit (ASSEMBLY-24)",
    "discussion": "records of plane 1 about one proposal ([{header, salt, body}]), gone (ids that do not count, or that an "
    "erasure names) -> the comments shown, in order: [id, text, what it answers or null] (ASSEMBLY-25, ASSEMBLY-26)",
}
RULES = {
    "closing": {"closers": 3, "needed": 2},
    **{f"decide.{matter}": {"heads": 1, "percent": 0} for matter in ("text", "rule", "hide", "restore", "amend")},
}
FREE = {"rule": "licence", "params": {"expression": "CC0-1.0"}}
MIT = {"rule": "licence", "params": {"expression": "MIT"}}


def text_of(words: str) -> bytes:
    """The hash of a text."""
    return sha256(b"text " + words.encode()).digest()


class Hall(World):
    """alice, bob, carol and dave, and what they decide. `prev` are names of records."""

    def __init__(self, *people: str, rules: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        found = self.named["found"]
        body = {**found.content(), "rules": {**RULES, **(rules or {})}}
        self.named.clear()
        self.commons = bytes(32)
        self.write("found", "alice", [], Made("commons.found", body))
        self.people = ("alice", *people)
        self.bring(*people)
        self.latest = list(people) or ["found"]

    def propose(
        self, name: str, who: str, matter: str = "text", effect: Mapping[str, Any] | None = None,
        prev: list[str] | None = None, **changed: Any,
    ) -> Hall:  # fmt: skip
        if matter == "rule" and effect is not None:
            effect = {"version": self.commons, "text": text_of(name), **effect}
        if effect is not None and effect.get("version") == self.commons and effect["rule"] not in (*RULES, "join"):
            effect = {**effect, "version": bytes(32)}
        size = min(3, len(self.people))
        values: dict[str, Any] = {
            "mode": "qualified" if matter == "rule" else "majority", "quorum": 1, "k": size // 2 + 1,
            "threshold": (2, 3) if matter == "rule" else None, "text": text_of(name), "effect": effect,
            "closers": [KEYS[person].public for person in self.people[:size]], **changed,
        }  # fmt: skip
        self.write(name, who, self.latest if prev is None else prev, bodies.propose(matter, **values))
        return self

    def vote(self, name: str, who: str, on: str, choice: str | Mapping[str, int] = "for", **changed: Any) -> Hall:
        proposal = changed.pop("proposal", on)
        prev = changed.pop("prev", [on])
        values = {"text": text_of(on), "replaces": [], **changed}
        values["replaces"] = [self.named[one].id for one in values["replaces"]]
        made = bodies.cast(self.named[proposal].id, values["text"], choice, replaces=values["replaces"])
        self.write(name, who, prev, made)
        return self

    def everybody(self, on: str, choice: str = "for", **changed: Any) -> Hall:
        for person in self.people:
            self.vote(f"{person} on {on}", person, on, choice, **changed)
        return self

    def close(
        self, name: str, who: str, on: str, ballots: Iterable[str], counted: Iterable[str] | None = None,
        wording: str | None = None, prev: Iterable[str] = (),
    ) -> Hall:  # fmt: skip
        gathered = list(ballots)
        ids = [self.named[ballot].id for ballot in (gathered if counted is None else counted)]
        made = bodies.close(self.named[on].id, self.named[wording or on].id, ids)
        self.write(name, who, [wording or on, *prev, *gathered], made)
        return self

    def decide(self, on: str, choice: str = "for", prev: Iterable[str] = ()) -> Hall:
        """Everybody votes, and two close: `alice closes …`, `bob closes …`."""
        self.everybody(on, choice)
        ballots = [f"{person} on {on}" for person in self.people]
        for closer in self.people[:2]:
            self.close(f"{closer} closes {on}", closer, on, ballots, prev=prev)
        return self


def _records(given: Mapping[str, Any]) -> list[Record]:
    found = []
    for item in given["records"]:
        header, salt, body = (bytes.fromhex(item[part]) for part in ("header", "salt", "body"))
        found.append(Record(record_id(header), parse_header(header), header, salt, body))
    return found


def _assembly(given: Mapping[str, Any]) -> Any:
    found = minutes(assemble(_records(given), bytes.fromhex(given["commons"])))
    return {"minutes": encode(minutes_value(found)).hex(), "hash": minutes_hash(found).hex()}


def _fits(given: Mapping[str, Any]) -> Any:
    kind, body = given["kind"], bytes.fromhex(given["body"])
    return {"fits": any(read(kind, body) is not None for read in (read_assembly, read_removal, read_declaration))}


def _removal(given: Mapping[str, Any]) -> Any:
    value = people_value(assemble(_records(given), bytes.fromhex(given["commons"])))
    shown = {name: [one.hex() for one in value[name]] for name in ("counting", "cut", "stewards")}
    return {**shown, "members": [[key.hex(), [one.hex() for one in keys]] for key, keys in value["members"]]}


def _organisation(given: Mapping[str, Any]) -> Any:
    value = people_value(assemble(_records(given), bytes.fromhex(given["commons"]))).get("organisations", [])
    return [
        [key.hex(), needed, [[one.hex(), [each.hex() for each in people], quorum] for one, people, quorum in declared]]
        for key, needed, declared in value
    ]


def _text(given: Mapping[str, Any]) -> Any:
    body = bytes.fromhex(given["body"])
    return {"hash": text_hash(body).hex(), "text": body_text(body)}


def _discussion(given: Mapping[str, Any]) -> Any:
    gone = set(given["gone"])
    found = discuss(_records(given), lambda record: record.id.hex() not in gone)
    return [[one.id.hex(), one.text, None if one.on is None else one.on.hex()] for one in found]


OPERATIONS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "assembly": _assembly, "assembly_fits": _fits, "removal": _removal, "organisation": _organisation, "text": _text, "discussion": _discussion,
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

    def assembly(self, name: str, hall: Hall, licence: str = "", **states: str) -> None:
        """`states`: by proposal, its state, with its fault behind a colon; `licence`: what the rule says in the end."""
        records = [
            {"header": r.header_bytes.hex(), "salt": (r.salt or b"").hex(), "body": (r.body or b"").hex()}
            for r in hall.named.values()
        ]
        given = {"commons": hall.commons.hex(), "records": records}
        answered = answer("assembly", given)
        found = minutes(assemble(hall.named.values(), hall.commons))
        said = {one.id: one.state + (f":{one.fault}" if one.fault else "") for one in found.proposals}
        wanted = {hall.named[key].id: state for key, state in states.items()}
        if said != wanted:
            raise AssertionError(f"{name}: {sorted(said.values())}, not {sorted(wanted.values())}")
        if found.rules.params("licence")["expression"] != licence:
            raise AssertionError(f"{name}: the licence is {found.rules.params('licence')['expression']}")
        for order in (records[::-1], records * 2):
            if answer("assembly", {**given, "records": order}) != answered:
                raise AssertionError(f"{name}: the order of records changes something")
        self.cases.append({"name": name, "op": "assembly", "in": given, **answered})

    def removal(self, name: str, hall: Hall, members: str, counting: str = "", cut: str = "") -> None:
        """`members`: people whose keys are in; `counting`, `cut`: names of records."""
        records = [
            {"header": r.header_bytes.hex(), "salt": (r.salt or b"").hex(), "body": (r.body or b"").hex()}
            for r in hall.named.values()
        ]
        given = {"commons": hall.commons.hex(), "records": records}
        answered = answer("removal", given)
        out = answered["out"]
        keys = sorted(key for _, some in out["members"] for key in some)
        if keys != sorted(KEYS[person].public.hex() for person in members.split()):
            raise AssertionError(f"{name}: other members")
        for said, wanted in ((out["counting"], counting), (out["cut"], cut)):
            if said != sorted(hall.named[one].id.hex() for one in wanted.split(", ") if one):
                raise AssertionError(f"{name}: not {wanted}")
        for order in (records[::-1], records * 2):
            if answer("removal", {**given, "records": order}) != answered:
                raise AssertionError(f"{name}: the order of records changes something")
        self.cases.append({"name": name, "op": "removal", "in": given, **answered})

    def organisation(self, name: str, hall: Hall, **wanted: str) -> None:
        """`wanted`: by person, how many approve, and the names of the declarations in force."""
        records = [
            {"header": r.header_bytes.hex(), "salt": (r.salt or b"").hex(), "body": (r.body or b"").hex()}
            for r in hall.named.values()
        ]
        given = {"commons": hall.commons.hex(), "records": records}
        answered = answer("organisation", given)
        names = {record.id.hex(): one for one, record in hall.named.items()}
        persons = {KEYS[person].public.hex(): person for person in (*hall.people, "eve")}
        said = {
            persons[key]: " ".join([str(needed), *sorted(names[one] for one, _, _ in declared)])
            for key, needed, declared in answered["out"]
        }
        if said != wanted:
            raise AssertionError(f"{name}: {said}, not {wanted}")
        for order in (records[::-1], records * 2):
            if answer("organisation", {**given, "records": order}) != answered:
                raise AssertionError(f"{name}: the order of records changes something")
        self.cases.append({"name": name, "op": "organisation", "in": given, **answered})

    def text(self, name: str, text: str | None, body: Any) -> None:
        """`text`: what people read; None where the body does not fit."""
        given = {"body": encode_body(body).hex()}
        answered = answer("text", given)
        if answered["out"]["text"] != text:
            raise AssertionError(f"{name}: {answered}")
        self.cases.append({"name": name, "op": "text", "in": given, **answered})

    def discussion(
        self, name: str, records: Iterable[Record], shown: Iterable[Record], gone: Iterable[Record] = ()
    ) -> None:
        """`shown`: the comments, in order."""
        made = [
            {"header": r.header_bytes.hex(), "salt": (r.salt or b"").hex(), "body": (r.body or b"").hex()}
            for r in records
        ]
        given = {"records": made, "gone": sorted(r.id.hex() for r in gone)}
        answered = answer("discussion", given)
        if [one[0] for one in answered["out"]] != [one.id.hex() for one in shown]:
            raise AssertionError(f"{name}: {answered}")
        for order in (made[::-1], made * 2):
            if answer("discussion", {**given, "records": order}) != answered:
                raise AssertionError(f"{name}: the order of records changes something")
        self.cases.append({"name": name, "op": "discussion", "in": given, **answered})

    def fits(self, name: str, fits: bool, kind: str, body: Any) -> None:
        given = {"kind": kind, "body": encode_body(body).hex()}
        answered = answer("assembly_fits", given)
        if answered != {"out": {"fits": fits}}:
            raise AssertionError(f"{name}: {answered}")
        self.cases.append({"name": name, "op": "assembly_fits", "in": given, **answered})


def vectors() -> dict[str, Any]:
    """The whole file."""
    cases = Cases()
    for part in (
        _bodies,
        _effects,
        _orders,
        _votes,
        _wordings,
        _closings,
        _topics,
        _removal_bodies,
        _removals,
        _rounds,
        _seating,
        _organisations,
        _texts,
        _discussions,
    ):
        part(cases)
    names = [(case["op"], case["name"]) for case in cases.cases]
    if len(set(names)) != len(names):
        raise AssertionError("names twice")
    return {"chapter": "22 Assembly", "about": ABOUT, "cases": cases.cases}


def _bodies(cases: Cases) -> None:
    key = bytes_of("a key")
    fitting: dict[str, dict[str, Any]] = {
        bodies.PROPOSE: {
            "closers": [key], "closes": 2, "effect": {}, "k": 1, "matter": "text", "mode": "majority", "opens": 1,
            "quorum": 1, "text": key,
        },
        bodies.AMEND: {"effect": {}, "proposal": key, "text": key},
        bodies.ANSWER: {"amendment": key, "take": True},
        bodies.CAST: {"choice": "for", "proposal": key, "replaces": [key], "text": key},
        bodies.CLOSE: {"count": 1, "excluded": [[key, "late"]], "proposal": key, "root": key, "wording": key},
    }  # fmt: skip
    for kind, body in fitting.items():
        cases.fits(kind, True, kind, body)
        cases.fits(f"{kind} with what nobody knows", True, kind, {**body, "colour": None})
        for name in body:
            less = {other: value for other, value in body.items() if other != name}
            cases.fits(f"{kind} without {name}", False, kind, less)
            cases.fits(f"{kind} with nil as {name}", False, kind, {**body, name: None})
    cases.fits("a sheet", True, bodies.SHEET, {})
    opened, cast, closing = fitting[bodies.PROPOSE], fitting[bodies.CAST], fitting[bodies.CLOSE]
    two = [key, bytes_of("another")]
    for name, fits, kind, body in (
        ("two of two close", True, bodies.PROPOSE, {**opened, "closers": two, "k": 2}),
        ("one of two closes", False, bodies.PROPOSE, {**opened, "closers": two, "k": 1}),
        ("two of one close", False, bodies.PROPOSE, {**opened, "k": 2}),
        ("one closer twice", True, bodies.PROPOSE, {**opened, "closers": [key, key], "k": 1}),
        ("nobody closes", False, bodies.PROPOSE, {**opened, "closers": [], "k": 0}),
        ("32 closers", False, bodies.PROPOSE, {**opened, "closers": [key] * 32}),
        ("closes before it opens", False, bodies.PROPOSE, {**opened, "opens": 3}),
        ("another matter", False, bodies.PROPOSE, {**opened, "matter": "weather"}),
        ("another mode", False, bodies.PROPOSE, {**opened, "mode": "lot"}),
        ("a threshold nobody needs", False, bodies.PROPOSE, {**opened, "threshold": [2, 3]}),
        ("two thirds", True, bodies.PROPOSE, {**opened, "mode": "qualified", "threshold": [2, 3]}),
        ("a half", False, bodies.PROPOSE, {**opened, "mode": "qualified", "threshold": [1, 2]}),
        ("grades", True, bodies.PROPOSE, {**opened, "mode": "judgment", "options": ["a", "b"], "grades": 5}),
        ("options without grades", False, bodies.PROPOSE, {**opened, "mode": "judgment", "options": ["a"]}),
        ("an amendment made its own", True, bodies.PROPOSE, {**opened, "amendment": key}),
        ("an amendment that is no id", False, bodies.PROPOSE, {**opened, "amendment": key[:31]}),
        ("take is a number", False, bodies.ANSWER, {"amendment": key, "take": 1}),
        ("a grade for each", True, bodies.CAST, {**cast, "choice": {"a": 0, "b": 4}}),
        ("a grade below zero", False, bodies.CAST, {**cast, "choice": {"a": -1}}),
        ("true as a grade", False, bodies.CAST, {**cast, "choice": {"a": True}}),
        ("no grade", False, bodies.CAST, {**cast, "choice": {}}),
        ("an empty word", False, bodies.CAST, {**cast, "choice": ""}),
        ("replaces 33", False, bodies.CAST, {**cast, "replaces": [key] * 33}),
        ("a count below zero", False, bodies.CLOSE, {**closing, "count": -1}),
        ("excluded for another reason", False, bodies.CLOSE, {**closing, "excluded": [[key, "ugly"]]}),
        ("excluded without a reason", False, bodies.CLOSE, {**closing, "excluded": [[key]]}),
        ("513 excluded", False, bodies.CLOSE, {**closing, "excluded": [[key, "late"]] * 513}),
        ("another kind", False, "proposal.dream", opened),
    ):
        cases.fits(name, fits, kind, body)


def _effects(cases: Cases) -> None:
    key = bytes_of("a key")
    opened = {
        "closers": [key], "closes": 2, "k": 1, "mode": "majority", "opens": 1, "quorum": 1, "text": key,
    }  # fmt: skip
    rule = {"params": {}, "rule": "licence", "text": key, "version": key}
    for matter, name, effect in (
        ("rule", "rule", rule), ("admit", "person", {"person": key}), ("remove", "person", {"person": key}),
        ("hide", "entry", {"entry": key}), ("restore", "entry", {"entry": key}), ("steward", "keys", {"keys": [key]}),
        ("amend", "amendment", {"amendment": key}), ("assess", "criterion", {"criterion": "open"}),
    ):  # fmt: skip
        cases.fits(f"{matter}: its effect", True, bodies.PROPOSE, {**opened, "matter": matter, "effect": effect})
        cases.fits(f"{matter}: no effect", False, bodies.PROPOSE, {**opened, "matter": matter, "effect": {}})
        wrong = {**effect, name: [key[:31]] if name == "keys" else key[:31]}
        cases.fits(f"{matter}: another {name}", False, bodies.PROPOSE, {**opened, "matter": matter, "effect": wrong})
    for part in ("params", "text", "version"):
        effect = {**rule, part: None}
        cases.fits(f"rule: nil as {part}", False, bodies.PROPOSE, {**opened, "matter": "rule", "effect": effect})


def _hall(**rules: Any) -> Hall:
    return Hall("bob", "carol", "dave", rules=rules)


def _orders(cases: Cases) -> None:
    cases.assembly("nothing proposed", _hall())
    cases.assembly("a proposal", _hall().propose("p", "bob"), p="open")
    stranger = _hall().propose("p", "eve")
    cases.assembly("by a stranger: not even in the set", stranger)
    early = _hall().propose("p", "bob", prev=["bob"])
    cases.assembly("closers who had not joined in its past", early, p="disorder:closers")
    two = [KEYS["alice"].public, KEYS["bob"].public]
    early = _hall().propose("p", "bob", prev=["bob"], closers=two, k=2)
    cases.assembly("on a past in which two had joined", early, p="open")
    for name, changed, fault in (
        ("one closer of three", {"closers": [KEYS["alice"].public], "k": 1}, "closers"),
        ("all three must agree", {"k": 3}, "closers"),
        ("a stranger closes", {"closers": [KEYS[who].public for who in ("alice", "bob", "eve")]}, "closers"),
        ("another mode", {"mode": "consent"}, "method"),
        ("a smaller quorum", {"quorum": 0}, "quorum"),
    ):
        cases.assembly(name, _hall().propose("p", "bob", **changed), p=f"disorder:{fault}")
    odd = {"rule": "licence", "params": {"expression": 7}}
    cases.assembly("parameters that do not fit", _hall().propose("p", "bob", "rule", odd), p="disorder:params")
    other = {**FREE, "version": bytes_of("another version")}
    cases.assembly("another version", _hall().propose("p", "bob", "rule", other), p="disorder:version")
    own = _hall(stewards={"by": "stewards"}).propose("p", "bob", "steward", {"keys": []}, quorum=3)
    none = {"amendment": bytes_of("no amendment")}
    cases.assembly("no such amendment", _hall().propose("p", "bob", "amend", none), p="disorder:no_amendment")
    cases.assembly("stewards are not voted on", own, p="disorder:not_by_vote")
    gone = {"keys": [KEYS["bob"].public], "succession": True}
    early = _hall(stewards={"by": "stewards"}).propose("p", "bob", "steward", gone)
    cases.assembly("stewards who are not silent", early, p="disorder:not_silent")
    later = _hall(stewards={"by": "stewards"})
    year = (NOW_MS + 367 * 24 * 3600 * 1000) << 16
    for name in ("bob", "carol"):
        later.write(f"{name} goes on", name, later.latest, Made("weather.report", {}), time=year)
    later.latest = ["bob goes on", "carol goes on"]
    cases.assembly(
        "stewards who are, and a quorum of those who are not",
        later.propose("p", "bob", "steward", gone, quorum=2),
        p="open",
    )
    few = later.propose("q", "bob", "steward", gone, quorum=1)
    cases.assembly("and a smaller quorum", few, p="open", q="disorder:quorum")


def _votes(cases: Cases) -> None:
    cases.assembly("everybody is for it", _hall().propose("p", "bob").decide("p"), p="passed")
    cases.assembly("nobody is", _hall().propose("p", "bob").decide("p", "against"), p="failed")
    cases.assembly("a word that is no choice", _hall().propose("p", "bob").decide("p", "perhaps"), p="failed")
    cases.assembly(
        "nobody votes", _hall().propose("p", "bob").close("a", "alice", "p", []).close("b", "bob", "p", []), p="failed"
    )
    twice = _hall().propose("p", "bob").vote("one", "carol", "p").vote("two", "carol", "p", "against")
    twice.close("a", "alice", "p", ["one", "two"], []).close("b", "bob", "p", ["one", "two"], [])
    cases.assembly("two different ballots of one person", twice, p="failed")
    again = _hall().propose("p", "bob").vote("one", "carol", "p", "against").vote("two", "carol", "p", replaces=["one"])
    again.close("a", "alice", "p", ["one", "two"], ["two"]).close("b", "bob", "p", ["two"], ["two"])
    cases.assembly("a ballot replaced, gathered or not", again, p="passed")
    same = _hall().propose("p", "bob").vote("one", "carol", "p").vote("two", "carol", "p")
    first = min(("one", "two"), key=lambda name: same.named[name].id)
    same.close("a", "alice", "p", ["one", "two"], [first]).close("b", "bob", "p", ["one", "two"], [first])
    cases.assembly("the same said twice", same, p="passed")
    other = _hall().propose("p", "bob").vote("one", "carol", "p", text=text_of("another"))
    other.close("a", "alice", "p", ["one"], []).close("b", "bob", "p", ["one"], [])
    cases.assembly("a ballot on words that were not proposed", other, p="failed")
    late = _hall().propose("p", "bob").decide("p", "against").vote("late", "dave", "p")
    cases.assembly("a ballot nobody gathered", late, p="failed")
    after = _hall().propose("p", "bob").bring("eve").vote("eve's", "eve", "p", prev=["p", "eve"])
    after.close("a", "alice", "p", ["eve's"], []).close("b", "bob", "p", ["eve's"], [])
    cases.assembly("who came later does not vote", after, p="failed")
    device = _hall().propose("p", "bob").device("d", "carol", "eve", ["p"]).vote("eve's", "eve", "p", prev=["p", "d"])
    device.close("a", "alice", "p", ["eve's"], prev=["d"]).close("b", "bob", "p", ["eve's"], prev=["d"])
    cases.assembly("a new device votes", device, p="passed")
    stolen = _hall().propose("p", "bob").rotate("eve", "carol", ["p"])
    stolen.vote("eve's", "eve", "p", prev=["p", "carol to eve"]).vote("carol's", "carol", "p", "against")
    stolen.close("a", "alice", "p", ["eve's", "carol's"], []).close("b", "bob", "p", ["eve's", "carol's"], [])
    cases.assembly("a thief and an owner are one person", stolen, p="failed")
    purged = _hall().propose("p", "bob").decide("p")
    cases.assembly(
        "who voted is purged", purged.purge("gone", "alice", ["alice closes p"], "dave") and purged, p="passed"
    )
    graded = _hall(**{"decide.text": {"mode": "judgment", "heads": 1, "percent": 0}})
    graded.propose("p", "bob", mode="judgment", options=["red", "blue"], grades=3)
    graded.vote("one", "carol", "p", {"red": 2, "blue": 1}).vote("two", "dave", "p", {"blue": 1})
    graded.close("a", "alice", "p", ["one", "two"]).close("b", "bob", "p", ["one", "two"])
    cases.assembly("grades", graded, p="passed")


def _wordings(cases: Cases) -> None:
    def amended(who: str = "bob") -> Hall:
        hall = _hall().propose("p", "bob").vote("early", "carol", "p")
        hall.write("q", who, ["p"], bodies.amend(hall.named["p"].id, text=text_of("q")))
        return hall

    lapsed = amended().vote("new", "dave", "q", "against", proposal="p")
    lapsed.close("a", "alice", "p", ["early", "new"], ["new"], wording="q")
    cases.assembly(
        "ballots lapse when the text changes", lapsed.close("b", "bob", "p", ["new"], wording="q"), p="failed"
    )
    unaware = amended().close("a", "alice", "p", ["early"]).close("b", "bob", "p", ["early"])
    cases.assembly("closed by who had not seen the new text", unaware, p="passed")
    aware = amended().close("a", "alice", "p", ["early"], prev=["q"]).close("b", "bob", "p", ["early"], prev=["q"])
    cases.assembly("closed on a text that was replaced", aware, p="open")
    cases.assembly("somebody else's words are offered", amended("carol"), p="open")
    taken = amended("carol")
    taken.write("t", "bob", ["q"], bodies.answer(taken.named["q"].id, take=True))
    taken.vote("new", "dave", "t", text=text_of("q"), proposal="p")
    taken.close("a", "alice", "p", ["new"], wording="t").close("b", "bob", "p", ["new"], wording="t")
    cases.assembly("offered words taken", taken, p="passed")
    refused = amended("carol")
    refused.write("no", "bob", ["q"], bodies.answer(refused.named["q"].id, take=False))
    cases.assembly("offered words refused", refused, p="open")
    foreign = amended("carol")
    foreign.write("t", "dave", ["q"], bodies.answer(foreign.named["q"].id, take=True))
    cases.assembly("taken by who has no right", foreign, p="open")
    own = amended("carol")
    own.propose("r", "carol", prev=["q"], amendment=own.named["q"].id)
    cases.assembly("offered words made a proposal", own, p="open", r="open")
    voted = amended("carol")
    voted.propose("v", "carol", "amend", {"amendment": voted.named["q"].id}, prev=["q"]).decide("v")
    voted.write("t", "dave", ["alice closes v", "bob closes v"], bodies.answer(voted.named["q"].id, take=True))
    cases.assembly("taken by the assembly", voted, p="open", v="passed")
    split = amended()
    split.write("s", "bob", ["p"], bodies.amend(split.named["p"].id, text=text_of("s")))
    cases.assembly("two texts at a time", split, p="split")
    split.write("j", "bob", ["q", "s"], bodies.amend(split.named["p"].id, text=text_of("j")))
    cases.assembly("and one that joins them", split, p="open")


def _closings(cases: Cases) -> None:
    def voted() -> Hall:
        return _hall().propose("p", "bob").everybody("p")

    ballots = [f"{person} on p" for person in ("alice", "bob", "carol", "dave")]
    cases.assembly("one closer of two", voted().close("a", "alice", "p", ballots), p="open")
    cases.assembly(
        "one closer twice", voted().close("a", "alice", "p", ballots).close("b", "alice", "p", ballots), p="open"
    )
    differ = voted().close("a", "alice", "p", ballots).close("b", "bob", "p", ballots[1:])
    cases.assembly("two that counted differently", differ, p="open")
    cases.assembly("and a third", differ.close("c", "carol", "p", ballots), p="passed")
    double = (
        voted().close("a", "alice", "p", ballots).close("b", "bob", "p", ballots).close("x", "bob", "p", ballots[1:])
    )
    cases.assembly("a closer who closes in two ways", double, p="open")
    cases.assembly("does not undo what others closed", double.close("c", "carol", "p", ballots), p="passed")
    lie = voted().close("a", "alice", "p", ballots[:2], ballots).close("b", "bob", "p", ballots[:2], ballots)
    cases.assembly("counted what was not gathered", lie, p="open")
    member = voted().close("a", "alice", "p", ballots).close("d", "dave", "p", ballots)
    cases.assembly("a member who is no closer", member, p="open")
    many = Hall("bob", "carol", "dave").propose("p", "bob").everybody("p")
    many.write("sheet", "alice", ballots[:2], bodies.sheet())
    many.write("sheets", "alice", ["sheet", ballots[2]], bodies.sheet())
    for closer in ("alice", "bob"):
        ids = [many.named[ballot].id for ballot in ballots]
        made = bodies.close(many.named["p"].id, many.named["p"].id, ids)
        many.write(f"{closer} closes", closer, ["p", "sheets", ballots[3]], made)
    cases.assembly("gathered on sheets", many, p="passed")


def _topics(cases: Cases) -> None:
    changed = _hall().propose("p", "bob", "rule", FREE).decide("p")
    cases.assembly("a rule changed", changed, "CC0-1.0", p="passed")
    both = ["alice closes p", "bob closes p"]
    next_one = {**MIT, "version": changed.named["p"].id}
    changed.propose("q", "carol", "rule", next_one, prev=both).decide("q", prev=both)
    cases.assembly("and changed again", changed, "MIT", p="passed", q="passed")
    rivals = _hall().propose("p", "bob", "rule", FREE).propose("q", "carol", "rule", MIT).decide("p").decide("q")
    cases.assembly("two amendments of one version", rivals, p="reopened", q="reopened")
    ends = [*both, "alice closes q", "bob closes q"]
    rivals.propose("r", "dave", "rule", FREE, prev=ends).decide("r", prev=ends)
    cases.assembly("and a third that has seen both", rivals, "CC0-1.0", p="passed", q="passed", r="passed")
    seen = (
        _hall().propose("p", "bob", "rule", FREE).propose("q", "carol", "rule", MIT).decide("p").decide("q", prev=both)
    )
    cases.assembly("the second was closed by who had seen the first", seen, "MIT", p="passed", q="passed")
    old = _hall().propose("p", "alice", "rule", FREE, prev=["found"], closers=[KEYS["alice"].public], k=1)
    old.vote("own", "alice", "p").close("a", "alice", "p", ["own"])
    cases.assembly("a founder alone, on an old past, while nothing else was written", old, "CC0-1.0", p="passed")
    old.propose("q", "bob")
    cases.assembly("and while others met", old, p="outgrown", q="open")
    entry = {"entry": bytes_of("an entry")}
    hidden = _hall(hide={"by": "vote"}).propose("p", "bob", "hide", entry).propose("q", "bob", "restore", entry)
    cases.assembly("hidden and shown at a time", hidden.decide("p").decide("q"), p="reopened", q="reopened")


def _removal_bodies(cases: Cases) -> None:
    key = bytes_of("a key")
    fitting: dict[str, dict[str, Any]] = {
        removals.LEAVE: {"person": key},
        removals.REMOVE: {"heads": [[key, 1, [key]]], "keep": True, "person": key},
        removals.KEEP: {"ids": [key]},
    }
    for kind, body in fitting.items():
        cases.fits(kind, True, kind, body)
        for name in body:
            cases.fits(f"{kind} without {name}", False, kind, {k: v for k, v in body.items() if k != name})
            cases.fits(f"{kind} with nil as {name}", False, kind, {**body, name: None})
    removed = fitting[removals.REMOVE]
    for name, heads in (
        ("heads of no plane", [[key, [key]]]), ("heads of plane 128", [[key, 128, []]]), ("33 heads", [[key, 1, [key] * 33]]),
        ("heads of 257 keys", [[key, 1, []]] * 257), ("a head that is no id", [[key, 1, [key[:31]]]]),
    ):  # fmt: skip
        cases.fits(name, False, removals.REMOVE, {**removed, "heads": heads})
    cases.fits("513 kept", False, removals.KEEP, {"ids": [key] * 513})


def _removals(cases: Cases) -> None:
    council = [KEYS["bob"].public, KEYS["carol"].public]

    def hall(*stewards: str) -> Hall:
        made = _hall()
        if stewards:
            named = acts.name_stewards(add=[KEYS[who].public for who in stewards])
            made.write("council", "alice", made.latest, named)
            made.latest = ["council"]
        return made

    def removed(made: Hall, name: str, by: str, who: str, prev: list[str] | None = None) -> Hall:
        record = removals.remove(KEYS[who].public, keep=False)
        made.write(name, by, made.latest if prev is None else prev, record)
        return made

    everybody = "alice bob carol dave"
    cases.removal("nobody is removed", hall(), everybody)
    cases.removal("a steward removes a member", removed(hall(), "r", "alice", "bob"), "alice carol dave", "r")
    cases.removal("a member removes nobody", removed(hall(), "r", "carol", "bob"), everybody)
    agreed = _hall().write("two", "alice", ["bob", "carol", "dave"], acts.name_stewards(add=council[:1], quorum=2))
    agreed.latest = ["two"]
    alone = removed(agreed, "r", "alice", "dave")
    cases.removal("one steward of two", alone, everybody)
    yes = acts.approve(alone.commons, removals.remove(KEYS["dave"].public, keep=False))
    alone.write("yes", "bob", ["two"], yes)
    cases.removal("two of two", removed(alone, "s", "alice", "dave", ["yes"]), "alice bob carol", "s")
    both = removed(removed(hall("bob"), "r", "alice", "bob"), "s", "bob", "alice")
    cases.removal("two remove each other", both, "carol dave", "r, s", "r, s")
    row = removed(removed(hall("bob", "carol"), "r", "alice", "bob"), "s", "bob", "carol")
    cases.removal("three in a row", removed(row, "t", "carol", "dave"), "alice carol", "r, t", "s")
    friend = removed(hall("bob"), "r", "alice", "bob")
    friend.write("made", "bob", friend.latest, acts.name_stewards(add=council[1:]))
    cases.removal(
        "a friend made steward meanwhile",
        removed(friend, "s", "carol", "dave", ["made"]),
        "alice carol dave",
        "r",
        "made",
    )
    late = removed(hall(), "r", "alice", "bob").invite("i", "bob", ["bob", "carol", "dave"]).join("eve", "i")
    cases.removal("let in meanwhile", late, "alice carol dave", "r", "i, eve")
    before = hall().invite("i", "bob", ["bob", "carol", "dave"]).join("eve", "i")
    cases.removal("let in before", removed(before, "r", "alice", "bob", ["eve"]), "alice carol dave eve", "r")
    stolen = removed(hall().rotate("eve", "bob", ["bob"]), "r", "alice", "bob")
    cases.removal("all keys of a person", stolen, "alice carol dave", "r", "bob to eve")
    gone = hall().write("l", "bob", ["bob", "carol", "dave"], removals.leave(KEYS["bob"].public))
    cases.removal("one leaves", gone, "alice carol dave", "l")
    cases.removal("and comes back", gone.invite("i", "alice", ["l"]).join("bob", "i", "again"), everybody, "")
    again = removed(hall(), "r", "alice", "bob").invite("i", "carol", ["r"]).join("bob", "i", "again")
    cases.removal("a removed key does not", again, "alice carol dave", "r", "again")
    pushed = hall().write("l", "bob", ["bob", "carol", "dave"], removals.leave(KEYS["carol"].public))
    cases.removal("nobody leaves for another", pushed, everybody)
    kept = removed(hall(), "r", "alice", "bob").propose("p", "bob")
    cases.removal("what was not seen is cut", kept, "alice carol dave", "r", "p")
    kept.write("k", "alice", ["r", "p"], removals.keep([kept.named["p"].id]))
    cases.removal("and kept", kept, "alice carol dave", "r")
    last = Hall("bob")
    last.write("council", "alice", ["bob"], acts.name_stewards(add=council[:1]))
    last.latest = ["council"]
    cases.removal("nobody would be left", removed(removed(last, "r", "alice", "bob"), "s", "bob", "alice"), "alice bob")


def _rounds(cases: Cases) -> None:
    hall = _hall().propose("p", "bob")
    closers = hall.people[:3]
    for who in closers:
        hall.vote(f"{who} votes", who, "p")
        hall.close(f"{who} closes", who, "p", [f"{who} votes"])
        if who == "bob":
            cases.assembly("two close apart: a third may still agree", hall, p="open")
    cases.assembly("three close apart: the round is stuck", hall, p="open")
    votes, seen = [f"{who} votes" for who in closers], [f"{who} closes" for who in closers]
    hall.close("alice once more", "alice", "p", votes, prev=seen)
    cases.assembly("one closes once more", hall, p="open")
    hall.close("bob once more", "bob", "p", votes, prev=seen)
    cases.assembly("two do: it stands", hall, p="passed")
    hall.close("bob otherwise", "bob", "p", votes[:1])
    cases.assembly("who is double in the first round is not in the second", hall, p="passed")
    hall.close("bob twice", "bob", "p", votes[:2], prev=seen)
    cases.assembly("and double in the second undoes it", hall, p="open")


def _seating(cases: Cases) -> None:
    by_stewards = Hall("bob", rules={"invite": {"by": "stewards"}}).invite("i", "bob", ["bob"]).join("eve", "i")
    cases.removal("invited by who may not", by_stewards, "alice bob", cut="eve")
    hall = _hall().invite("i", "bob", ["bob", "carol", "dave"]).join("eve", "i")
    hall.propose("v", "alice", "rule", {"rule": "join", "params": {"policy": "vote"}}, prev=["eve", "bob", "carol", "dave"],
                 quorum=1).decide("v")  # fmt: skip
    cases.removal("who was in when members began to vote on it", hall, "alice bob carol dave eve")
    hall = _hall().invite("i", "bob", ["bob", "carol", "dave"]).propose("v", "alice", "rule", {
        "rule": "join", "params": {"policy": "vote"}}).decide("v").join("eve", "i")  # fmt: skip
    cases.removal("by an invite from before", hall, "alice bob carol dave", cut="eve")
    done = ["alice closes v", "bob closes v"]
    hall.propose("a", "carol", "admit", {"person": KEYS["eve"].public}, prev=done, quorum=3).decide("a")
    cases.removal("voted in: not by that door", hall, "alice bob carol dave", cut="eve")
    hall.invite("j", "dave", ["alice closes a", "bob closes a"]).join("eve", "j", "again")
    cases.removal("but by another", hall, "alice bob carol dave eve")


def _organisations(cases: Cases) -> None:
    key = bytes_of("a key")
    for name, fits, body in (
        ("an organisation", True, {"people": [key], "quorum": 1}),
        ("without people", False, {"quorum": 1}),
        ("without a quorum", False, {"people": [key]}),
        ("of nobody", False, {"people": [], "quorum": 1}),
        ("of 25", False, {"people": [bytes_of(str(at)) for at in range(25)], "quorum": 1}),
        ("of who is no key", False, {"people": [key[:31]], "quorum": 1}),
        ("a quorum of none", False, {"people": [key], "quorum": 0}),
        ("more than there are", False, {"people": [key, key], "quorum": 2}),
        ("a quorum of true", False, {"people": [key], "quorum": True}),
    ):
        cases.fits(f"organisation: {name}", fits, organisations.DECLARE, body)

    def named(*people: str, quorum: int = 2) -> Made:
        return organisations.declare([KEYS[who].public for who in people], quorum)

    def hall(*people: str, **rules: Any) -> Hall:
        """dave is an organisation of alice, bob and carol, by two of them."""
        made = _hall(**rules)
        made.write("o", "dave", made.latest, named(*(people or ("alice", "bob", "carol"))))
        made.latest = ["o"]
        return made

    def voted(by: str, people: str = "alice bob carol") -> Hall:
        made = hall(*people.split()).propose("p", "bob")
        choice = bodies.cast(made.named["p"].id, text_of("p"), "for")
        names = by.split()
        for who in names:
            made.write(f"{who}'s yes", who, ["p"], organisations.approve_for(made.commons, KEYS["dave"].public, choice))
        made.write("dave's", "dave", ["p", *(f"{who}'s yes" for who in names)], choice)
        counted = ["dave's"] if len(set(names) & {"alice", "bob", "carol"}) >= 2 else []
        yes = [f"{who}'s yes" for who in names]
        for closer in ("alice", "bob"):
            made.close(f"{closer} closes", closer, "p", ["dave's"], counted, prev=yes)
        return made

    cases.organisation("nobody is one", _hall())
    cases.organisation("a member is", hall(), dave="2 o")
    cases.organisation("the rule asks for more", hall(organisations={"needed": 3}), dave="3 o")
    cases.assembly("an organisation votes, by nobody", voted(""), p="failed")
    cases.assembly("by one", voted("carol"), p="failed")
    cases.assembly("by two", voted("alice carol"), p="passed")
    two = hall().propose("p", "dave")
    act = Made(bodies.PROPOSE, two.named["p"].content())
    cases.assembly("an organisation proposes, by nobody", two, p="disorder:unapproved")
    for who in ("alice", "bob"):
        two.write(f"{who}'s yes", who, ["o"], organisations.approve_for(two.commons, KEYS["dave"].public, act))
    two.write("q", "dave", ["alice's yes", "bob's yes"], act)
    cases.assembly("an organisation proposes, by two", two, p="disorder:unapproved", q="open")
    left = hall().write("l", "dave", ["o"], removals.leave(KEYS["dave"].public))
    cases.removal("an organisation leaves, by nobody", left, "alice bob carol dave")
    changed = hall().write("n", "dave", ["o"], named("alice", "eve"))
    cases.organisation("other people, by nobody", changed, dave="2 o")
    for who in ("alice", "bob"):
        changed.write(
            f"{who}'s yes",
            who,
            ["n"],
            organisations.approve_for(changed.commons, KEYS["dave"].public, named("alice", "carol")),
        )
    changed.write("m", "dave", ["alice's yes", "bob's yes"], named("alice", "carol"))
    cases.organisation("other people, by those before", changed, dave="2 m")
    apart = hall().write("n", "dave", ["bob", "carol", "dave"], named("bob", "carol"))
    cases.organisation("two declarations apart", apart, dave="2 n o")
    stranger = _hall().write("o", "eve", ["bob"], named("bob", "carol"))
    cases.organisation("a stranger is none", stranger)
    each = hall("alice", "carol", "dave").write("n", "carol", ["o"], named("dave", "bob"))
    for who, other in (("carol", "dave"), ("dave", "carol")):
        act = Made(bodies.PROPOSE, _hall().propose("p", who).named["p"].content())
        each.write(f"{other} for {who}", other, ["n"], organisations.approve_for(each.commons, KEYS[who].public, act))
        each.write(f"alice for {who}", "alice", ["n"], organisations.approve_for(each.commons, KEYS[who].public, act))
        each.write(f"p of {who}", who, [f"{other} for {who}", f"alice for {who}"], act)
    cases.assembly(
        "organisations that name each other and themselves",
        each,
        **{"p of carol": "disorder:unapproved", "p of dave": "disorder:unapproved"},
    )


def _texts(cases: Cases) -> None:
    salt = bytes(range(16))
    for name, text in (
        ("a text", "A bench by the well"),
        ("another language", "Un banc près du puits 🪑"),
        ("one code point", "x"),
    ):
        cases.text(name, text, {"salt": salt, "text": text})
    cases.text("another salt", "x", {"salt": bytes(16), "text": "x"})
    cases.text("what is not listed", "x", {"by": 1, "salt": salt, "text": "x"})
    cases.text("12,000 code points", "𝔞" * 12_000, {"salt": salt, "text": "𝔞" * 12_000})
    for name, body in (
        ("blank", {"salt": salt, "text": " \n\u2003"}), ("empty", {"salt": salt, "text": ""}), ("no text", {"salt": salt}),
        ("no salt", {"text": "x"}), ("a short salt", {"salt": salt[:15], "text": "x"}),
        ("bytes", {"salt": salt, "text": b"x"}), ("12,001 code points", {"salt": salt, "text": "x" * 12_001}),
    ):  # fmt: skip
        cases.text(name, None, body)
    ballot = bodies.cast(bytes(32), bytes(32), "object", reason=text_of("why")).body
    cases.fits("a ballot with a reason", True, bodies.CAST, ballot)
    cases.fits("a reason that is no hash", True, bodies.CAST, {**ballot, "reason": "why"})


def _discussions(cases: Cases) -> None:
    about = bytes_of("a proposal")

    def said(who: str, minute: int, body: Any, prev: Iterable[Record] = (), kind: str = COMMENT) -> Record:
        return build(
            commons=bytes_of("a commons"), plane=1, author=KEYS[who].public, after=bytes(32),
            time=(NOW_MS + minute * 60_000) << 16, subject=about, prev=sorted(one.id for one in prev), kind=kind,
            body=encode_body(body), salt=bytes(16),
        )  # fmt: skip

    first = said("alice", 0, {"text": "And the well?"})
    second = said("bob", 5, {"on": first.id, "text": "It stays."}, [first])
    cases.discussion("a comment and its answer", [first, second], [first, second])
    early = said("bob", -9, {"on": first.id, "text": "It stays."}, [first])
    cases.discussion("an answer whose clock is behind", [first, early], [first, early])
    between = said("carol", 3, {"text": "A bench first."})
    cases.discussion(
        "what knows nothing of each other goes by time", [second, between, first], [first, between, second]
    )
    cases.discussion("what is answered is not here", [second], [second])
    third = said("carol", -20, {"text": "Then I agree."}, [second])
    cases.discussion("erased, and its answers stay behind it", [first, second, third], [first, third], [second])
    same = [said(who, 1, {"text": who}) for who in ("alice", "bob", "carol")]
    cases.discussion("of one time, by id", same, sorted(same, key=lambda one: one.id))
    other = said("bob", 2, {"text": "x"}, [first], "comment.read")
    cases.discussion("of another kind, it is placed and not shown", [other, first, third], [third, first])
    behind = said("carol", -30, {"text": "late"}, [other])
    cases.discussion("behind what is not shown", [first, other, behind], [first, behind])
    for name, body in (
        ("blank", {"text": " \n\u2003"}), ("no text", {}), ("bytes", {"text": b"x"}),
        ("a list", {"text": ["x"]}), ("12,001 code points", {"text": "x" * 12_001}),
        ("an answer to 31 bytes", {"on": bytes(31), "text": "x"}), ("an answer to a text", {"on": "x" * 32, "text": "x"}),
    ):  # fmt: skip
        cases.discussion(name, [first, said("bob", 1, body)], [first])
    for name, body in (
        ("12,000 code points", {"text": "𝔞" * 12_000}), ("what is not listed", {"by": 1, "text": "x"}),
        ("an answer to what nobody knows", {"on": bytes(32), "text": "x"}),
    ):  # fmt: skip
        one = said("bob", 1, body)
        cases.discussion(name, [first, one], [first, one])
