"""The vectors of chapter 30: digests of sets, frames, the handshake and naming."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

from p2pcommons.core.encoding import decode, encode
from p2pcommons.core.identity import SigningKey
from p2pcommons.errors import FormError, RemoteProtocolError
from p2pcommons.sync import message as m
from p2pcommons.sync.digest import EMPTY, add, fingerprint, published
from p2pcommons.sync.handshake import Role, check_proof, direct_channel, hosted_channel, prove, transcript
from p2pcommons.sync.naming import tag
from p2pcommons.sync.storage import Key

ROLES = {"dialler": Role.DIALLER, "listener": Role.LISTENER}


def _digest(given: Mapping[str, Any]) -> Any:
    return {"digest": published(add(EMPTY, [bytes.fromhex(one) for one in given["ids"]])).hex()}


def _fingerprint(given: Mapping[str, Any]) -> Any:
    return {"fingerprint": fingerprint(bytes.fromhex(given["charter"]), bytes.fromhex(given["catalogue"])).hex()}


def _frame(given: Mapping[str, Any]) -> Any:
    frame = bytes.fromhex(given["bytes"])
    return {"message": type(m.decode_message(frame)).__name__.lower()}


def _transcript(given: Mapping[str, Any]) -> Any:
    return {
        "transcript": transcript(*(bytes.fromhex(given[name]) for name in ("dialler", "listener", "channel"))).hex()
    }


def _prove(given: Mapping[str, Any]) -> Any:
    key = SigningKey(bytes.fromhex(given["seed"]))
    return {
        "key": key.public.hex(),
        "proof": prove(key, ROLES[given["role"]], bytes.fromhex(given["transcript"])).hex(),
    }


def _check_proof(given: Mapping[str, Any]) -> Any:
    key, transcribed, proof = (bytes.fromhex(given[name]) for name in ("key", "transcript", "proof"))
    check_proof(key, ROLES[given["role"]], transcribed, proof)
    return {}


def _tag(given: Mapping[str, Any]) -> Any:
    return {"tag": tag(bytes.fromhex(given["commons"]), ROLES[given["role"]], bytes.fromhex(given["transcript"])).hex()}


OPERATIONS: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "set_digest": _digest,
    "commons_fingerprint": _fingerprint,
    "frame": _frame,
    "transcript": _transcript,
    "prove": _prove,
    "check_proof": _check_proof,
    "tag": _tag,
}


def answer(op: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The package's answer to one operation: {"out": …} or {"error": code}."""
    try:
        return {"out": OPERATIONS[op](given)}
    except (FormError, RemoteProtocolError) as error:
        return {"error": error.code}


class _Cases:
    def __init__(self) -> None:
        self.cases: list[dict[str, Any]] = []

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


def _bytes(name: str) -> bytes:
    return sha256(name.encode()).digest()


ALICE, BOB = SigningKey(_bytes("alice's node")), SigningKey(_bytes("bob's node"))
COMMONS, ID = _bytes("a commons"), _bytes("a record")
HELLO = m.Hello(
    key=ALICE.public, nonce=_bytes("alice's nonce"), now_ms=1_750_000_000_000, expected=BOB.public, agent="vectors"
)  # fmt: skip
ANSWER = m.Hello(
    key=BOB.public, nonce=_bytes("bob's nonce"), now_ms=1_750_000_000_250, versions=(1, 2), features=("a", "b"),
    window=4 * 1024 * 1024,
)  # fmt: skip
PACK = [ALICE.public, COMMONS, 1, 1, bytes(64), [0], [], [[bytes(32), b"", b"", b""]]]
OPENING = m.Opening(0, m.AFRESH | m.STREAM[1], m.SetDigest(3, _bytes("charter")), m.SetDigest(0, _bytes("nothing")))
MESSAGES: dict[str, m.Message] = {
    "hello of a dialler": HELLO,
    "hello of a listener": ANSWER,
    "hello over a host name": m.Hello(key=ALICE.public, nonce=bytes(32), now_ms=0, host="commons.example"),
    "proof": m.Proof(bytes(range(64))),
    "no names": m.Names(()),
    "names": m.Names(tuple(sorted(_bytes(f"tag {n}") for n in range(8)))),
    "leave": m.Leave(0, "unfollowed"),
    "open": m.Open((OPENING,)),
    "open of two": m.Open((OPENING, m.Opening(4095, 15, OPENING.charter, OPENING.catalogue))),
    "open, as it was told": m.Open((m.Echo(0, m.AFRESH),)),
    "open with a hint": m.Open((m.Opening(0, 0, OPENING.charter, OPENING.catalogue, bytes(range(16))),)),
    "range": m.Range(1, 0, bytes.fromhex("6100000200")),
    "ask from the beginning": m.Ask(1, 1, None),
    "ask from a place": m.Ask(1, 1, Key(2**63 - 1, ID)),
    "want": m.Want(1, 1, (ID,)),
    "want by prefix": m.Want(1, 1, (ID[:8], COMMONS)),
    "packs of a stream": m.Packs(1, 1, 0, Key(1, ID), [PACK]),
    "packs that answer": m.Packs(1, 0, 2, None, [PACK]),
    "packs with nothing": m.Packs(1, 1, 16384, None, []),
    "packs of new records": m.Packs(1, 1, 0, None, [PACK], 0),
    "packs of new records that came far": m.Packs(1, 0, 0, None, [PACK], 15),
    "confirm": m.Confirm(1, 1, ()),
    "confirm and refuse": m.Confirm(1, 1, ((ID, "later"), (COMMONS, "bad_body_hash"))),
    "refuse": m.Refuse(1, 0, ((ID, "not_admitted"),)),
    "done": m.Done(1, 0),
    "end": m.End("idle", "nothing was heard for a long time"),
    "news": m.News(3, 1, (ID, COMMONS)),
    "eager": m.Eager(3, 15),
    "no longer eager": m.Eager(3, 0),
    "symbols": m.Symbols(1, 1, 8, bytes(range(44))),
    "no symbols": m.Symbols(1, 1, 0, b""),
    "more": m.More(1, 1, 2048),
    "introduce without a record": m.Introduce(None, 1),
    "introduce": m.Introduce((b"\x95", bytes(range(64))), 3),
    "peers": m.Peers((((b"\x95", bytes(range(64))), 1), ((bytes(1024), bytes(64)), 255))),
    "reached": m.Reached("2001:db8::1", 3, 1),
    "reached, nothing tried": m.Reached("", 0, 0),
    "browse": m.Browse(),
    "listing of nothing": m.Listing(()),
    "listing": m.Listing(tuple(sorted((_bytes(f"commons {n}"), f"Lavoirs {n}") for n in range(64)))),
    "listing of the longest name": m.Listing(((COMMONS, "é" * 400),)),
}


def vectors() -> dict[str, Any]:
    """The vectors of this chapter."""
    cases = _Cases()
    _sameness(cases)
    _frames(cases)
    _bad_frames(cases)
    _bad_hellos(cases)
    _handshake(cases)
    return {"chapter": "30-sessions", "operations": _TEXT, "cases": cases.cases}


_TEXT = (
    "set_digest (ids) → digest, whatever the order of ids; commons_fingerprint (charter, catalogue: digests) → fingerprint; "
    "frame (bytes) → message, its name in the grammar, or the code that ends the session; transcript (dialler, listener: "
    "hello frames; channel) → transcript; prove (seed of a node key, role, transcript) → key, proof; check_proof (key, "
    "role, transcript, proof) → nothing, or the code; tag (commons, role, transcript) → tag."
)


def _sameness(cases: _Cases) -> None:
    ids = [_bytes(f"record {n}").hex() for n in range(130)]
    empty = cases.good("the empty set", "set_digest", ids=[])["digest"]
    one = cases.good("one record", "set_digest", ids=ids[:1])["digest"]
    cases.good("three records", "set_digest", ids=ids[:3])
    cases.good("three records in another order", "set_digest", ids=ids[2::-1])
    cases.good("130 records: lanes wrap", "set_digest", ids=ids)
    cases.good("a commons with nothing here", "commons_fingerprint", charter=empty, catalogue=empty)
    cases.good("a commons with its founding record", "commons_fingerprint", charter=one, catalogue=empty)
    cases.good("planes are not exchangeable", "commons_fingerprint", charter=empty, catalogue=one)


def _frames(cases: _Cases) -> None:
    for name, message in MESSAGES.items():
        cases.good(name, "frame", bytes=m.encode_message(message).hex())
    said = decode(m.encode_message(HELLO), bytes_max=4096)
    said[1]["zone"] = [1, {"x": None}]
    cases.good("a hello that says more", "frame", bytes=encode(said).hex())


def _bad_frames(cases: _Cases) -> None:
    def bad(name: str, value: Any, code: str = "bad_message") -> None:
        cases.bad(name, code, "frame", bytes=(value if isinstance(value, bytes) else encode(value)).hex())

    digest, hint = [0, ID], b""
    bad("nothing", b"", "bad_frame")
    bad("no array", 7, "bad_frame")
    bad("an array of nothing", [], "bad_frame")
    bad("a type that is no number", ["done", 0, 0], "bad_frame")
    bad("a type that is true", [True, 0], "bad_frame")
    bad("a type in two bytes", bytes.fromhex("93cc0b0000"), "bad_frame")
    bad("a byte behind the frame", bytes.fromhex("930b000000"), "bad_frame")
    bad("cut off", bytes.fromhex("930b00"), "bad_frame")
    bad("a float", bytes.fromhex("920bca00000000"), "bad_frame")
    bad("type 127", [127], "unknown_message")
    bad("type -1", [-1], "unknown_message")
    bad("a value too few", [11, 0])
    bad("a value too many", [11, 0, 0, 0])
    bad("slot 4096", [11, 4096, 0])
    bad("slot -1", [11, -1, 0])
    bad("a slot that is false", [11, False, 0])
    bad("plane 2", [11, 0, 2])
    bad("a short proof", [1, bytes(63)])
    bad("a proof that is text", [1, "x" * 64])
    bad("a short tag", [2, [bytes(31)]])
    bad("a code with a capital", [3, 0, "Unfollowed"])
    bad("an empty code", [3, 0, ""])
    bad("a long code", [3, 0, "a" * 49])
    bad("an open of nothing", [4, []])
    bad("one slot twice", [4, [[0, 0, digest, digest, hint], [0, 0, digest, digest, hint]]])
    bad("one slot twice, the second as it was told", [4, [[0, 0, digest, digest, hint], [0, 0]]])
    bad("slots that descend", [4, [[1, 0, digest, digest, hint], [0, 0, digest, digest, hint]]])
    bad("an unknown flag", [4, [[0, 16, digest, digest, hint]]])
    bad("an opening of one plane", [4, [[0, 0, digest]]])
    bad("an opening without a hint", [4, [[0, 0, digest, digest]]])
    bad("a hint of 15 bytes", [4, [[0, 0, digest, digest, bytes(15)]]])
    bad("a hint of nil", [4, [[0, 0, digest, digest, None]]])
    bad("an opening of a slot alone", [4, [[0]]])
    bad("a count below nothing", [4, [[0, 0, [-1, ID], digest, hint]]])
    bad("a count of 2^53", [4, [[0, 0, [2**53, ID], digest, hint]]])
    bad("an empty message of ranges", [5, 0, 0, b""])
    bad("ranges as text", [5, 0, 0, "a"])
    bad("a place with a time of 2^63", [6, 0, 0, [2**63, ID]])
    bad("a place of one value", [6, 0, 0, [1]])
    bad("a want of nothing", [7, 0, 0, []])
    bad("a want of a short id", [7, 0, 0, [bytes(31)]])
    bad("16,385 answers", [8, 0, 0, 16385, None, []])
    bad("a pack of seven values", [8, 0, 0, 0, None, [[0] * 7]])
    bad("a pack that is no array", [8, 0, 0, 0, None, [b""]])
    bad("a refusal without its code", [9, 0, 0, [[ID]]])
    bad("a refusal of a short id", [10, 0, 0, [[b"", "later"]]])
    bad("an end with a long text", [12, "idle", "x" * 513])
    bad("an end without a text", [12, "idle"])
    bad("a browse with a value", [13, None])
    bad("news without ids", [15, 0, 1, []])
    bad("news of 1,025 ids", [15, 0, 1, [_bytes(f"news {n}") for n in range(1025)]])
    bad("news of a short id", [15, 0, 1, [bytes(31)]])
    bad("news of plane 2", [15, 0, 2, [ID]])
    bad("eager without a number", [16, 0, True])
    bad("eager too far", [16, 0, 16])
    bad("eager beyond the slots", [16, 4096, 1])
    bad("packs of new records from too far", [8, 1, 1, 0, 16, []])
    bad("packs of new records that answer", [8, 1, 1, 1, 0, []])
    bad("introduce with an unknown wish", [17, None, 4])
    bad("introduce with an empty statement", [17, [b"", bytes(64)], 1])
    bad("introduce with a statement of 1,025 bytes", [17, [bytes(1025), bytes(64)], 1])
    bad("introduce with a short signature", [17, [b"\x95", bytes(63)], 1])
    bad("introduce with a statement alone", [17, [b"\x95"], 1])
    bad("peers, but none", [18, []])
    bad("33 peers", [18, [[[b"\x95", bytes(64)], 1]] * 33])
    bad("a peer at no address", [18, [[[b"\x95", bytes(64)], 0]]])
    bad("a peer at a ninth address", [18, [[[b"\x95", bytes(64)], 256]]])
    bad("a peer of nil", [18, [[None, 1]]])
    bad("reached, seen by a long text", [19, "x" * 46, 0, 0])
    bad("reached at a ninth address", [19, "", 256, 0])
    bad("reached without bits", [19, ""])
    bad("a listing without its list", [14])
    bad("a listing of 65", [14, sorted([_bytes(f"commons {n}"), "x"] for n in range(65))])
    bad("a listing of a short id", [14, [[bytes(31), "x"]]])
    bad("a listing of an id alone", [14, [[ID]]])
    bad("a listing of a name in bytes", [14, [[ID, b"x"]]])
    bad("a listing of a long name", [14, [[ID, "é" * 400 + "x"]]])
    bad("a listing that descends", [14, [[ID, "x"], [bytes(32), "x"]]])
    bad("a listing of one commons twice", [14, [[ID, "x"], [ID, "y"]]])


def _bad_hellos(cases: _Cases) -> None:
    said = decode(m.encode_message(HELLO), bytes_max=4096)[1]

    def bad(name: str, **parts: Any) -> None:
        changed = {key: value for key, value in {**said, **parts}.items() if value is not ...}
        cases.bad(f"hello: {name}", "bad_message", "frame", bytes=encode([0, changed]).hex())

    for key in said:
        bad(f"without {key}", **{key: ...})
    bad("no versions", versions=[])
    bad("versions that descend", versions=[2, 1])
    bad("a version twice", versions=[1, 1])
    bad("version 0", versions=[0])
    bad("version 65536", records=[65536])
    bad("17 versions", versions=list(range(1, 18)))
    bad("features out of order", features=["b", "a"])
    bad("a long feature", features=["a" * 33])
    bad("33 features", features=[f"f{n:02}" for n in range(33)])
    bad("a short key", key=bytes(31))
    bad("a nonce of nil", nonce=None)
    bad("a time before 1970", now=-1)
    bad("a time of 2^53", now=2**53)
    bad("expected nothing", expected=b"")
    bad("a window below a frame", limits={"window": 1024 * 1024 - 1})
    bad("limits without a window", limits={})
    bad("a long host", host="h" * 254)
    bad("a long agent", agent="é" * 33)
    bad("larger than a hello may be", zone=bytes(4096))


def _handshake(cases: _Cases) -> None:
    frames = {"dialler": m.encode_message(HELLO).hex(), "listener": m.encode_message(ANSWER).hex()}
    channel = direct_channel(b"a certificate")
    both = cases.good("the transcript of a direct link", "transcript", **frames, channel=channel.hex())["transcript"]
    other = cases.good(
        "the transcript over a host name", "transcript", **frames, channel=hosted_channel("commons.example").hex()
    )["transcript"]
    for role, key in (("dialler", ALICE), ("listener", BOB)):
        made = cases.good(f"the {role}'s proof", "prove", seed=key.seed().hex(), role=role, transcript=both)
        cases.good(f"the {role}'s proof is one", "check_proof", role=role, transcript=both, **made)
        turned = "listener" if role == "dialler" else "dialler"
        cases.bad(
            f"the {role}'s proof in the other role", "bad_proof", "check_proof", role=turned, transcript=both, **made
        )
        cases.bad(
            f"the {role}'s proof on another channel", "bad_proof", "check_proof", role=role, transcript=other, **made
        )
        wrong = {**made, "key": (BOB if key is ALICE else ALICE).public.hex()}
        cases.bad(f"the {role}'s proof by another key", "bad_proof", "check_proof", role=role, transcript=both, **wrong)
        cases.good(f"the {role}'s tag", "tag", commons=COMMONS.hex(), role=role, transcript=both)
        cases.good(f"the {role}'s tag in another session", "tag", commons=COMMONS.hex(), role=role, transcript=other)
