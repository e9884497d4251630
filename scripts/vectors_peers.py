"""The vectors of chapter 35: records of nodes, what may be told, and what may be said when in a session."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from p2pcommons.core.address import parse_address
from p2pcommons.core.encoding import encode
from p2pcommons.core.identity import TAG_PEER, SigningKey
from p2pcommons.core.outside import may_exchange
from p2pcommons.errors import FormError, RemoteProtocolError
from p2pcommons.sync.message import decode_message
from p2pcommons.sync.peer_record import make_record, read_record
from p2pcommons.sync.peering import Peering

Case = dict[str, Any]
_TEXT = (
    "peer_record (statement, signature) → key, made, until, addresses, or the code; make_peer (seed of a node key, made, "
    "until, addresses) → statement, signature; newer_peer (one, other: statement and signature) → one, whether it takes "
    "the place of the other; may_tell (address) → may, whether PEERS-5 lets it be told, a name by its form alone; "
    "peering (peer: the other end's key; frames: [who, at: milliseconds, bytes] in order, who says it being we or they, "
    "ours taken as allowed) → nothing, or the code that ends the session at the first of theirs that is a fault."
)


def _bytes(name: str) -> bytes:
    return sha256(name.encode()).digest()


def _record(given: Mapping[str, Any]) -> Any:
    record = read_record(bytes.fromhex(given["statement"]), bytes.fromhex(given["signature"]))
    places = [address.target for address in record.addresses]
    return {"key": record.key.hex(), "made": record.made_ms, "until": record.until_ms, "addresses": places}


def _make(given: Mapping[str, Any]) -> Any:
    places = [parse_address(text) for text in given["addresses"]]
    made = make_record(SigningKey(bytes.fromhex(given["seed"])), places, given["made"], given["until"])
    return {"statement": made.statement.hex(), "signature": made.signature.hex()}


def _newer(given: Mapping[str, Any]) -> Any:
    one, other = (read_record(*(bytes.fromhex(part) for part in given[name])) for name in ("one", "other"))
    return {"one": one.is_newer(other)}


def _may_tell(given: Mapping[str, Any]) -> Any:
    address = parse_address(given["address"])
    return {"may": may_exchange(address.host, address.port)}


def _peering(given: Mapping[str, Any]) -> Any:
    peering = Peering(agreed=True, peer=bytes.fromhex(given["peer"]))
    for who, at, frame in given["frames"]:
        message: Any = decode_message(bytes.fromhex(frame))
        if who == "they":
            peering.take(message, at)
        elif not peering.may_say(message):
            raise AssertionError("ours is not allowed")
    return {}


OPERATIONS = {
    "peer_record": _record,
    "make_peer": _make,
    "newer_peer": _newer,
    "may_tell": _may_tell,
    "peering": _peering,
}


def answer(op: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The package's answer to one operation: {"out": …} or {"error": code}."""
    try:
        return {"out": OPERATIONS[op](given)}
    except (FormError, RemoteProtocolError) as error:
        return {"error": error.code}


class _Cases:
    def __init__(self) -> None:
        self.cases: list[Case] = []

    def good(self, name: str, op: str, **given: Any) -> Any:
        answered = answer(op, given)
        if "out" not in answered:
            raise AssertionError(f"{name}: {answered}")
        self.cases.append({"name": name, "op": op, "in": given, **answered})
        return answered["out"]

    def bad(self, name: str, code: str, op: str, **given: Any) -> None:
        if answer(op, given) != {"error": code}:
            raise AssertionError(f"{name}: {answer(op, given)} where {code} is expected")
        self.cases.append({"name": name, "op": op, "in": given, "error": code})


ALICE, BOB = SigningKey(_bytes("alice's node")), SigningKey(_bytes("bob's node"))
MADE = 1_750_000_000_000
WEEK = 7 * 24 * 3600 * 1000
PLACES = ["203.0.114.7:7421", "[2a01:4f8::7]:7421", "wss://commons.example.org/p2p"]


def vectors() -> dict[str, Any]:
    """The vectors of this chapter."""
    cases = _Cases()
    _records(cases)
    _bad_records(cases)
    _telling(cases)
    _sessions(cases)
    return {"chapter": "35-peers", "operations": _TEXT, "cases": cases.cases}


def _signed(value: Any, key: SigningKey = ALICE) -> dict[str, str]:
    statement = value if isinstance(value, bytes) else encode(value)
    return {"statement": statement.hex(), "signature": key.sign(TAG_PEER + statement).hex()}


def _value(**parts: Any) -> list[Any]:
    usual = {"version": 1, "key": ALICE.public, "made": MADE, "until": MADE + WEEK, "addresses": PLACES}
    return list({**usual, **parts}.values())


def _records(cases: _Cases) -> None:
    seed = ALICE.seed().hex()
    for name, places in (
        ("a record of three addresses", PLACES),
        ("a record of one address", PLACES[:1]),
        ("a record of eight addresses", [f"203.0.114.{n}:7421" for n in range(8)]),
        ("a record whose order is its node's", PLACES[::-1]),
    ):
        made = cases.good(name, "make_peer", seed=seed, made=MADE, until=MADE + WEEK, addresses=places)
        cases.good(f"{name}, read", "peer_record", **made)
    cases.good("a record that holds one millisecond", "peer_record", **_signed(_value(until=MADE + 1)))
    cases.good("a record of 1970", "peer_record", **_signed(_value(made=0, until=1)))
    one = list(_signed(_value()).values())
    for name, other in (
        ("made later", _value(made=MADE + 1)),
        ("of a greater statement", _value(until=MADE + WEEK - 1)),
    ):
        their = list(_signed(other).values())
        cases.good(f"a record, and one {name}", "newer_peer", one=one, other=their)
        cases.good(f"a record {name}, and the first", "newer_peer", one=their, other=one)
    cases.good("a record and itself", "newer_peer", one=one, other=one)


def _bad_records(cases: _Cases) -> None:
    def bad(name: str, code: str, value: Any, key: SigningKey = ALICE) -> None:
        cases.bad(f"record: {name}", code, "peer_record", **_signed(value, key))

    bad("nothing", "bad_peer", b"\xc0")
    bad("a byte behind it", "bad_peer", encode(_value()) + b"\0")
    bad("a number in a longer form", "bad_peer", encode(_value()).replace(b"\x95\x01", b"\x95\xcc\x01", 1))
    bad("version 2", "bad_peer", _value(version=2))
    bad("a version that is true", "bad_peer", _value(version=True))
    bad("four values", "bad_peer", _value()[:4])
    bad("six values", "bad_peer", [*_value(), 0])
    bad("a map", "bad_peer", {"key": ALICE.public})
    bad("a key as text", "bad_peer", _value(key="z6Mk"))
    bad("a short key", "bad_peer", _value(key=ALICE.public[:31]))
    bad("made before 1970", "bad_peer", _value(made=-1))
    bad("until 2^53", "bad_peer", _value(until=2**53))
    bad("made at no time", "bad_peer", _value(made=None))
    bad("no address", "bad_peer", _value(addresses=[]))
    bad("nine addresses", "bad_peer", _value(addresses=[f"203.0.114.{n}:7421" for n in range(9)]))
    bad("an address in bytes", "bad_peer", _value(addresses=[PLACES[0].encode()]))
    bad("addresses as text", "bad_peer", _value(addresses=PLACES[0]))
    bad("a key of small order", "bad_key", _value(key=bytes(32)))
    bad("a key that is not canonical", "bad_key", _value(key=b"\xff" * 32))
    bad("until it is made", "bad_period", _value(until=MADE))
    bad("until before it is made", "bad_period", _value(until=MADE - 1))
    bad("a millisecond longer than a week", "bad_period", _value(until=MADE + WEEK + 1))
    for name, place in (
        ("with its key", "z6MktwupdmLXVVqTzCw4i46r4uGyosGXRnR3XjN4Zq7oMMsw@203.0.114.7:7421"),
        ("without a port", "203.0.114.7"),
        ("of port 0", "203.0.114.7:0"),
        ("with a capital", "Commons.example.org:7421"),
        ("with white space", " 203.0.114.7:7421"),
        ("of IPv6 in another form", "[2a01:04f8::7]:7421"),
        ("with a zone", "[fe80::1%eth0]:7421"),
        ("of wss with its usual port", "wss://commons.example.org:443/p2p"),
        ("of wss without a path", "wss://commons.example.org"),
        ("of http", "https://commons.example.org/p2p"),
        ("of nothing", ""),
        ("longer than 512 characters", "wss://commons.example.org/" + "p" * 487),
    ):
        bad(f"an address {name}", "bad_address", _value(addresses=[PLACES[0], place]))
    bad("an address twice", "bad_address", _value(addresses=[PLACES[0], PLACES[0]]))
    bad("signed by another key", "bad_signature", _value(), BOB)
    signed = _signed(_value())
    statement = bytes.fromhex(signed["statement"])
    other = encode(_value(addresses=PLACES[:1])).hex()
    cases.bad("record: another statement", "bad_signature", "peer_record", **{**signed, "statement": other})
    bare = {"statement": signed["statement"], "signature": ALICE.sign(statement).hex()}
    cases.bad("record: signed without the tag", "bad_signature", "peer_record", **bare)
    wrong = {**signed, "signature": ALICE.sign(b"p2pcommons hello v1\0" + statement).hex()}
    cases.bad("record: signed with another tag", "bad_signature", "peer_record", **wrong)
    long = encode(_value(addresses=[f"wss://{n}.example.org/{'p' * 150}" for n in range(7)]))
    assert len(long) > 1024
    cases.bad("record: 1,025 bytes and more", "bad_peer", "peer_record", **_signed(long))


def _telling(cases: _Cases) -> None:
    for place in (
        "203.0.114.7:7421", "203.0.114.7:443", "203.0.114.7:1024", "203.0.114.7:1023", "203.0.114.7:22", "127.0.0.1:7421",
        "10.0.0.7:7421", "172.17.0.2:7421", "192.168.1.7:7421", "169.254.1.7:7421", "100.64.0.7:7421", "0.0.0.0:7421",
        "224.0.0.251:7421", "255.255.255.255:7421", "192.0.2.7:7421", "[2a01:4f8::7]:7421", "[::1]:7421", "[::]:7421",
        "[fe80::7]:7421", "[fd00::7]:7421", "[ff02::fb]:7421", "[2001:db8::7]:7421", "[::ffff:10.0.0.7]:7421",
        "[2002:a00:7::1]:7421", "[64:ff9b::a00:7]:7421", "[64:ff9b::cb00:7207]:7421", "commons.example.org:7421",
        "wss://commons.example.org/p2p", "wss://commons.example.org:80/p2p", "localhost:7421", "intranet:7421",
        "printer.local:7421", "a.localhost:7421", "vault.internal:7421",
    ):  # fmt: skip
        cases.good(f"may {place} be told", "may_tell", address=place)


def _sessions(cases: _Cases) -> None:
    alice, bob = _signed(_value()), _signed(_value(key=BOB.public), BOB)
    theirs = [bytes.fromhex(part) for part in alice.values()]
    others = [bytes.fromhex(part) for part in bob.values()]
    ask, introduce = encode([17, None, 1]), encode([17, theirs, 3])
    told = encode([18, [[others, 5]]])

    def frames(*said: tuple[str, int, bytes]) -> dict[str, Any]:
        return {"peer": ALICE.public.hex(), "frames": [[who, at, frame.hex()] for who, at, frame in said]}

    cases.good("they introduce themselves", "peering", **frames(("they", 0, introduce)))
    cases.good("they tell of others, asked", "peering", **frames(("we", 0, ask), ("they", 5, told)))
    cases.good("they tell twice", "peering", **frames(("we", 0, ask), ("they", 5, told), ("they", 30_005, told)))
    reach = encode([19, "203.0.114.9", 3, 2])
    ours = encode([17, others, 2])
    cases.good("they dial back, asked", "peering", **frames(("we", 0, ours), ("they", 900, reach)))
    cases.good("ten waited on the line", "peering", **frames(*[("they", 9, ask)] * 10))
    paced = [("they", at * 60_000, ask) for at in range(30)]
    cases.good("one a minute", "peering", **frames(*paced))

    def bad(name: str, code: str, *said: tuple[str, int, bytes]) -> None:
        cases.bad(f"peering: {name}", code, "peering", **frames(*said))

    bad("another node's record", "wrong_peer", ("they", 0, encode([17, others, 1])))
    bad("eleven at once", "too_soon", *[("they", 9, ask)] * 11)
    bad("one a second", "too_soon", *[("they", at * 1000, ask) for at in range(11)])
    bad("others, not asked", "unexpected_message", ("they", 0, told))
    bad(
        "others, asked no longer",
        "unexpected_message",
        ("we", 0, ask),
        ("we", 1, encode([17, None, 0])),
        ("they", 5, told),
    )
    bad("eleven answers at once", "too_soon", ("we", 0, ask), *[("they", 5, told)] * 11)
    bad("themselves as others", "bad_peers", ("we", 0, ask), ("they", 5, encode([18, [[theirs, 1]]])))
    bad("one node twice", "bad_peers", ("we", 0, ask), ("they", 5, encode([18, [[others, 1], [others, 2]]])))
    bad("a fourth address of three", "bad_peers", ("we", 0, ask), ("they", 5, encode([18, [[others, 8]]])))
    bad("a record that is none", "bad_peer", ("we", 0, ask), ("they", 5, encode([18, [[[b"\xc0", bytes(64)], 1]]])))
    bad(
        "a record not signed", "bad_signature", ("we", 0, ask), ("they", 5, encode([18, [[[others[0], bytes(64)], 1]]]))
    )
    bad("reached, not asked", "unexpected_message", ("they", 0, reach))
    bad("reached, asked for others", "unexpected_message", ("we", 0, ask), ("they", 5, reach))
    bad("reached twice", "unexpected_message", ("we", 0, ours), ("they", 5, reach), ("they", 6, reach))
    bad("reached where not tried", "bad_reached", ("we", 0, ours), ("they", 5, encode([19, "", 1, 2])))
    bad("a fourth of three tried", "bad_reached", ("we", 0, ours), ("they", 5, encode([19, "", 8, 0])))
    bad(
        "tried where there is no address",
        "bad_reached",
        ("we", 0, encode([17, None, 2])),
        ("they", 5, encode([19, "", 1, 0])),
    )
    bad("a dial back asked for again", "unexpected_message", ("they", 0, introduce), ("they", 60_000, introduce))
