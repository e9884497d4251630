"""The vectors of chapter 32: cells of items, symbols of sets, differences read out of symbols, and the messages.

Cells and symbols are worked out here by hand, in plain integers, beside the package's answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from math import isqrt
from typing import Any

from p2pcommons.core.encoding import encode
from p2pcommons.core.limits import SKETCH_SYMBOLS_MAX
from p2pcommons.errors import FormError, RemoteProtocolError
from p2pcommons.sync import message as m
from p2pcommons.sync.estimate import estimate
from p2pcommons.sync.finding import check_more
from p2pcommons.sync.peeling import Peeling
from p2pcommons.sync.sketch import CHECK_BYTES, ITEM_BYTES, SYMBOL_BYTES, Sketch, cells, coded

Case = dict[str, Any]


def ids(named: Any) -> list[bytes]:
    """Ids as hexadecimal, or [text, number]: SHA-256 of the text and each u32be below the number."""
    if len(named) == 2 and isinstance(named[1], int):
        text, number = named
        return [sha256(text.encode() + at.to_bytes(4, "big")).digest() for at in range(number)]
    return [bytes.fromhex(one) for one in named]


def _cells(given: Mapping[str, Any]) -> Any:
    if "seed" in given:
        return {"cells": list(cells(int(given["seed"])))}
    seed, check = coded(bytes.fromhex(given["item"]))
    return {"seed": str(seed), "check": check.to_bytes(CHECK_BYTES, "little").hex(), "cells": list(cells(seed))}


def _symbols(given: Mapping[str, Any]) -> Any:
    sketch = Sketch(ids(given["ids"]))
    first, last = given.get("first", 0), given.get("last", SKETCH_SYMBOLS_MAX)
    symbols = sketch.symbols(first, last)
    return {"sha256": sha256(symbols).hexdigest()} if last - first > 64 else {"symbols": symbols.hex()}


def _read(given: Mapping[str, Any]) -> Any:
    peeling = Peeling(Sketch(ids(given["dialler"])))
    if "symbols" in given:
        whole = [peeling.take(bytes.fromhex(part)) for part in given["symbols"]]
    else:
        theirs, at = Sketch(ids(given["listener"])), 0
        whole = []
        for up_to in given["up_to"]:
            whole.append(peeling.take(theirs.symbols(at, up_to)))
            at = up_to
    if not whole[-1]:
        return {"read": False}
    return {"read": True, "dialler": shown(peeling.ours), "listener": shown(peeling.theirs)}


def shown(items: list[bytes]) -> Any:
    """Items in ascending order; of more than 10 their number and hash."""
    ordered = sorted(item[:ITEM_BYTES] for item in items)
    if len(items) <= 10:
        return [item.hex() for item in ordered]
    return {"number": len(items), "sha256": sha256(b"".join(ordered)).hexdigest()}


def _message(given: Mapping[str, Any]) -> Any:
    message = m.decode_message(bytes.fromhex(given["bytes"]))
    if isinstance(message, m.Symbols):
        return {"first": message.first, "number": len(message.symbols) // SYMBOL_BYTES}
    if isinstance(message, m.More):
        return {"up_to": message.up_to}
    assert isinstance(message, m.Want)
    return {"wanted": [one.hex() for one in message.ids]}


def _more(given: Mapping[str, Any]) -> Any:
    check_more(given["sent"], given["up_to"])
    return {}


OPERATIONS: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "sketch_cells": _cells,
    "sketch_symbols": _symbols,
    "sketch_read": _read,
    "sketch_message": _message,
    "sketch_more": _more,
    "sketch_estimate": lambda given: {"differences": estimate(given["more"], list(bytes.fromhex(given["counts"])))},
}
ABOUT = {
    "sketch_cells": "item (16 bytes), or seed (decimal) -> seed, check, its cells (SKETCH-2, SKETCH-3)",
    "sketch_symbols": "ids (hexadecimal, or [text, number]: SHA-256(text || u32be(0…number - 1))), first and last (else 0 "
    "and 2048) -> symbols from first up to, not including, last; of more than 64 their SHA-256 (SKETCH-4)",
    "sketch_read": "dialler and listener (ids as above), up_to (how many symbols came in all, time after time); or "
    "dialler and symbols (in the parts in which they came) -> whether the difference is read, and the items that only "
    "one of both has, ascending; of more than 10 their number and the SHA-256 of all (SKETCH-9 to SKETCH-11)",
    "sketch_message": "bytes of a frame -> symbols: first, number; more: up_to; want: wanted; or the code that ends it",
    "sketch_more": "sent, up_to -> nothing, or the code (SKETCH-7)",
    "sketch_estimate": "more (how many records the dialler has more), counts (of cells 1, 2, …, the dialler's minus the "
    "listener's modulo 256) -> differences; each side may estimate as it likes",
}


def answer(op: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The package's answer to one operation: {"out": …} or {"error": code}."""
    try:
        return {"out": OPERATIONS[op](given)}
    except (FormError, RemoteProtocolError) as error:
        return {"error": error.code}


def by_hand(items: list[bytes]) -> list[bytes]:
    """Symbols as the chapter says, as slowly as it says it."""
    table = [[0, 0, 0] for _ in range(2048)]
    for item in items:
        hashed = sha256(b"p2pcommons sketch v1\0" + item).digest()
        for cell in cells_by_hand(int.from_bytes(hashed[:8], "big")):
            table[cell][0] ^= int.from_bytes(item, "big")
            table[cell][1] ^= int.from_bytes(hashed[8:13], "big")
            table[cell][2] += 1
    return [a.to_bytes(16, "big") + b.to_bytes(5, "big") + bytes([c % 256]) for a, b, c in table]


def cells_by_hand(r: int) -> list[int]:
    found, i = [0], 0
    while True:
        r = r * 0xDA942042E4DD58B5 % 2**64
        s = isqrt(r) + 1
        above, below = (2 * i + 3) * (2**32 - s), 2 * s
        i += max(1, (above + below - 1) // below)
        if i > 2047:
            return found
        found.append(i)


INVERSE = pow(0xDA942042E4DD58B5, -1, 2**64)


def vectors() -> dict[str, Any]:
    cases: list[Case] = []

    def case(name: str, op: str, expected: Any = None, **given: Any) -> None:
        """`expected`: an error code, the output, or None where only the package knows it."""
        answered = answer(op, given)
        wanted = (
            answered if expected is None else {"error": expected} if isinstance(expected, str) else {"out": expected}
        )
        if answered != wanted:
            raise AssertionError(f"{name}: {answered} where {wanted} is expected")
        cases.append({"name": name, "op": op, "in": given, **answered})

    _items(case)
    _seeds(case)
    _sets(case)
    _differences(case)
    _made_up(case)
    _messages(case)
    _questions(case)
    _estimates(case)
    return {"chapter": "32-sketch", "operations": ABOUT, "cases": cases}


def _items(case: Callable[..., None]) -> None:
    named = ids(["sketch item", 18])
    for name, identifier in [
        *((f"item {number}", identifier) for number, identifier in enumerate(named)),
        ("an item of zeros", bytes(32)),
        ("an item of ones", b"\xff" * 32),
    ]:
        item = identifier[:ITEM_BYTES]
        hashed = sha256(b"p2pcommons sketch v1\0" + item).digest()
        seed = int.from_bytes(hashed[:8], "big")
        expected = {"seed": str(seed), "check": hashed[8:13].hex(), "cells": cells_by_hand(seed)}
        case(f"{name}: its cells", "sketch_cells", expected, item=item.hex())
        symbols = by_hand([item])
        case(f"{name}: all symbols", "sketch_symbols", {"sha256": sha256(b"".join(symbols)).hexdigest()},
             ids=[identifier.hex()])  # fmt: skip
        case(f"{name}: the first symbols", "sketch_symbols", {"symbols": b"".join(symbols[:8]).hex()},
             ids=[identifier.hex()], first=0, last=8)  # fmt: skip


def _seeds(case: Callable[..., None]) -> None:
    for name, state in (  # of r after the first multiplication
        ("the largest r: a step of one where the quotient is zero", 2**64 - 1),
        ("the smallest r with a quotient of zero", (2**32 - 1) ** 2),
        ("one below it", (2**32 - 1) ** 2 - 1),
        ("a square beyond the reach of floating point", (2**32 - 3) ** 2),
        ("one below that square", (2**32 - 3) ** 2 - 1),
        ("a square in the middle", (3 * 2**30 + 1) ** 2),
        ("one below it", (3 * 2**30 + 1) ** 2 - 1),
        ("an r of one", 1),
        ("the first step to cell 2047", next(_states_to(2047))),
        ("the first step just beyond", next(_states_to(2048))),
    ):
        seed = state * INVERSE % 2**64
        case(f"seed: {name}", "sketch_cells", {"cells": cells_by_hand(seed)}, seed=str(seed))
    case("seed: zero", "sketch_cells", {"cells": [0]}, seed="0")
    case("seed: 2^63", "sketch_cells", {"cells": cells_by_hand(2**63)}, seed=str(2**63))
    case("seed: 2^64 - 1", "sketch_cells", {"cells": cells_by_hand(2**64 - 1)}, seed=str(2**64 - 1))


def _states_to(cell: int) -> Any:
    """Values of r whose first step goes from cell 0 to this one."""
    for s in range(1, 2**32):
        if max(1, -(-3 * (2**32 - s) // (2 * s))) == cell:
            yield (s - 1) ** 2
        elif s == 1:
            yield from _search(cell)
            return


def _search(cell: int) -> Any:
    low, high = 1, 2**32
    while low < high:  # the step shrinks as s grows
        middle = (low + high) // 2
        if max(1, -(-3 * (2**32 - middle) // (2 * middle))) > cell:
            low = middle + 1
        else:
            high = middle
    yield (low - 1) ** 2


def _sets(case: Callable[..., None]) -> None:
    case("symbols of nothing", "sketch_symbols", {"symbols": bytes(22 * 4).hex()}, ids=[], first=0, last=4)
    for number in (2, 3, 100, 1000):
        named = ["sketch set", number]
        symbols = by_hand([one[:16] for one in ids(named)])
        case(f"symbols of {number}", "sketch_symbols", {"sha256": sha256(b"".join(symbols)).hexdigest()}, ids=named)
        case(f"symbols 40 to 43 of {number}", "sketch_symbols", {"symbols": b"".join(symbols[40:44]).hex()}, ids=named,
             first=40, last=44)  # fmt: skip
        case(f"the last symbols of {number}", "sketch_symbols", {"symbols": b"".join(symbols[2046:]).hex()}, ids=named,
             first=2046, last=2048)  # fmt: skip
    case("256 items are a count of zero", "sketch_symbols", None, ids=["sketch set", 256], first=0, last=1)
    one = sha256(b"one").digest()
    case("ids that share 16 bytes cancel, and are counted", "sketch_symbols",
         {"symbols": (bytes(21) + b"\x02").hex()}, ids=[one.hex(), (one[:16] + bytes(16)).hex()], first=0, last=1)  # fmt: skip


def _differences(case: Callable[..., None]) -> None:
    alike = [one.hex() for one in ids(["alike", 5])]
    mine, theirs = ([one.hex() for one in ids([text, 3])] for text in ("mine", "theirs"))

    def read(dialler: list[str], listener: list[str]) -> Any:
        return {"read": True, "dialler": shown(ids(dialler)), "listener": shown(ids(listener))}

    case("no difference", "sketch_read", read([], []), dialler=alike, listener=alike, up_to=[1])
    case("two empty sets", "sketch_read", read([], []), dialler=[], listener=[], up_to=[8])
    case("one that the listener has", "sketch_read", read([], theirs[:1]), dialler=alike, listener=alike + theirs[:1],
         up_to=[1])  # fmt: skip
    case("one that the dialler has", "sketch_read", read(mine[:1], []), dialler=alike + mine[:1], listener=alike,
         up_to=[1])  # fmt: skip
    case("one on each side", "sketch_read", read(mine[:1], theirs[:1]), dialler=alike + mine[:1],
         listener=alike + theirs[:1], up_to=[8])  # fmt: skip
    case("three on each side", "sketch_read", read(mine, theirs), dialler=alike + mine, listener=alike + theirs,
         up_to=[24])  # fmt: skip
    case("three on each side, symbol by symbol", "sketch_read", read(mine, theirs), dialler=alike + mine,
         listener=alike + theirs, up_to=list(range(1, 25)))  # fmt: skip
    case("two on one side, one symbol", "sketch_read", {"read": False}, dialler=alike, listener=alike + theirs[:2],
         up_to=[1])  # fmt: skip
    for number, up_to in ((10, [40]), (100, [100, 200]), (300, [512])):
        mine, theirs = ([one.hex() for one in ids([text, number])] for text in ("here", "there"))
        case(f"{number} on each side", "sketch_read", read(mine, theirs), dialler=["here", number],
             listener=["there", number], up_to=[2 * up for up in up_to])  # fmt: skip
    case("100 on each side, too few symbols", "sketch_read", {"read": False}, dialler=["here", 100],
         listener=["there", 100], up_to=[150])  # fmt: skip
    here = [one.hex() for one in ids(["here", 1400])]
    case(
        "1,400 on one side, all symbols",
        "sketch_read",
        read(here, []),
        dialler=["here", 1400],
        listener=[],
        up_to=[2048],
    )
    case("2,000 on one side, all symbols", "sketch_read", {"read": False}, dialler=["here", 2000], listener=[],
         up_to=[2048])  # fmt: skip
    one, twin = sha256(b"one").digest(), sha256(b"one").digest()[:16] + bytes(16)
    case("ids that share 16 bytes, on both sides", "sketch_read", read([], []), dialler=[one.hex()],
         listener=[twin.hex()], up_to=[8])  # fmt: skip
    case("ids that share 16 bytes, on one side", "sketch_read", {"read": False}, dialler=[],
         listener=[one.hex(), twin.hex()], up_to=[2048])  # fmt: skip


def _made_up(case: Callable[..., None]) -> None:
    """Symbols of nobody's set."""
    item = ids(["made up", 1])[0][:16]
    seed, check = coded(item)
    pure = item + check.to_bytes(5, "little")
    minus, nothing = pure + b"\xff", bytes(22)
    holds = set(cells(seed))

    def symbols(one: bytes, number: int, only: range | None = None) -> list[str]:
        return [b"".join(one if at in (only or holds) else nothing for at in range(number)).hex()]

    no = {"read": False}
    case("made up: one item where it belongs", "sketch_read", None, dialler=[], symbols=symbols(pure + b"\x01", 64))
    case("made up: one item that nobody has, taken off", "sketch_read", None, dialler=[], symbols=symbols(minus, 64))
    case(
        "made up: one item in every symbol",
        "sketch_read",
        no,
        dialler=[],
        symbols=symbols(pure + b"\x01", 64, range(64)),
    )
    case("made up: one item in the first symbol alone", "sketch_read", no, dialler=[],
         symbols=symbols(pure + b"\x01", 64, range(1)))  # fmt: skip
    case("made up: an item and its opposite in turns", "sketch_read", no, dialler=[],
         symbols=[b"".join((pure + b"\x01", minus)[at % 2] for at in range(64)).hex()])  # fmt: skip
    case("made up: a count of two", "sketch_read", no, dialler=[], symbols=symbols(pure + b"\x02", 64))
    case("made up: a count of three", "sketch_read", no, dialler=[], symbols=symbols(pure + b"\x03", 64))
    case("made up: another checksum", "sketch_read", no, dialler=[], symbols=symbols(item + bytes(5) + b"\x01", 64))
    case("made up: a checksum alone", "sketch_read", no, dialler=[], symbols=[(bytes(20) + b"\x01\x00").hex()])
    case("made up: a count alone", "sketch_read", no, dialler=[], symbols=[(bytes(21) + b"\x05").hex()])
    case("made up: noise", "sketch_read", no, dialler=["here", 3],
         symbols=[b"".join(sha256(bytes([at])).digest()[:22] for at in range(64)).hex()])  # fmt: skip
    case("no symbol", "sketch_read", "bad_sketch", dialler=[], symbols=[""])
    case("a part of a symbol", "sketch_read", "bad_sketch", dialler=[], symbols=["00" * 21])


def _messages(case: Callable[..., None]) -> None:
    symbol = bytes(22)

    def message(name: str, expected: Any, *values: Any) -> None:
        case(f"message: {name}", "sketch_message", expected, bytes=encode(list(values)).hex())

    message("symbols", {"first": 0, "number": 3}, 20, 1, 1, 0, symbol * 3)
    message("further symbols", {"first": 3, "number": 1}, 20, 1, 1, 3, symbol)
    message("the last symbol", {"first": 2047, "number": 1}, 20, 1, 1, 2047, symbol)
    message("no symbols: too many differences", {"first": 0, "number": 0}, 20, 1, 1, 0, b"")
    message("more", {"up_to": 32}, 21, 1, 1, 32)
    message("more, all", {"up_to": 2048}, 21, 0, 0, 2048)
    message("a want by prefix", {"wanted": ["0102030405060708"]}, 7, 0, 1, [bytes(range(1, 9))])
    bad = "bad_message"
    message("symbols without bytes", bad, 20, 1, 1, 0)
    message("symbols as text", bad, 20, 1, 1, 0, "a" * 22)
    message("symbols as an array", bad, 20, 1, 1, 0, [symbol])
    message("a part of a symbol", bad, 20, 1, 1, 0, symbol + b"\0")
    message("a symbol too short", bad, 20, 1, 1, 0, symbol[:21])
    message("further symbols, none", bad, 20, 1, 1, 3, b"")
    message("symbols beyond the last", bad, 20, 1, 1, 2047, symbol * 2)
    message("first 2,048", bad, 20, 1, 1, 2048, symbol)
    message("first below zero", bad, 20, 1, 1, -1, symbol)
    message("first as true", bad, 20, 1, 1, True, symbol)
    message("symbols of plane 2", bad, 20, 1, 2, 0, symbol)
    message("symbols of slot 4096", bad, 20, 4096, 1, 0, symbol)
    message("more up to 0", bad, 21, 1, 1, 0)
    message("more up to 2,049", bad, 21, 1, 1, 2049)
    message("more up to nil", bad, 21, 1, 1, None)
    message("more of plane 2", bad, 21, 1, 2, 32)
    message("more with a value too many", bad, 21, 1, 1, 32, 0)
    message("a want of 7 bytes", bad, 7, 0, 1, [bytes(7)])
    message("a want of 16 bytes", bad, 7, 0, 1, [bytes(16)])


def _questions(case: Callable[..., None]) -> None:
    for sent, up_to, fits in (
        (8, 10, True), (8, 9, False), (1, 2, True), (1, 1, False), (16, 19, True), (16, 18, False), (16, 16, False),
        (100, 113, True), (100, 112, False), (100, 99, False), (2000, 2048, True), (2000, 2047, False),
        (2047, 2048, True), (2047, 2047, False), (2048, 2048, False), (2048, 8, False), (1820, 2048, True),
        (1820, 2047, False),
    ):  # fmt: skip
        case(f"{sent} were sent, up to {up_to}", "sketch_more", {} if fits else "bad_sketch", sent=sent, up_to=up_to)


def _estimates(case: Callable[..., None]) -> None:
    case("estimate: nothing", "sketch_estimate", {"differences": 0}, more=0, counts="00" * 16)
    case("estimate: no counts", "sketch_estimate", {"differences": 7}, more=-7, counts="")
    here, there = Sketch(ids(["here", 50])), Sketch(ids(["there", 80]))
    counts = bytes((a - b) % 256 for a, b in zip(here.counts(1, 17), there.counts(1, 17), strict=True))
    case("estimate: 130 that differ", "sketch_estimate", None, more=-30, counts=counts.hex())
