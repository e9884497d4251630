"""The vectors of chapter 23: bodies that fit or do not, and what becomes of acts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from p2pcommons.commons.moderation import Act, Decided, moderate, moderation_value
from p2pcommons.commons.moderation_bodies import BLOCK, HIDE, REPORT, REVIEW, SHOW, read_moderation
from p2pcommons.core.encoding import encode_body
from p2pcommons.errors import FormError

Case = dict[str, Any]
KINDS = (REPORT, HIDE, SHOW, REVIEW, BLOCK)


def _id(letter: str) -> str:
    return (letter.encode() * 32).hex()


def _value(item: Any) -> Any:
    """A value as in JSON: bytes in hex."""
    if isinstance(item, bytes):
        return item.hex()
    if isinstance(item, Mapping):
        return {key: _value(some) for key, some in item.items()}
    return [_value(some) for some in item] if isinstance(item, list | tuple) else item


def _fits(given: Mapping[str, Any]) -> Any:
    return {"fits": read_moderation(given["kind"], bytes.fromhex(given["body"])) is not None}


def _moderation(given: Mapping[str, Any]) -> Any:
    acts = []
    for item in given["acts"]:
        form = read_moderation(item["kind"], bytes.fromhex(item["body"]))
        if form is not None:
            who = (item["member"], item["steward"], item["hide_by"])
            acts.append(Act(bytes.fromhex(item["id"]), bytes.fromhex(item["person"]), item["time_ms"], form, *who))
    decided = {
        bytes.fromhex(entry): Decided(bytes.fromhex(outcome["proposal"]), outcome["hidden"])
        for entry, outcome in given["decided"].items()
    }
    return _value(moderation_value(moderate(acts, decided)))


OPERATIONS = {"moderation": _moderation, "moderation_fits": _fits}
_TEXT = (
    "moderation_fits (kind, body: canonical bytes) → fits; moderation (acts: id, person, time_ms, kind, body, and "
    "member, steward, hide_by as within the act's own past; decided: by entry the outcome in force) → the value of "
    "MOD-10, bytes in hex."
)


def answer(op: str, given: Mapping[str, Any]) -> Case:
    """What the package says: {"out": …} or {"error": code}."""
    try:
        return {"out": OPERATIONS[op](given)}
    except FormError as error:
        return {"error": error.code}
    except KeyError:
        return {"error": "unsupported"}


def vectors() -> dict[str, Any]:
    """The vectors of this chapter."""
    cases: list[Case] = []
    _bodies(cases)
    _acts(cases)
    return {"chapter": "23-moderation", "operations": _TEXT, "cases": cases}


def _bodies(cases: list[Case]) -> None:
    one, two = b"1" * 32, b"2" * 32

    def fits(name: str, kind: str, body: Any, expected: bool = False) -> None:
        given = {"kind": kind, "body": encode_body(body).hex()}
        if _fits(given) != {"fits": expected}:
            raise AssertionError(name)
        cases.append({"name": f"{kind}: {name}", "op": "moderation_fits", "in": given, "out": {"fits": expected}})

    for kind in (REPORT, HIDE):
        fits("an entry and a reason", kind, {"entry": one, "reason": "spam"}, True)
        fits("with a text, and a key of later", kind, {"entry": one, "later": 1, "reason": "other", "text": two}, True)
        fits("no entry", kind, {"reason": "spam"})
        fits("no reason", kind, {"entry": one})
        fits("an unknown reason", kind, {"entry": one, "reason": "dull"})
        fits("a reason that is bytes", kind, {"entry": one, "reason": b"spam"})
        fits("an entry of 31 bytes", kind, {"entry": one[1:], "reason": "spam"})
        fits("an entry as text", kind, {"entry": "1" * 32, "reason": "spam"})
        fits("nil for a text", kind, {"entry": one, "reason": "spam", "text": None})
    fits("with reports", HIDE, {"entry": one, "reason": "spam", "reports": [two, one, two]}, True)
    fits("with no reports", HIDE, {"entry": one, "reason": "spam", "reports": []}, True)
    fits("nil for reports", HIDE, {"entry": one, "reason": "spam", "reports": None})
    fits("33 reports", HIDE, {"entry": one, "reason": "spam", "reports": [one] * 33})
    for kind, name in ((SHOW, "acts"), (REVIEW, "reports")):
        fits("what it names", kind, {"entry": one, name: [two]}, True)
        fits("32", kind, {"entry": one, name: [two] * 32}, True)
        fits("33", kind, {"entry": one, name: [two] * 33})
        fits("none", kind, {"entry": one, name: []})
        fits("nothing", kind, {"entry": one})
        fits("no list", kind, {"entry": one, name: two})
        fits("no id", kind, {"entry": one, name: [two, 2]})
    fits("nothing", BLOCK, {"add": [], "remove": []}, True)
    fits("some", BLOCK, {"add": [[two, "spam"], [one, "harm"]], "remove": [one]}, True)
    fits("no removals", BLOCK, {"add": []})
    fits("no additions", BLOCK, {"remove": []})
    fits("a key twice", BLOCK, {"add": [[one, "spam"], [one, "harm"]], "remove": []})
    fits("a key without reason", BLOCK, {"add": [[one]], "remove": []})
    fits("a key alone", BLOCK, {"add": [one], "remove": []})
    fits("33 keys", BLOCK, {"add": [[bytes([n]) * 32, "spam"] for n in range(33)], "remove": []})
    fits("an unknown kind", "entry.edit", {"entry": one, "reason": "spam"})


def _acts(cases: list[Case]) -> None:
    people = {"m": (True, False), "n": (True, False), "s": (True, True), "t": (True, True), "x": (False, False)}

    def act(identifier: str, person: str, kind: str, body: dict[str, Any], by: str = "stewards", time: int = 0) -> Case:
        member, steward = people[person]
        return {
            "id": _id(identifier), "person": _id(person), "time_ms": time, "kind": kind, "body": encode_body(body).hex(),
            "member": member, "steward": steward, "hide_by": by,
        }  # fmt: skip

    def case(name: str, *acts: Case, decided: Mapping[str, Any] | None = None) -> None:
        given = {"acts": list(acts), "decided": dict(decided or {})}
        cases.append({"name": name, "op": "moderation", "in": given, **answer("moderation", given)})

    entry, other = b"e" * 32, b"f" * 32
    spam = {"entry": entry, "reason": "spam"}

    def hide(identifier: str, person: str, by: str = "stewards", reports: str = "") -> Case:
        return act(identifier, person, HIDE, {**spam, "reports": [one.encode() * 32 for one in reports]}, by)

    def show(identifier: str, person: str, acts: str, by: str = "stewards", of: bytes = entry) -> Case:
        return act(identifier, person, SHOW, {"acts": [one.encode() * 32 for one in acts], "entry": of}, by)

    def report(identifier: str, person: str, of: bytes = entry, time: int = 0, reason: str = "harm") -> Case:
        return act(identifier, person, REPORT, {"entry": of, "reason": reason}, time=time)

    vote = {_id("e"): {"proposal": _id("p"), "hidden": True}}
    restored = {_id("e"): {"proposal": _id("p"), "hidden": False}}
    case("nothing")
    case("a steward hides", hide("1", "s"))
    case("a member hides where stewards do", hide("1", "m"))
    case("a member hides where members do", hide("1", "m", "members"))
    case("a stranger hides where members do", hide("1", "x", "members"))
    case("a steward hides where only votes do", hide("1", "s", "vote"))
    case("hidden and shown again", hide("1", "s"), show("2", "t", "1"))
    case("two hid, one is undone", hide("1", "s"), hide("2", "t"), show("3", "t", "1"))
    case("shown by who had no right", hide("1", "s"), show("2", "m", "1"))
    case("shown by who hid, no steward any more", hide("1", "s"), show("2", "s", "1", "vote"))
    case("shown under another entry", hide("1", "s"), show("2", "t", "1", of=other))
    case("shown, of a hiding that is none", hide("1", "s"), report("2", "m"), show("3", "t", "29"))
    case("hidden by a vote", decided=vote)
    case("hidden by a vote and a steward", hide("1", "s"), decided=vote)
    case("hidden by a vote, shown by a steward", hide("1", "s"), show("2", "s", "1"), decided=vote)
    case("restored by a vote, hidden by a steward", hide("1", "s"), decided=restored)
    case("reported", report("1", "m", time=5), report("2", "n", time=3), report("3", "m", time=1, reason="spam"))
    case("reported by a stranger", report("1", "x"))
    case(
        "most persons first, then the eldest", report("1", "m", time=9), report("2", "n", time=8),
        report("3", "m", other, 2), report("4", "m", b"g" * 32, 1),
    )  # fmt: skip
    case("reported and hidden", report("1", "m"), hide("2", "s", reports="1"))
    case("reported, hidden, shown: answered", report("1", "m"), hide("2", "s", reports="1"), show("3", "s", "2"))
    case("reported, hidden, shown: not answered", report("1", "m"), hide("2", "s"), show("3", "s", "2"))
    look = {"entry": entry, "reports": [b"1" * 32]}
    case("looked at by a steward", report("1", "m"), report("2", "n"), act("3", "s", REVIEW, look))
    case("looked at where only votes hide", report("1", "m"), act("3", "s", REVIEW, look, "vote"))
    case("looked at by a member", report("1", "m"), act("3", "m", REVIEW, look))
    case("looked at under another entry", report("1", "m"), act("3", "s", REVIEW, {**look, "entry": other}))
    add = {"add": [[entry, "spam"], [other, "harm"]], "remove": []}
    off = {"add": [[entry, "spam"]], "remove": [entry]}
    case("a block list", act("1", "m", BLOCK, add), act("2", "n", BLOCK, off), act("3", "x", BLOCK, add))
    case("taken off later", act("1", "m", BLOCK, add, time=1), act("2", "m", BLOCK, off, time=2))
    case("taken off before", act("1", "m", BLOCK, add, time=2), act("2", "m", BLOCK, off, time=1))
    case("at one time the greater id", act("1", "m", BLOCK, add), act("2", "m", BLOCK, off))
