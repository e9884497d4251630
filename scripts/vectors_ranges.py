"""The vectors of chapter 31: messages about ranges, bounds and fingerprints.

What a side says is its own choice (chapter 31, "Choices"), so no case fixes an answer as bytes but those that are
the same for everybody.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from p2pcommons.core.limits import RANGE_MESSAGE_BYTES_MAX
from p2pcommons.errors import FormError, RemoteProtocolError
from p2pcommons.sync import ranges
from p2pcommons.sync.range_index import RangeIndex
from p2pcommons.sync.range_message import FINGERPRINT_BYTES, ID_BYTES, INFINITY, VERSION, Mode, read_claims

MODES = {Mode.SKIP: "skip", Mode.FINGERPRINT: "fingerprint", Mode.IDS: "ids"}


def _index(items: list[list[str]]) -> RangeIndex:
    return RangeIndex((int(time), bytes.fromhex(identifier)) for time, identifier in items)


def _claim(bound: bytes, mode: int, payload: bytes) -> dict[str, Any]:
    shown: dict[str, Any] = {"says": MODES[Mode(mode)]}
    if bound == INFINITY:
        shown["up_to"] = "infinity"
    else:
        shown["up_to"] = [str(int.from_bytes(bound[:8], "big")), bound[8:].hex()]
    if mode == Mode.FINGERPRINT:
        shown["fingerprint"] = payload.hex()
    elif mode == Mode.IDS:
        shown["ids"] = [payload[at : at + ID_BYTES].hex() for at in range(0, len(payload), ID_BYTES)]
    return shown


def _message(given: Mapping[str, Any]) -> Any:
    message = bytes.fromhex(given["message"])
    if message[:1] != bytes([VERSION]):
        raise RemoteProtocolError("bad_ranges", "another version")
    return {"ranges": [_claim(*claim) for claim in read_claims(message)]}


def _fingerprint(given: Mapping[str, Any]) -> Any:
    index = _index(given["items"])
    return {"fingerprint": ranges.range_fingerprint(index, 0, len(index)).hex()}


def _learn(given: Mapping[str, Any]) -> Any:
    step = ranges.reconcile(_index(given["items"]), bytes.fromhex(given["message"]))
    return {
        "have": sorted(identifier.hex() for identifier in step.have),
        "need": sorted(identifier.hex() for identifier in step.need),
        "done": step.message is None,
    }


OPERATIONS: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "ranges": _message,
    "range_fingerprint": _fingerprint,
    "range_bound": lambda given: {"bound": _bound(_index(given["items"]))},
    "range_answer": lambda given: {
        "message": ranges.respond(_index(given["items"]), bytes.fromhex(given["message"])).hex()
    },
    "range_learn": _learn,
}


def _bound(index: RangeIndex) -> list[str]:
    bound = ranges.bound_between(index, 1)
    return [str(int.from_bytes(bound[:8], "big")), bound[8:].hex()]


def answer(op: str, given: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return {"out": OPERATIONS[op](given)}
    except (FormError, RemoteProtocolError) as error:
        return {"error": error.code}


def _id(name: str) -> bytes:
    return hashlib.sha256(b"vectors of ranges " + name.encode()).digest()


def _items(*places: tuple[int, bytes]) -> list[list[str]]:
    return [[str(time), identifier.hex()] for time, identifier in places]


ABOUT = {
    "ranges": "message -> its ranges in order: up_to ([time, prefix] or infinity), what it says, fingerprint or ids",
    "range_fingerprint": "items ([time, id]…) -> the fingerprint of them all",
    "range_bound": "two items -> the shortest bound between them (chapter 31, Choices)",
    "range_answer": "a server that holds items gets message -> its answer; only where there is one right answer",
    "range_learn": "a client that holds items gets message -> what only it has, what it needs, whether it is done",
}

ONE, TWO, THREE = _id("one"), _id("two"), _id("three")
LAST = 2**63 - 1


def vectors() -> dict[str, Any]:
    cases: list[dict[str, Any]] = []

    def case(name: str, op: str, expected: Any, **given: Any) -> None:
        """`expected`: an error code, the output, or None where only the package knows it."""
        answered = answer(op, given)
        wanted = (
            answered if expected is None else {"error": expected} if isinstance(expected, str) else {"out": expected}
        )
        if answered != wanted:
            raise AssertionError(f"{name}: {answered} where {wanted} is expected")
        cases.append({"name": name, "op": op, "in": given, **answered})

    def message(name: str, expected: Any, data: bytes) -> None:
        case(name, "ranges", expected, message=data.hex())

    _fingerprints(case)
    _bounds(case)
    _messages(message)
    _refused(message)
    _meaning(case)
    return {"chapter": "31-ranges", "operations": ABOUT, "cases": cases}


def _fingerprints(case: Callable[..., None]) -> None:
    def by_hand(total: int, count: bytes) -> dict[str, str]:
        data = (total % 2**256).to_bytes(32, "little") + count
        return {"fingerprint": hashlib.sha256(data).digest()[:FINGERPRINT_BYTES].hex()}

    def number(identifier: bytes) -> int:
        return int.from_bytes(identifier, "little")

    op = "range_fingerprint"
    case("fingerprint of nothing", op, by_hand(0, b"\0"), items=[])
    case("fingerprint of one", op, by_hand(number(ONE), b"\1"), items=_items((5, ONE)))
    two = by_hand(number(ONE) + number(TWO), b"\2")
    case("fingerprint of two", op, two, items=_items((5, ONE), (9, TWO)))
    case("a fingerprint knows no times", op, two, items=_items((0, TWO), (LAST, ONE)))
    ones = b"\xff" * 32
    case("a sum beyond 2^256", op, by_hand(number(ones) + number(ONE), b"\2"), items=_items((5, ONE), (9, ones)))
    many = [_id(str(i)) for i in range(128)]
    case("fingerprint of 128: the count has two bytes", op, by_hand(sum(map(number, many)), b"\x81\0"),
         items=_items(*((i, identifier) for i, identifier in enumerate(many))))  # fmt: skip


def _bounds(case: Callable[..., None]) -> None:
    alike = bytes(31)
    for name, before, behind, bound in (
        ("two times", (5, TWO), (6, ONE), ["6", ""]),
        ("one time, ids that differ at once", (5, b"\1" + alike), (5, b"\2" + alike), ["5", "02"]),
        ("one time, two bytes shared", (5, b"\7\7\1" + bytes(29)), (5, b"\7\7\2" + bytes(29)), ["5", "070702"]),
        ("one time, the last byte differs", (5, alike + b"\1"), (5, alike + b"\2"), ["5", "00" * 31 + "02"]),
        ("the last times", (LAST - 1, ONE), (LAST, ONE), [str(LAST), ""]),
    ):
        case(f"bound between {name}", "range_bound", {"bound": bound}, items=_items(before, behind))


def _messages(message: Callable[[str, Any, bytes], None]) -> None:
    message("nothing to say", {"ranges": []}, b"\x61")
    message("skip everything", None, b"\x61\0\0\0")
    message("a fingerprint of everything", None, b"\x61\0\0\1" + ONE[:16])
    message("no ids", None, b"\x61\0\0\2\0")
    message("two ids", None, b"\x61\0\0\2\2" + TWO + ONE)
    message("an id twice", None, b"\x61\0\0\2\2" + ONE + ONE)
    message("times are differences", None, b"\x61\x0b\0\0\x0b\0\2\0")
    message("a difference of 0 and a longer prefix", None, b"\x61\x0b\1\7\0\1\2\7\1\2\0")
    message("equal bounds", None, b"\x61\x0b\1\7\2\0\1\1\7\2\0")
    message("equal bounds, one with zeros", None, b"\x61\x0b\1\7\2\0\1\3\7\0\0\2\0")
    message("a prefix of 32 bytes", None, b"\x61\x0b\x20" + ONE + b"\0")
    message("the last time of a record", None, b"\x61\x81\x80\x80\x80\x80\x80\x80\x80\x80\0\0\0")
    message("the last time of a bound", None, b"\x61\x81\xff\xff\xff\xff\xff\xff\xff\xff\x7f\0\0")
    message("a prefix at infinity means nothing", None, b"\x61\0\x20" + bytes(32) + b"\2\0")


def _refused(message: Callable[[str, Any, bytes], None]) -> None:
    for name, data in (
        ("no byte", b""),
        ("another protocol", b"\x51\0\0\0"),
        ("a range without what it says", b"\x61\0\0"),
        ("a bound cut off", b"\x61\x0b\2\7"),
        ("a varint cut off", b"\x61\x81"),
        ("a varint with a leading zero", b"\x61\x80\0\0\0"),
        ("zero in two bytes", b"\x61\0\x80\0\0"),
        ("a varint of 2^64", b"\x61\x82\x80\x80\x80\x80\x80\x80\x80\x80\0\0\0"),
        ("a varint of eleven bytes", b"\x61" + b"\x81" * 10 + b"\0\0\0"),
        ("a prefix of 33 bytes", b"\x61\x0b\x21" + bytes(33) + b"\0"),
        ("a bound at time 2^64 - 1", b"\x61\x81\xff\xff\xff\xff\xff\xff\xff\xff\x7f\0\0\2\0\0"),
        ("a prefix that descends", b"\x61\x0b\1\7\0\1\1\6\0"),
        ("a shorter prefix that descends", b"\x61\x0b\2\7\1\0\1\1\7\0"),
        ("a range behind infinity", b"\x61\0\0\0\x0b\0\0"),
        ("infinity twice", b"\x61\0\0\0\0\0\0"),
        ("kind 3", b"\x61\0\0\3"),
        ("kind 0 in two bytes", b"\x61\0\0\x80\0"),
        ("a fingerprint of 15 bytes", b"\x61\0\0\1" + bytes(15)),
        ("ids cut off", b"\x61\0\0\2\2" + bytes(63)),
        ("a count of ids beyond all memory", b"\x61\0\0\2\x81\xff\xff\xff\xff\xff\xff\xff\xff\x7f"),
        ("a byte more", b"\x61\0\0\2\0\0"),
    ):
        message(name, "bad_ranges", data)
    if answer("ranges", {"message": (b"\x61" + bytes(RANGE_MESSAGE_BYTES_MAX)).hex()}) != {"error": "bad_ranges"}:
        raise AssertionError("a message beyond the limit is read")  # not a case: half a megabyte of zeros


def _meaning(case: Callable[..., None]) -> None:
    items = _items((5, ONE), (9, TWO))
    case("no ids are answered by all ids", "range_answer", {"message": "6100000202" + ONE.hex() + TWO.hex()},
         items=items, message="6100000200")  # fmt: skip
    equal = answer("range_fingerprint", {"items": items})["out"]["fingerprint"]
    case("an equal fingerprint is skipped", "range_answer", {"message": "61"}, items=items, message="61000001" + equal)
    case("another fingerprint of few is answered by ids", "range_answer",
         {"message": "6100000202" + ONE.hex() + TWO.hex()}, items=items, message="61000001" + "00" * 16)  # fmt: skip
    case("skips in a row are one", "range_answer", {"message": "610800000000" + "0201" + TWO.hex()},
         items=items, message="6106000003000000000200")  # fmt: skip
    case("another version is answered by this one", "range_answer", {"message": "61"}, items=items, message="62ff")
    learn = "range_learn"
    case("what is listed and not here is needed", learn, {"have": [], "need": [THREE.hex()], "done": True},
         items=items, message=(b"\x61\0\0\2\3" + ONE + THREE + TWO).hex())  # fmt: skip
    case("what is here and not listed is had alone", learn, {"have": [ONE.hex()], "need": [], "done": True},
         items=items, message=(b"\x61\0\0\2\1" + TWO).hex())  # fmt: skip
    case("only the range that is listed counts", learn, {"have": [ONE.hex()], "need": [], "done": True},
         items=items, message="6107000200")  # fmt: skip
    case("an id listed twice is needed once", learn, {"have": [], "need": [THREE.hex()], "done": True},
         items=[], message=(b"\x61\0\0\2\2" + THREE + THREE).hex())  # fmt: skip
    case("an equal fingerprint teaches nothing", learn, {"have": [], "need": [], "done": True},
         items=items, message="61000001" + equal)  # fmt: skip
    case("another fingerprint leaves something to ask", learn, {"have": [], "need": [], "done": False},
         items=items, message="61000001" + "00" * 16)  # fmt: skip
