"""The vectors of chapter 24: rules that fit or do not, quorums, tallies, recipes, forks."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from p2pcommons.commons.bundle import write_bundle
from p2pcommons.commons.forks import copy_of, read_base
from p2pcommons.commons.recipe import read_lineage, read_recipe
from p2pcommons.commons.rules import RULES, Rules, read_params
from p2pcommons.commons.tally import Judgment, read_method, tally
from p2pcommons.core.encoding import encode
from p2pcommons.core.identity import TAG_RECIPE, SigningKey, did_key
from p2pcommons.core.record import decode_body, entry_id
from p2pcommons.errors import FormError

Case = dict[str, Any]


def _params(given: Mapping[str, Any]) -> Any:
    return {"params": read_params(given["rule"], given["value"])}


def _founded(given: Mapping[str, Any]) -> Any:
    content = {**given["content"]}
    if "texts" in content:
        content["texts"] = {rule: bytes.fromhex(text) for rule, text in content["texts"].items()}
    rules = Rules.founded(content, bytes.fromhex(given["founding"]), 0)
    return {
        "rules": [
            [rule, version.hex(), params, None if text is None else text.hex()]
            for rule, version, params, text in rules.value()
        ]
    }


def _quorum(given: Mapping[str, Any]) -> Any:
    rules = Rules.founded({"rules": given["rules"]}, bytes(32), 0)
    closers, needed = rules.closing(given["electorate"])
    quorum = rules.decision(given["matter"]).quorum(given["electorate"])
    return {"quorum": quorum, "closers": closers, "needed": needed}


def _tally(given: Mapping[str, Any]) -> Any:
    method = read_method(given["mode"], given.get("threshold"), given.get("options"), given.get("grades"))
    if method is None:
        return {"method": None}
    result = tally(method, given["choices"], quorum=given["quorum"])
    out = {
        "reason": result.reason, "answered": result.answered, "abstained": result.abstained, "void": result.void,
    }  # fmt: skip
    if isinstance(method, Judgment):
        assert result.ranking is not None
        steps = [[s.better, s.other, s.aside, s.grade, s.other_grade] for s in result.ranking.steps]
        options = [[o.name, o.rank, o.median, list(o.counts)] for o in result.ranking.options]
        return {**out, "options": options, "steps": steps}
    return {**out, "counts": [list(count) for count in result.counts]}


def _recipe(given: Mapping[str, Any]) -> Any:
    signed = read_recipe(bytes.fromhex(given["bytes"]))
    line = [[one.commons.hex(), one.recipe.hex()] for one in signed.recipe.lineage]
    return {
        "author": did_key(signed.author), "commons": signed.recipe.commons.hex(), "hash": signed.hash.hex(),
        "lineage": line, "name": signed.recipe.name,
    }  # fmt: skip


def _lineage(given: Mapping[str, Any]) -> Any:
    content = decode_body(bytes.fromhex(given["body"]))
    return {"lineage": [[one.commons.hex(), one.recipe.hex()] for one in read_lineage(content.get("lineage"))]}


def _base(given: Mapping[str, Any]) -> Any:
    base = read_base(decode_body(bytes.fromhex(given["body"])).get("base"))
    if base is None:
        return {"base": None}
    sets = [[one.plane, one.records, one.digest.hex()] for one in base.sets]
    return {"base": {"commons": base.commons.hex(), "planes": sets}}


def _copy(given: Mapping[str, Any]) -> Any:
    entry = {"id": given["entry"], "source": (given["sources"] or [None])[0], "sources": given["sources"]}
    base = bytes.fromhex(given["base"])
    source = copy_of({name: value for name, value in entry.items() if value}, base)["source"]
    return {"source": source, "entry": entry_id(bytes.fromhex(given["fork"]), source).hex()}


OPERATIONS = {
    "params": _params, "founded": _founded, "quorum": _quorum, "tally": _tally, "recipe": _recipe,
    "lineage": _lineage, "base": _base, "copy": _copy,
}  # fmt: skip

_TEXT = (
    "params (rule, value) → params with defaults in place, or null; founded (content: a founding record's body, hashes "
    "in hex; founding: its id) → rules: [id, version, params, text hash or null] by id; quorum (rules, matter, "
    "electorate) → quorum, closers, needed; tally (mode, threshold, options, grades, choices, quorum) → reason, "
    "answered, abstained, void, and counts by word, or for a judgment options [name, rank, median, counts by grade] "
    "and steps between neighbours [better, other, grades set aside, grade, other grade], or method null; recipe "
    "(bytes) → author, commons, hash, lineage, name, or a code; lineage, base (body: a founding record's, canonical) → "
    "what it says of recipes, the eldest first, and of the commons it is a fork of, null where that does not fit; copy "
    "(base, entry, sources: normalised; fork) → source of the copy in the fork, and its entry id there."
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

    def case(name: str, op: str, **given: Any) -> None:
        cases.append({"name": name, "op": op, "in": given, **answer(op, given)})

    _rules(case)
    _tallies(case)
    _recipes(case)
    _beginnings(case)
    return {"chapter": "24-rules", "operations": _TEXT, "cases": cases}


def _rules(case: Any) -> None:
    def params(name: str, rule: str, value: Any, fits: bool = False) -> None:
        if (read_params(rule, value) is not None) != fits:
            raise AssertionError(name)
        case(f"parameters: {name}", "params", rule=rule, value=value)

    params("none, all by default", "decide.text", {}, True)
    params("some", "decide.rule", {"p": 3, "q": 4, "percent": 0}, True)
    params("a floor of 32", "replicas", {"floor": 32}, True)
    params("a floor of 33", "replicas", {"floor": 33})
    params("a floor of 0", "replicas", {"floor": 0})
    params("a boolean for a number", "replicas", {"floor": True})
    params("a number for a boolean", "announcing", {"announced": 1})
    params("an unknown word", "join", {"policy": "lottery"})
    params("an unknown name", "join", {"policy": "open", "colour": "red"})
    params("an unknown rule", "no.rule", {})
    params("no map", "join", ["open"])
    params("nil for a word", "join", {"policy": None})
    params("a licence of 512", "licence", {"expression": "é" * 512}, True)
    params("a licence of 513", "licence", {"expression": "é" * 513})
    params("half", "decide.text", {"p": 1, "q": 2})
    params("more than a half", "decide.text", {"p": 501, "q": 1000}, True)
    params("more than all", "decide.text", {"p": 4, "q": 3})
    params("a default that does not agree", "decide.text", {"p": 4})
    params("a judgment about a rule", "decide.rule", {"mode": "judgment"})
    params("half of the closers", "closing", {"closers": 4, "needed": 2})
    params("more closers than there are", "closing", {"closers": 2, "needed": 3})
    params("all closers", "closing", {"closers": 31, "needed": 31}, True)
    given = {
        "rules": {"replicas": {"floor": 5}, "hide": {"by": "king"}, "no.rule": {}, "join": {"policy": "vote"}},
        "texts": {"edit": "74" * 32, "hide": "74", "no.rule": "74" * 32},
    }
    case("founding: what fits", "founded", content=given, founding="66" * 32)
    own = {**given, "join": "open", "announced": True, "licence": "CC0-1.0"}
    case("founding: its own fields decide", "founded", content=own, founding="66" * 32)
    odd = {"rules": [], "join": "whoever", "announced": 1, "licence": 3, "texts": {}}
    case("founding: nothing fits", "founded", content=odd, founding="66" * 32)
    for electorate in (1, 2, 3, 4, 10, 16, 101, 1000):
        case(f"quorum: {electorate} by default", "quorum", rules={}, matter="text", electorate=electorate)
    some = {"decide.rule": {"heads": 5, "percent": 33}, "closing": {"closers": 7, "needed": 6}}
    for electorate in (1, 4, 6, 7, 15, 16, 100):
        case(f"quorum: {electorate}, other rules", "quorum", rules=some, matter="rule", electorate=electorate)


def _tallies(case: Any) -> None:
    def count(name: str, mode: str, choices: list[Any], *, quorum: int = 0, **more: Any) -> None:
        case(f"tally: {name}", "tally", mode=mode, choices=choices, quorum=quorum, **more)

    words = ["for"] * 4 + ["against"] * 2 + ["abstain"]
    count("more for", "majority", words, quorum=7)
    count("one too few answered", "majority", words, quorum=8)
    count("as many against", "majority", ["for", "against"])
    count("nobody for", "majority", ["abstain"])
    count("two thirds exactly", "qualified", words, threshold=[2, 3])
    count("one less than two thirds", "qualified", [*words, "against"], threshold=[2, 3])
    count("all of one", "qualified", ["for"], threshold=[1, 1])
    count("void choices", "majority", ["for", "For", "consent", 1, True, None, ["for"], {"for": 1}], quorum=1)
    count("void choices are no answer", "majority", ["for", "maybe"], quorum=2)
    count("consent", "consent", ["consent", "abstain"], quorum=2)
    count("an objection", "consent", ["consent"] * 9 + ["object"])
    count("only abstentions", "consent", ["abstain"] * 3)
    for name, threshold in (("half", [1, 2]), ("zero", [0, 1]), ("above all", [3, 2]), ("1001", [1001, 1001])):
        count(f"no method: {name}", "qualified", [], threshold=threshold)
    count("no method: a threshold too many", "majority", [], threshold=[2, 3])
    count("no method: unknown", "lot", [])
    count("no method: options twice", "judgment", [], options=["a", "a"], grades=3)
    count("no method: one grade", "judgment", [], options=["a"], grades=1)
    count("no method: eleven grades", "judgment", [], options=["a"], grades=11)
    count("no method: 65 options", "judgment", [], options=[f"{n:02}" for n in range(65)], grades=3)
    three = {"options": ["a", "b", "c"], "grades": 3}
    count("judgment: nobody graded", "judgment", ["abstain"], **three)
    count("judgment: equal", "judgment", [{"a": 2, "b": 2}, {"a": 0, "b": 0, "c": 1}], **three)
    odd = [{"a": 2}, {"a": 3}, {"a": -1}, {"a": True}, {"d": 1}, {}, {"a": 1, "d": 1}, "for", {"a": "1"}]
    count("judgment: grades that are none", "judgment", odd, quorum=1, **three)
    dice = random.Random(24)
    for number in range(24):
        options, grades = ["a", "b", "c", "d"][: dice.randint(2, 4)], dice.randint(2, 4)
        choices = []
        for _ in range(dice.randint(1, 9)):
            given = dice.sample(options, dice.randint(1, len(options)))
            choices.append({option: dice.randrange(grades) for option in given})
        count(f"judgment: by chance {number}", "judgment", choices, options=options, grades=grades)


def _bundle(key: SigningKey) -> dict[str, bytes]:
    """The files of a recipe, made by hand: a template of one word a rule, and nothing in what is for people."""
    word = {"en": "x"}
    clauses = [{"id": rule.id, "params": rule.defaults, "text": word, "title": word} for rule in RULES.values()]
    sections = [{"rules": clauses, "text": word, "title": word}]
    about = {
        "commons": "63" * 32, "date": "2026-09-21", "format": 1, "languages": ["fr"],
        "lineage": [{"commons": "70" * 32, "recipe": "71" * 32}], "name": "Outils",
    }  # fmt: skip
    values = {
        "charter.json": {
            "name": "one", "own": {"edit": {"fr": "y"}}, "sections": sections, "summary": word, "title": word, "words": {},
        },
        "labels.json": {"title": {"fr": "Titre"}}, "recipe.json": about, "ro-crate-metadata.json": {}, "roles.json": {},
        "vocabulary.json": {},
    }  # fmt: skip
    files = {name: json.dumps(value).encode() for name, value in values.items()}
    manifest = "".join(f"{sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files)).encode()
    signature = key.sign(TAG_RECIPE + b"c" * 32 + sha256(manifest).digest()).hex()
    signed = json.dumps({"author": did_key(key.public), "signature": signature}).encode()
    return {**files, "manifest-sha256.txt": manifest, "signature.json": signed}


def _recipes(case: Any) -> None:
    parts = _bundle(SigningKey(b"r" * 32))
    bundle = write_bundle(parts)
    case("recipe: whole", "recipe", bytes=bundle.hex())
    backwards = dict(reversed(parts.items()))
    if "error" in answer("recipe", {"bytes": bundle.hex()}) or write_bundle(backwards) != bundle:
        raise AssertionError("recipe: whole")

    def bad(name: str, data: bytes) -> None:
        if "error" not in answer("recipe", {"bytes": data.hex()}):
            raise AssertionError(name)
        case(f"recipe: {name}", "recipe", bytes=data.hex())

    bad("a byte changed", bundle.replace(b"Outils", b"Autels"))
    bad("nothing", b"")
    empty = dict.fromkeys(parts, b"")
    bad("other files", write_bundle({"a": b""}))
    bad("empty files", write_bundle(empty))
    bad("a file less", write_bundle({name: b"" for name in parts if name != "labels.json"}))
    bad("a file more", write_bundle({**empty, "more.json": b""}))
    bad("a byte behind", write_bundle(empty) + b"\0")
    bad("cut off", write_bundle(empty)[:-1])
    bad("a name that leads out", write_bundle({("../" if name == "labels.json" else "") + name: b"" for name in parts}))
    signature = json.loads(parts["signature.json"])
    signature["author"] = did_key(SigningKey(b"e" * 32).public)
    bad("another's signature", write_bundle({**parts, "signature.json": json.dumps(signature).encode()}))


def _beginnings(case: Any) -> None:
    """What founding records say of where a commons came from; more that does not fit than that does."""
    one = {"commons": b"c" * 32, "recipe": b"r" * 32}
    elder = {"commons": b"e" * 32, "recipe": b"q" * 32}
    lineages: dict[str, Any] = {
        "one recipe": [one], "two, the eldest first": [elder, one], "64": [one] * 64,
        "none": [], "65": [one] * 65, "no list": one, "a short id": [{**one, "commons": b"c" * 31}],
        "a text for an id": [{**one, "recipe": "r" * 32}], "one thing more": [{**one, "name": "x"}],
        "one thing less": [{"commons": b"c" * 32}], "one that fits and one that does not": [one, None], "nil": None,
    }  # fmt: skip
    for name, value in lineages.items():
        case(f"lineage: {name}", "lineage", body=encode({"lineage": value}).hex())
    sets = [[0, 3, b"d" * 32], [1, 70, b"f" * 32]]
    bases: dict[str, Any] = {
        "whole": {"commons": b"c" * 32, "planes": sets},
        "of nothing yet": {"commons": b"c" * 32, "planes": [[0, 0, b"d" * 32], [1, 0, b"d" * 32]]},
        "nil": None, "no map": [b"c" * 32, sets], "zeros": {"commons": bytes(32), "planes": sets},
        "a short id": {"commons": b"c" * 31, "planes": sets},
        "one thing more": {"commons": b"c" * 32, "planes": sets, "name": "x"},
        "no planes": {"commons": b"c" * 32}, "one plane": {"commons": b"c" * 32, "planes": sets[:1]},
        "planes in another order": {"commons": b"c" * 32, "planes": sets[::-1]},
        "one plane twice": {"commons": b"c" * 32, "planes": [sets[0], sets[0]]},
        "a third plane": {"commons": b"c" * 32, "planes": [*sets, [2, 0, b"d" * 32]]},
        "a bool for a plane": {"commons": b"c" * 32, "planes": [[False, 3, b"d" * 32], sets[1]]},
        "a count below zero": {"commons": b"c" * 32, "planes": [[0, -1, b"d" * 32], sets[1]]},
        "a bool for a count": {"commons": b"c" * 32, "planes": [[0, True, b"d" * 32], sets[1]]},
        "a short digest": {"commons": b"c" * 32, "planes": [[0, 3, b"d" * 16], sets[1]]},
        "no digest": {"commons": b"c" * 32, "planes": [[0, 3], sets[1]]},
    }  # fmt: skip
    for name, value in bases.items():
        fits = name in ("whole", "of nothing yet")
        if (read_base(value) is not None) != fits:
            raise AssertionError(name)
        case(f"base: {name}", "base", body=encode({"base": value}).hex())
    base, fork, imported = b"c" * 32, (b"g" * 32).hex(), entry_id(b"c" * 32, "tate:A00001").hex()
    other = (b"n" * 32).hex()
    for name, entry, sources in (
        ("an entry of its own", other, []),
        ("an imported one", imported, ["tate:A00001"]),
        ("one that was imported from two sources", imported, ["moma:7", "tate:A00001"]),
        ("an id that no source gave", other, ["tate:A00001"]),
    ):
        case(f"copy: {name}", "copy", base=base.hex(), entry=entry, sources=sources, fork=fork)
