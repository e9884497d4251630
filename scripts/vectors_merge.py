"""The vectors of chapter 20: which bodies fit, and which view some records make.

What each view shows is written here by hand beside its records; its canonical bytes come from the package.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from vectors_core import from_json, to_json
from vectors_records import ALICE, BOB, COMMONS, NOW_MS, bytes_of

from p2pcommons.commons.edit import EDIT, WITHDRAW, read_edit, read_withdraw
from p2pcommons.commons.entry import entry_record, fold, view_digest, view_from_bytes
from p2pcommons.core.encoding import encode_body
from p2pcommons.core.identity import SigningKey
from p2pcommons.core.record import ZEROS, Record, build, decode_body, parse_header, record_id

Case = dict[str, Any]
LIBRARY = SigningKey(bytes_of("library"))
KEYS = {"alice": ALICE, "bob": BOB, "library": LIBRARY}
SUBJECT = bytes_of("subject of merging")
SOURCE = {"map": "1", "origin": "tate:A00001"}
ABOUT = {
    "fits": "kind, body (canonical bytes) -> whether the body fits its kind (MERGE-1 to MERGE-7)",
    "fold": "subject, records ([{header, body or null, counts}]), erased ({id: [register keys]}) -> "
    "the canonical view and its digest; `shown`, `conflicts`, `offered`, `withdrawn` repeat parts of it in JSON",
}


def _fits(given: Mapping[str, Any]) -> Any:
    body = decode_body(bytes.fromhex(given["body"]))
    return {"fits": (read_edit if given["kind"] == EDIT else read_withdraw)(body) is not None}


def _fold(given: Mapping[str, Any]) -> Any:
    records = []
    for item in given["records"]:
        header = bytes.fromhex(item["header"])
        body = None if item["body"] is None else bytes.fromhex(item["body"])
        record = Record(record_id(header), parse_header(header), header, None, body)
        records.append(entry_record(record, item["counts"]))
    erased = {bytes.fromhex(identifier): frozenset(keys) for identifier, keys in given["erased"].items()}
    subject = bytes.fromhex(given["subject"])
    view = fold(subject, records, erased)
    canonical = view.canonical()
    if view_from_bytes(subject, canonical) != view:
        raise AssertionError("a view does not come back from its bytes")
    return {
        "view": canonical.hex(),
        "digest": view_digest(subject, canonical).hex(),
        "shown": to_json(view.fields),
        "conflicts": to_json(dict(view.conflicts)),
        "offered": to_json(dict(view.offered)),
        "withdrawn": None if view.withdrawn is None else [view.withdrawn.by.hex(), str(view.withdrawn.time)],
    }


OPERATIONS: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {"fits": _fits, "fold": _fold}


def answer(op: str, given: Mapping[str, Any]) -> Case:
    """The package's answer to one operation."""
    return {"out": OPERATIONS[op](given)}


class History:
    """Records about one subject, named, each by somebody over what was named before."""

    def __init__(self) -> None:
        self.records: dict[str, Case] = {}
        self.ids: dict[str, bytes] = {}

    def add(
        self, name: str, body: Mapping[str, Any], prev: str = "", *, by: str = "alice", at: int | None = None,
        kind: str = EDIT, counts: bool = True, here: bool = True,
    ) -> History:  # fmt: skip
        made = build(
            commons=COMMONS, plane=1, author=KEYS[by].public, after=ZEROS,
            time=(NOW_MS + (len(self.ids) if at is None else at)) << 16, subject=SUBJECT,
            prev=[self.ids[past] if past in self.ids else bytes_of(past) for past in prev.split()],
            kind=kind, body=body, salt=bytes_of(f"salt of {name}", 16),
        )  # fmt: skip
        self.ids[name] = made.id
        self.records[name] = {
            "header": made.header_bytes.hex(), "body": made.body.hex() if made.body and here else None, "counts": counts,
        }  # fmt: skip
        return self

    def bring(self, name: str, body: Mapping[str, Any], prev: str = "", **how: Any) -> History:
        return self.add(name, {**body, **SOURCE}, prev, **{"by": "library", **how})

    def withdraw(self, name: str, prev: str = "", *, by: str = "bob", **body: Any) -> History:
        return self.add(name, body, prev, by=by, kind=WITHDRAW)


class Cases:
    """The cases of the file, in order."""

    def __init__(self) -> None:
        self.cases: list[Case] = []

    def fits(self, name: str, fits: bool, body: Any, kind: str = EDIT) -> None:
        given = {"kind": kind, "body": encode_body(body).hex()}
        answered = answer("fits", given)
        if answered != {"out": {"fits": fits}}:
            raise AssertionError(f"{name}: {answered}")
        self.cases.append({"name": name, "op": "fits", "in": given, **answered})

    def fold(
        self, name: str, history: History, shown: Mapping[str, Any], *, conflicts: Any = (), offered: Any = (),
        withdrawn: str | None = None, erased: Mapping[str, list[str]] | None = None, without: str = "",
    ) -> None:  # fmt: skip
        given = {
            "subject": SUBJECT.hex(),
            "records": [record for key, record in history.records.items() if key not in without.split()],
            "erased": {history.ids[key].hex(): keys for key, keys in (erased or {}).items()},
        }
        answered = answer("fold", given)
        out = answered["out"]
        found = [from_json(out[part]) for part in ("shown", "conflicts", "offered")]
        by = None if out["withdrawn"] is None else out["withdrawn"][0]
        author = None if withdrawn is None else bytes(KEYS[withdrawn].public).hex()
        if (*found, by) != (dict(shown), dict(conflicts), dict(offered), author):
            raise AssertionError(f"{name}: {found}, {by}")
        for order in (given["records"][::-1], given["records"] * 2):
            if answer("fold", {**given, "records": order}) != answered:
                raise AssertionError(f"{name}: the order of records changes the view")
        self.cases.append({"name": name, "op": "fold", "in": given, **answered})


def vectors() -> dict[str, Any]:
    """The vector file of chapter 20."""
    cases = Cases()
    _bodies_that_fit(cases)
    _bodies_that_do_not(cases)
    _registers(cases)
    _sets(cases)
    _imports(cases)
    _withdraws(cases)
    _erasures(cases)
    _causality(cases)
    names = [case["name"] for case in cases.cases]
    if len(set(names)) != len(names):
        raise AssertionError("names twice in 20-merge")
    return {"chapter": "20-merge", "operations": ABOUT, "cases": cases.cases}


def _bodies_that_fit(cases: Cases) -> None:
    for name, body in {
        "an edit of nothing": {},
        "empty maps and lists of keys": {"add": {}, "clear": [], "remove": {}, "set": {}},
        "a register": {"set": {"title": "Phare"}},
        "a text that is no licence": {"set": {"licence": "free for all"}},
        "a type of a later version": {"set": {"type": "hologram"}},
        "registers of languages": {"set": {"title.fr": "Phare", "title.zh-hant": "燈塔", "title.x-gallo": "Far"}},
        "a tag of 35 characters": {"set": {"title." + "a" * 8 + "-b2345678" * 3: "x"}},
        "both cleared and set": {"clear": ["title", "title"], "set": {"title": "x"}},
        "both removed and added": {"add": {"subjects": ["x"]}, "remove": {"subjects": ["x"]}},
        "languages as one text": {"set": {"language": "fr"}},
        "languages as a list": {"set": {"language": ["fr", "br"]}},
        "a number": {"set": {"length_m": 2**53 - 1}},
        "a place as text": {"set": {"place": "Brest"}},
        "a place at the edges": {"set": {"place": {"lat": -(90 * 10**7), "lon": 180 * 10**7}}},
        "a point with a height": {
            "set": {"place": {"geometry": {"coordinates": [0, 0, -10_000_000], "type": "Point"}}}
        },
        "a polygon": {
            "set": {"place": {"geometry": {"coordinates": [[[0, 0], [1, 0], [0, 1], [0, 0]]], "type": "Polygon"}}}
        },
        "terms": {"set": {"terms": {"days": 0}}},
        "stops": {"set": {"stops": [{"name": "a"}, {"lat": 0, "lon": 0, "name": "a", "text": "b"}]}},
        "agents, one twice in two forms": {
            "add": {"creators": ["Anne", {"name": "Anne"}, {"name": "Anne", "role": "x"}]}
        },
        "media": {"add": {"media": [{"alt": {"": "x", "fr": "y"}, "id": bytes(32), "size": 0}, {"url": "x:y"}]}},
        "an import": {"map": "1", "origin": "a:b", "set": {"title": "x"}},
    }.items():
        cases.fits(name, True, body)
    cases.fits("a withdraw", True, {}, WITHDRAW)
    cases.fits("a withdraw with a reason", True, {"reason": "sold"}, WITHDRAW)


def _bodies_that_do_not(cases: Cases) -> None:
    for name, body in {
        "an unknown key": {"put": {}},
        "an unknown register": {"set": {"titel": "x"}},
        "an empty text": {"set": {"title": ""}},
        "nil as text": {"set": {"title": None}},
        "bytes as text": {"set": {"title": b"x"}},
        "a map of languages as text": {"set": {"title": {"fr": "x"}}},
        "an empty tag": {"set": {"title.": "x"}},
        "an upper case tag": {"set": {"title.FR": "x"}},
        "the tag und": {"set": {"title.und": "x"}},
        "a tag with an underscore": {"set": {"title.fr_fr": "x"}},
        "a subtag of nine characters": {"set": {"title.fr-123456789": "x"}},
        "a tag that begins with a digit": {"set": {"title.1fr": "x"}},
        "a tag of 36 characters": {"set": {"title." + "a" * 8 + "-b2345678" * 2 + "-b234567-1": "x"}},
        "a language of a register without languages": {"set": {"licence.fr": "x"}},
        "a set under set": {"set": {"subjects": ["x"]}},
        "set that is a list": {"set": []},
        "set that is nil": {"set": None},
        "a negative number": {"set": {"length_m": -1}},
        "true as number": {"set": {"length_m": True}},
        "a text as number": {"set": {"length_m": "1"}},
        "no languages": {"set": {"language": []}},
        "a number among languages": {"set": {"language": ["fr", 1]}},
        "an empty place": {"set": {"place": {}}},
        "an unknown key of a place": {"set": {"place": {"name": "x", "colour": "x"}}},
        "a latitude without longitude": {"set": {"place": {"lat": 0}}},
        "beyond the pole": {"set": {"place": {"lat": 90 * 10**7 + 1, "lon": 0}}},
        "beyond the date line": {"set": {"place": {"lat": 0, "lon": -180 * 10**7 - 1}}},
        "a type of geometry that is not there": {
            "set": {"place": {"geometry": {"coordinates": [], "type": "GeometryCollection"}}}
        },
        "a geometry without type": {"set": {"place": {"geometry": {"coordinates": [0, 0]}}}},
        "a point as deep as a line": {"set": {"place": {"geometry": {"coordinates": [[0, 0]], "type": "Point"}}}},
        "a line as flat as a point": {"set": {"place": {"geometry": {"coordinates": [0, 0], "type": "LineString"}}}},
        "a line of nothing": {"set": {"place": {"geometry": {"coordinates": [], "type": "LineString"}}}},
        "a position of one number": {"set": {"place": {"geometry": {"coordinates": [0], "type": "Point"}}}},
        "a position of four numbers": {"set": {"place": {"geometry": {"coordinates": [0, 0, 0, 0], "type": "Point"}}}},
        "a position beyond the pole": {"set": {"place": {"geometry": {"coordinates": [0, 10**9], "type": "Point"}}}},
        "terms with days as text": {"set": {"terms": {"days": "7"}}},
        "no stops": {"set": {"stops": []}},
        "a stop without name": {"set": {"stops": [{"text": "x"}]}},
        "a register under add": {"add": {"title": ["x"]}},
        "an unknown set": {"add": {"tags": ["x"]}},
        "an empty list of elements": {"add": {"subjects": []}},
        "a text as list of elements": {"add": {"subjects": "x"}},
        "an element twice": {"add": {"subjects": ["x", "x"]}},
        "an agent twice": {"add": {"creators": [{"name": "x"}, {"name": "x"}]}},
        "an empty element": {"add": {"subjects": ["x", ""]}},
        "a number as element": {"add": {"subjects": [1]}},
        "an agent without name": {"add": {"creators": [{"role": "x"}]}},
        "media of nothing": {"add": {"media": [{}]}},
        "media with a short id": {"add": {"media": [{"id": bytes(31)}]}},
        "media with an id in hexadecimal": {"add": {"media": [{"id": "00" * 32}]}},
        "an alternative text in no language": {"add": {"media": [{"alt": {}, "url": "x:y"}]}},
        "a register under remove": {"remove": {"title": ["x"]}},
        "an empty list of elements to remove": {"remove": {"subjects": []}},
        "clearing a set": {"clear": ["subjects"]},
        "clearing an unknown register": {"clear": ["titel"]},
        "clear that is a text": {"clear": "title"},
        "clearing a number": {"clear": [1]},
        "an origin without map": {"origin": "a:b"},
        "a map without origin": {"map": "1"},
        "an empty origin": {"map": "1", "origin": ""},
        "a number as map": {"map": 1, "origin": "a:b"},
    }.items():
        cases.fits(name, False, body)
    cases.fits("a withdraw with an empty reason", False, {"reason": ""}, WITHDRAW)
    cases.fits("a withdraw with nil as reason", False, {"reason": None}, WITHDRAW)
    cases.fits("a withdraw with another key", False, {"why": "sold"}, WITHDRAW)


def _registers(cases: Cases) -> None:
    def title(text: str) -> dict[str, Any]:
        return {"set": {"title": text}}

    one = History().add("a", {"set": {"title": "Phare", "type": "place"}, "add": {"subjects": ["mer", "tour"]}})
    cases.fold("no records", History(), {})
    cases.fold("one edit", one, {"title": "Phare", "type": "place", "subjects": ["mer", "tour"]})
    cases.fold("a later edit", History().add("a", title("A")).add("b", title("B"), "a", by="bob"), {"title": "B"})
    cases.fold(
        "a later edit by an earlier clock",
        History().add("a", title("A"), at=9).add("b", title("B"), "a"),
        {"title": "B"},
    )
    both = History().add("a", title("A")).add("b", title("B"), "a").add("c", title("C"), "a", by="bob")
    cases.fold("two edits at once", both, {"title": "C"}, conflicts={"title": ["B"]})
    cases.fold("a write that has seen both", both.add("d", title("B"), "b c"), {"title": "B"})
    cases.fold(
        "a write that has seen one of two", History().add("a", title("A")).add("b", title("B"), by="bob").add("c", title("C"), "a"),
        {"title": "C"}, conflicts={"title": ["B"]},
    )  # fmt: skip
    cases.fold("the same written twice", History().add("a", title("A")).add("b", title("A"), by="bob"), {"title": "A"})
    ties = History().add("a", title("A"), at=0).add("b", title("B"), by="bob", at=0)
    later, sooner = ("A", "B") if ties.ids["a"] > ties.ids["b"] else ("B", "A")
    cases.fold("one time: the greater id is later", ties, {"title": later}, conflicts={"title": [sooner]})
    three = (
        History()
        .add("a", title("A"))
        .add("b", title("B"))
        .add("c", title("A"), by="bob")
        .add("d", title("D"), by="library")
    )
    cases.fold("conflicts, latest first, equal ones once", three, {"title": "D"}, conflicts={"title": ["A", "B"]})
    cases.fold(
        "two languages at once", History().add("a", {"set": {"title.fr": "Phare"}}).add("b", {"set": {"title.br": "Tour-tan"}}),
        {"title.br": "Tour-tan", "title.fr": "Phare"},
    )  # fmt: skip
    cases.fold("a clear", History().add("a", title("A")).add("b", {"clear": ["title"]}, "a"), {})
    cases.fold(
        "a clear beside a set", History().add("a", title("A")).add("b", title("B"), "a").add("c", {"clear": ["title"]}, "a"),
        {"title": "B"},
    )  # fmt: skip
    cases.fold(
        "clear, then set, in one body", History().add("a", {"clear": ["title"], "set": {"title": "A"}}), {"title": "A"}
    )
    places = History().add("a", {"set": {"place": {"lat": 1, "lon": 2}}}).add("b", {"set": {"place": "Brest"}})
    cases.fold("values that are no texts", places, {"place": "Brest"}, conflicts={"place": [{"lat": 1, "lon": 2}]})


def _sets(cases: Cases) -> None:
    first = {"add": {"subjects": ["a", "b", "c"]}}
    base = History().add("a", first)
    cases.fold("removed", base.add("b", {"remove": {"subjects": ["b"]}}, "a"), {"subjects": ["a", "c"]})
    cases.fold(
        "removed and added at once", base.add("c", {"add": {"subjects": ["b"]}}, "a"), {"subjects": ["a", "c", "b"]}
    )
    cases.fold(
        "added anew goes to the end", History().add("a", first).add("b", {"add": {"subjects": ["a"]}}, "a"),
        {"subjects": ["b", "c", "a"]},
    )  # fmt: skip
    cases.fold(
        "added twice at once stays at its first place", History().add("a", first).add("b", {"add": {"subjects": ["d", "a"]}}),
        {"subjects": ["a", "b", "c", "d"]},
    )  # fmt: skip
    cases.fold(
        "remove, then add, in one body", History().add("a", {"add": {"subjects": ["a"]}, "remove": {"subjects": ["a", "b"]}}),
        {"subjects": ["a"]},
    )  # fmt: skip
    cases.fold("removing what was never there", History().add("a", {"remove": {"subjects": ["a"]}}), {})
    agents = History().add("a", {"add": {"creators": [{"name": "Zoé", "role": "author"}, "Anne"]}})
    agents.add("b", {"remove": {"creators": [{"name": "Zoé"}]}}, "a")
    cases.fold("an element is its whole value", agents, {"creators": [{"name": "Zoé", "role": "author"}, "Anne"]})


def _imports(cases: Cases) -> None:
    first = {"set": {"title": "Teh Sea", "credit": "gift"}, "add": {"subjects": ["a", "b"]}}
    nightly = History().bring("a", first).add("b", {"set": {"title": "The Sea"}, "remove": {"subjects": ["b"]}}, "a")
    corrected = {"title": "The Sea", "credit": "gift", "subjects": ["a"]}
    cases.fold("an import, corrected", nightly, corrected)
    nightly.bring("c", {"set": {"title": "Teh Sea!", "credit": "a gift"}, "add": {"subjects": ["b", "c"]}}, "b")
    cases.fold(
        "the source changes what was corrected", nightly, {"title": "The Sea", "credit": "a gift", "subjects": ["a", "c"]},
        offered={"title": ["Teh Sea!"], "subjects": ["b"]},
    )  # fmt: skip
    cases.fold(
        "the offer is taken", nightly.add("d", {"set": {"title": "Teh Sea!"}, "add": {"subjects": ["b"]}}, "c"),
        {"title": "Teh Sea!", "credit": "a gift", "subjects": ["a", "c", "b"]},
    )  # fmt: skip
    cases.fold(
        "a correction that no import has seen", History().add("a", {"set": {"title": "A"}}).bring("b", {"set": {"title": "B"}}),
        {"title": "A"}, offered={"title": ["B"]},
    )  # fmt: skip
    cases.fold(
        "an import that says what people say", History().add("a", {"set": {"title": "A"}}).bring("b", {"set": {"title": "A"}}),
        {"title": "A"},
    )  # fmt: skip
    two = History().bring("a", {"set": {"title": "A"}, "add": {"subjects": ["a"]}})
    two.bring("b", {"set": {"title": "B"}, "add": {"subjects": ["b"]}}, by="bob")
    cases.fold("two imports at once: the latest, and no conflict", two, {"title": "B", "subjects": ["a", "b"]})
    cases.fold(
        "offers of two imports, latest first", two.add("c", {"set": {"title": "C"}}), {"title": "C", "subjects": ["a", "b"]},
        offered={"title": ["B", "A"]},
    )  # fmt: skip
    cases.fold(
        "a human clear hides an import that has not seen it", History().add("a", {"clear": ["title"]}).bring("b", {"set": {"title": "B"}}),
        {}, offered={"title": ["B"]},
    )  # fmt: skip
    cases.fold(
        "an import clears what an import set", History().bring("a", {"set": {"title": "A"}}).bring("b", {"clear": ["title"]}, "a"),
        {},
    )  # fmt: skip
    cases.fold(
        "an import does not clear what people set", History().add("a", {"set": {"title": "A"}}).bring("b", {"clear": ["title"]}, "a"),
        {"title": "A"},
    )  # fmt: skip
    cases.fold(
        "an import clears beside an import that sets", History().bring("a", {"set": {"title": "A"}}).bring("b", {"clear": ["title"]}),
        {"title": "A"},
    )  # fmt: skip
    cases.fold(
        "people superseded by people still decide",
        History().add("a", {"set": {"title": "A"}}).bring("b", {"set": {"title": "B"}}, "a").add("c", {"set": {"title": "C"}}, "a"),
        {"title": "C"}, offered={"title": ["B"]},
    )  # fmt: skip
    conflict = History().add("a", {"set": {"title": "A"}}).add("b", {"set": {"title": "B"}}, by="bob")
    cases.fold(
        "an import equal to a conflict is no offer", conflict.bring("c", {"set": {"title": "A"}}), {"title": "B"},
        conflicts={"title": ["A"]},
    )  # fmt: skip


def _withdraws(cases: Cases) -> None:
    title = {"set": {"title": "A"}}
    gone = History().add("a", title).withdraw("w", "a", reason="sold")
    cases.fold("an entry withdrawn", gone, {"title": "A"}, withdrawn="bob")
    cases.fold("a withdraw of nothing", History().withdraw("w"), {})
    cases.fold(
        "a human edit it has not seen", History().add("a", title).withdraw("w", "a").add("b", {}, "a"), {"title": "A"}
    )
    cases.fold(
        "an import it has not seen", History().add("a", title).withdraw("w", "a").bring("b", {}, "a"), {"title": "A"}
    )
    cases.fold(
        "an import after it", History().add("a", title).withdraw("w", "a").bring("b", {"set": {"credit": "C"}}, "w"),
        {"title": "A", "credit": "C"}, withdrawn="bob",
    )  # fmt: skip
    again = History().add("a", title).withdraw("w", "a").add("b", {}, "w")
    cases.fold("a human edit after it", again, {"title": "A"})
    cases.fold("withdrawn again", again.withdraw("v", "b", by="alice"), {"title": "A"}, withdrawn="alice")
    two = History().add("a", title).withdraw("w", "a").withdraw("v", "a", by="library")
    cases.fold("two withdraws: the latest", two, {"title": "A"}, withdrawn="library")
    mixed = History().add("a", title).withdraw("w", "a").bring("b", {}, "w").withdraw("v", "a", by="library")
    cases.fold("the latest does not hold, an earlier does", mixed, {"title": "A"}, withdrawn="bob")
    unfit = History().add("a", title).add("w", {"why": "sold"}, "a", kind=WITHDRAW)
    cases.fold("a withdraw that does not fit", unfit, {"title": "A"})
    misfit = History().add("a", title).withdraw("w", "a").add("b", {"put": {}}, "w")
    cases.fold("an edit that does not fit lifts nothing", misfit, {"title": "A"}, withdrawn="bob")


def _erasures(cases: Cases) -> None:
    def two() -> History:
        return (
            History()
            .add("a", {"set": {"title": "A"}, "add": {"subjects": ["a"]}})
            .add("b", {"set": {"title": "B"}, "add": {"subjects": ["b"]}, "remove": {"subjects": ["a"]}}, "a")
        )

    cases.fold(
        "erased: replaced stays replaced, removed comes back", two(), {"subjects": ["a"]}, erased={"b": ["title"]}
    )
    gone = History().add("a", {"set": {"title": "A"}}).add("b", {"set": {"title": "B"}}, "a", here=False)
    cases.fold("erased, the body gone", gone, {}, erased={"b": ["title"]})
    cases.fold("the body gone and not erased", gone, {"title": "A"})
    cases.fold(
        "erased, names that are no registers",
        two(),
        {"title": "A", "subjects": ["a"]},
        erased={"b": ["subjects", "titel"]},
    )
    cases.fold("the only edit erased", History().add("a", {"set": {"title": "A"}}), {}, erased={"a": ["title"]})
    beside = two().add("c", {"set": {"title": "C"}}, "a", by="bob")
    cases.fold("erased beside a set", beside, {"title": "C", "subjects": ["a"]}, erased={"b": ["title"]})
    bridge = two().add("c", {"set": {"title": "C"}}, "b")
    cases.fold("erased, its past carries on", bridge, {"title": "C", "subjects": ["a"]}, erased={"b": ["title"]})
    imported = (
        History()
        .bring("a", {"set": {"title": "A"}})
        .bring("b", {"set": {"title": "B"}}, "a")
        .bring("c", {"set": {"title": "C"}}, "b")
    )
    cases.fold(
        "an erased import becomes a human clear", imported, {}, offered={"title": ["C"]}, erased={"b": ["title"]}
    )
    spam = History().add("a", {"set": {"title": "A"}}).add("b", {"set": {"title": "B"}}, "a", counts=False)
    cases.fold("erased and not counting", spam, {"title": "A"}, erased={"b": ["title"]})
    withdrawn = History().add("a", {"set": {"title": "A"}}).withdraw("w", "a", reason="private")
    cases.fold("an erased withdraw", withdrawn, {"title": "A"}, erased={"w": []})
    lifted = History().add("a", {"set": {"title": "A"}}).withdraw("w", "a").add("b", {"set": {"title": "B"}}, "w")
    cases.fold("an erased edit lifts no withdraw", lifted, {}, withdrawn="bob", erased={"b": ["title"]})


def _causality(cases: Cases) -> None:
    chain = (
        History()
        .add("a", {"set": {"title": "A"}})
        .add("b", {"set": {"title": "B"}}, "a", by="bob")
        .add("c", {"set": {"title": "C"}}, "b")
    )
    cases.fold("a missing record between", chain, {"title": "C"}, conflicts={"title": ["A"]}, without="b")
    cases.fold("the missing record came", chain, {"title": "C"})
    cases.fold("a past that is elsewhere", History().add("a", {"set": {"title": "A"}}, "elsewhere"), {"title": "A"})
    for name, how in {
        "a record that does not count carries causality": {"counts": False},
        "a record of another kind carries causality": {"kind": "thank.you"},
        "a lost body carries causality": {"here": False},
    }.items():
        between = History().add("a", {"set": {"title": "A"}}).add("b", {"set": {"title": "B"}}, "a", **how)
        cases.fold(name, between.add("c", {"set": {"title": "C"}}, "b"), {"title": "C"})
    unfit = History().add("a", {"set": {"title": "A"}}).add("b", {"set": {"title": "B"}, "put": {}}, "a")
    cases.fold("a body that does not fit writes nothing at all", unfit, {"title": "A"})
    cases.fold("a record of another kind alone", History().add("a", {"set": {"title": "A"}}, kind="thank.you"), {})
    wide = History()
    for at in range(40):
        wide.add(f"w{at}", {"add": {"subjects": [f"s{at}"]}}, by=("alice", "bob")[at % 2])
    wide.add(
        "end",
        {"set": {"title": "T"}, "remove": {"subjects": [f"s{at}" for at in range(40)]}},
        " ".join(f"w{at}" for at in range(32)),
    )
    cases.fold("32 of 40 heads seen", wide, {"title": "T", "subjects": [f"s{at}" for at in range(32, 40)]})
