"""The vectors of chapters 10 to 13, and the package's answers to the operations they are made of.

Every expected error code is written here by hand; what the package says must agree, or nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from p2pcommons.core import clock, encoding, identity, merkle, record, seal, words
from p2pcommons.core.limits import BODY_BYTES_MAX, FRAME_BYTES_MAX, INTEGER_BODY_MAX
from p2pcommons.errors import FormError

Case = dict[str, Any]


def to_json(value: Any) -> Any:
    """A decoded value in JSON: byte strings as {"hex"}, integers beyond 53 bits as {"int"}, maps as {"map"}."""
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > INTEGER_BODY_MAX:
        return {"int": str(value)}
    if isinstance(value, dict):
        return {"map": [[key, to_json(item)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    return value


def from_json(value: Any) -> Any:
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "hex" in value:
        return bytes.fromhex(value["hex"])
    if "int" in value:
        return int(value["int"])
    return {key: from_json(item) for key, item in value["map"]}


def _header_json(header: record.Header) -> dict[str, Any]:
    return {
        "commons": header.commons.hex(), "plane": header.plane, "author": header.author.hex(),
        "after": header.after.hex(), "time": str(header.time), "subject": header.subject.hex(),
        "prev": [item.hex() for item in header.prev], "kind": header.kind,
        "body_hash": header.body_hash.hex(), "body_size": header.body_size,
    }  # fmt: skip


def _range(given: Mapping[str, Any]) -> int:
    return INTEGER_BODY_MAX if given["mode"] == "body" else encoding.INTEGER_WIRE_MAX


def _decode(given: Mapping[str, Any]) -> Any:
    largest = given.get("bytes_max", BODY_BYTES_MAX if given["mode"] == "body" else FRAME_BYTES_MAX)
    value = encoding.decode(bytes.fromhex(given["bytes"]), bytes_max=largest, integer_max=_range(given))
    return {"value": to_json(value)}


def _encode(given: Mapping[str, Any]) -> Any:
    return {"bytes": encoding.encode(from_json(given["value"]), integer_max=_range(given)).hex()}


def _verify(given: Mapping[str, Any]) -> Any:
    public, signature, message = (bytes.fromhex(given[name]) for name in ("public", "signature", "message"))
    return {"valid": identity.verify(public, signature, message)}


def _sign(given: Mapping[str, Any]) -> Any:
    key = identity.SigningKey(bytes.fromhex(given["seed"]))
    return {"public": key.public.hex(), "signature": key.sign(bytes.fromhex(given["message"])).hex()}


def _recovery(given: Mapping[str, Any]) -> Any:
    public = identity.recovery_key(bytes.fromhex(given["entropy"])).public
    return {"public": public.hex(), "hash": merkle.sha256(identity.TAG_RECOVERY_KEY + public).hexdigest()}


def _record(given: Mapping[str, Any]) -> Any:
    made = record.parse(*(bytes.fromhex(given[name]) for name in ("header", "salt", "body")))
    return {"id": made.id.hex(), **_header_json(made.header)}


def _build(given: Mapping[str, Any]) -> Any:
    made = record.build(
        commons=bytes.fromhex(given["commons"]), plane=given["plane"], author=bytes.fromhex(given["author"]),
        after=bytes.fromhex(given["after"]), time=int(given["time"]), subject=bytes.fromhex(given["subject"]),
        prev=[bytes.fromhex(item) for item in given["prev"]], kind=given["kind"], body=from_json(given["body"]),
        salt=bytes.fromhex(given["salt"]),
    )  # fmt: skip
    return {"id": made.id.hex(), "header": made.header_bytes.hex(), "body": (made.body or b"").hex()}


def _pack(given: Mapping[str, Any]) -> Any:
    value = encoding.decode(bytes.fromhex(given["bytes"]), bytes_max=FRAME_BYTES_MAX)
    read = seal.read_pack(value)
    records = [[item.leaf, item.record.id.hex(), item.record.body is not None] for item in read.records]
    return {
        "author": read.seal.author.hex(), "commons": read.seal.commons.hex(), "plane": read.plane,
        "tree_size": read.seal.tree_size, "root": read.seal.root.hex(), "records": records,
        "faults": [[identifier.hex(), code] for identifier, code in read.faults],
    }  # fmt: skip


OPERATIONS: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "decode": _decode,
    "encode": _encode,
    "verify": _verify,
    "sign": _sign,
    "did_key": lambda given: {"text": identity.did_key(bytes.fromhex(given["public"]))},
    "parse_did_key": lambda given: {"public": identity.parse_did_key(given["text"]).hex()},
    "recovery": _recovery,
    "words": lambda given: {"words": " ".join(words.words(bytes.fromhex(given["entropy"]), given["language"]))},
    "entropy": lambda given: {"entropy": words.entropy(given["words"]).hex()},
    "header": lambda given: _header_json(record.parse_header(bytes.fromhex(given["header"]))),
    "record": _record,
    "build": _build,
    "entry_id": lambda given: {"id": record.entry_id(bytes.fromhex(given["commons"]), given["source"]).hex()},
    "next_time": lambda given: {
        "time": str(clock.next_time(given["now_ms"], None if given["last"] is None else int(given["last"])))
    },
    "is_later": lambda given: {"later": clock.is_later(int(given["time"]), given["now_ms"])},
    "root": lambda given: {"root": merkle.root([bytes.fromhex(leaf) for leaf in given["leaves"]]).hex()},
    "uncovered": lambda given: {"spans": [list(span) for span in merkle.uncovered(given["size"], given["indexes"])]},
    "pack": _pack,
}


def answer(op: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The package's answer to one operation: {"out": …} or {"error": code}."""
    if op not in OPERATIONS:
        return {"error": "unsupported"}
    try:
        return {"out": OPERATIONS[op](given)}
    except FormError as error:
        return {"error": error.code}


class Cases:
    """The cases of one file, in order."""

    def __init__(self) -> None:
        self.cases: list[Case] = []

    def good(self, name: str, op: str, **given: Any) -> Any:
        """A case that must be answered; the answer."""
        answered = answer(op, given)
        if "out" not in answered:
            raise AssertionError(f"{name}: {answered}")
        self.cases.append({"name": name, "op": op, "in": given, "out": answered["out"]})
        return answered["out"]

    def expect(self, name: str, op: str, out: Any, **given: Any) -> None:
        """A case whose answer is known from elsewhere."""
        if self.good(name, op, **given) != out:
            raise AssertionError(f"{name}: {self.cases[-1]['out']} where {out} is expected")

    def bad(self, name: str, code: str, op: str, **given: Any) -> None:
        """A case that must be refused with this code."""
        answered = answer(op, given)
        if answered != {"error": code}:
            raise AssertionError(f"{name}: {answered} where {code} is expected")
        self.cases.append({"name": name, "op": op, "in": given, "error": code})

    def file(self, chapter: str) -> dict[str, Any]:
        names = [case["name"] for case in self.cases]
        if len(set(names)) != len(names):
            raise AssertionError(f"names twice in {chapter}")
        return {"chapter": chapter, "cases": self.cases}


def vectors() -> dict[str, Any]:
    """The vector files of chapters 10 to 13, by name."""
    from vectors_encoding import encoding_cases
    from vectors_identity import identity_cases, words_cases
    from vectors_records import record_cases
    from vectors_seals import seal_cases

    return {
        "10-encoding": encoding_cases().file("10-encoding"),
        "11-identity": identity_cases().file("11-identity"),
        "11-words": words_cases().file("11-identity"),
        "12-records": record_cases().file("12-records"),
        "13-seals": seal_cases().file("13-seals"),
    }
