"""Vectors of chapter 12: headers, bodies, ids, source URIs, times."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import msgpack
from vectors_core import Cases

from p2pcommons.core.encoding import encode, encode_body
from p2pcommons.core.identity import SigningKey
from p2pcommons.core.record import ZEROS, Record, body_hash, build


def bytes_of(name: str, size: int = 32) -> bytes:
    """Fixed bytes that look random."""
    return sha256(f"p2pcommons vectors {name}".encode()).digest()[:size]


ALICE = SigningKey(bytes_of("alice"))
BOB = SigningKey(bytes_of("bob"))
NOW_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z
FOUNDING = build(
    commons=ZEROS, plane=0, author=ALICE.public, after=ZEROS, time=NOW_MS << 16, subject=ZEROS, prev=[],
    kind="commons.found", body={"entropy": bytes_of("entropy"), "join": "invite", "name": "Lanterns"},
    salt=bytes_of("salt", 16),
)  # fmt: skip
COMMONS = bytes(FOUNDING.id)
BODY = {"set": {"title": {"fr": "Clair de lune"}, "type": "image"}, "add": {"subjects": ["lune", "mer"]}}


def edit(number: int = 0, after: bytes = ZEROS, **changed: Any) -> Record:
    """One of alice's edits in the vectors' commons."""
    values: dict[str, Any] = {
        "commons": COMMONS, "plane": 1, "author": ALICE.public, "after": after, "time": (NOW_MS + number) << 16,
        "subject": bytes_of(f"subject {number}"), "prev": [], "kind": "entry.edit", "body": BODY,
        "salt": bytes_of(f"salt {number}", 16),
    }  # fmt: skip
    return build(**{**values, **changed})


def header_values(**changed: Any) -> list[Any]:
    """The eleven values of a good header, some exchanged, in a list that nothing has checked."""
    body = encode_body(BODY)
    values: dict[str, Any] = {
        "version": 1, "commons": COMMONS, "plane": 1, "author": bytes(ALICE.public), "after": ZEROS,
        "time": NOW_MS << 16, "subject": bytes_of("subject 0"), "prev": [], "kind": "entry.edit",
        "body_hash": body_hash(bytes_of("salt 0", 16), body), "body_size": len(body),
    }  # fmt: skip
    return list({**values, **changed}.values())


def _build(cases: Cases, name: str, made: Record, body: Any) -> None:
    head = made.header
    cases.good(
        name, "build", commons=head.commons.hex(), plane=head.plane, author=head.author.hex(), after=head.after.hex(),
        time=str(head.time), subject=head.subject.hex(), prev=[item.hex() for item in reversed(head.prev)],
        kind=head.kind, body=body, salt=(made.salt or b"").hex(),
    )  # fmt: skip


def _whole(cases: Cases, name: str, made: Record) -> None:
    cases.good(
        name, "record", header=made.header_bytes.hex(), salt=(made.salt or b"").hex(), body=(made.body or b"").hex()
    )


def record_cases() -> Cases:
    cases = Cases()
    many = sorted(bytes_of(f"past {n}") for n in range(32))
    good = {
        "the founding record": FOUNDING,
        "an edit": edit(),
        "an edit with one predecessor": edit(prev=many[:1], after=bytes_of("after")),
        "15 predecessors": edit(prev=many[:15]),
        "16 predecessors": edit(prev=many[:16]),
        "32 predecessors": edit(prev=many),
        "a body of one byte": edit(body=b"\x80"),
        "a body of 127 bytes": edit(body={"t": "a" * 122}),
        "a body of 255 bytes": edit(body={"t": "a" * 250}),
        "a body of 256 bytes": edit(body={"tu": "a" * 250}),
        "a body of 65,535 bytes": edit(body={"t": "a" * (65535 - 6)}),
        "a body of 65,536 bytes": edit(body={"t": "a" * (65536 - 6)}),
        "time 0": edit(time=0), "time 2^32-1": edit(time=2**32 - 1), "time 2^32": edit(time=2**32),
        "time 2^63-1": edit(time=2**63 - 1),
        "plane 127": edit(plane=127),
        "the shortest kind": edit(kind="a.b"),
        "a kind of 31 bytes": edit(kind="a." + "b" * 29), "a kind of 32 bytes": edit(kind="a." + "b" * 30),
        "a kind of 48 bytes": edit(kind="a." + "b" * 46),
        "a kind of three words": edit(kind="a0.b_c1.d"),
        "an unknown kind": edit(kind="zeppelin.land"),
        "a plane-0 record whose subject is zeros": edit(plane=0, subject=ZEROS, kind="member.invite"),
    }  # fmt: skip
    for name, made in good.items():
        _whole(cases, name, made)
    _build(cases, "build the founding record", FOUNDING,
           {"map": [["name", "Lanterns"], ["join", "invite"], ["entropy", {"hex": bytes_of("entropy").hex()}]]})  # fmt: skip
    _build(cases, "build with keys and predecessors out of order", edit(prev=many[:3]),
           {"map": [["set", {"map": [["type", "image"], ["title", {"map": [["fr", "Clair de lune"]]}]]}],
                    ["add", {"map": [["subjects", ["lune", "mer"]]]}]]})  # fmt: skip
    _bad_headers(cases, many)
    _bad_bodies(cases)
    _sources(cases)
    _times(cases)
    return cases


def _bad_headers(cases: Cases, many: list[bytes]) -> None:
    def bad(name: str, code: str, values: Any) -> None:
        cases.bad(name, code, "header", header=(values if isinstance(values, bytes) else encode(values)).hex())

    good = encode(header_values())
    cases.good("a header alone", "header", header=good.hex())
    short, long = bytes(31), bytes(33)
    bad("version 2", "unknown_version", header_values(version=2))
    bad("version 0", "unknown_version", header_values(version=0))
    bad("version 2 with twelve values", "unknown_version", [*header_values(version=2), 1])
    bad("version -1", "unknown_version", header_values(version=-1))
    bad("version true", "bad_header", header_values(version=True))
    bad("version as text", "bad_header", header_values(version="1"))
    bad("an empty array", "bad_header", [])
    bad("a map", "bad_header", {"commons": COMMONS})
    bad("a number", "bad_header", 1)
    bad("ten values", "bad_header", header_values()[:-1])
    bad("twelve values", "bad_header", [*header_values(), 1])
    for field in ("commons", "author", "after", "subject", "body_hash"):
        for size, wrong in (("31", short), ("33", long)):
            bad(f"{field} of {size} bytes", "bad_header", header_values(**{field: wrong}))
        bad(f"{field} as text", "bad_header", header_values(**{field: "a" * 32}))
    bad("after is nil", "bad_header", header_values(after=None))
    bad("plane 128", "bad_plane", header_values(plane=128))
    bad("plane -1", "bad_plane", header_values(plane=-1))
    bad("plane true", "bad_plane", header_values(plane=True))
    bad("plane as text", "bad_plane", header_values(plane="1"))
    bad("time 2^63", "bad_time", header_values(time=2**63))
    bad("time -1", "bad_time", header_values(time=-1))
    bad("time as text", "bad_time", header_values(time="0"))
    bad("body_size 0", "bad_size", header_values(body_size=0))
    bad("body_size 65,537", "bad_size", header_values(body_size=65537))
    bad("body_size -1", "bad_size", header_values(body_size=-1))
    bad("body_size nil", "bad_size", header_values(body_size=None))
    for kind in (
        "", "entry", ".", "entry.", ".edit", "Entry.edit", "entry.Edit", "0entry.edit", "entry.0edit", "entry..edit",
        "entry_edit.a", "entry._edit", "entry.edit\n", " entry.edit", "entry.édit", "entry-edit.a", "a." + "b" * 47,
    ):  # fmt: skip
        bad(f"kind {kind!r}", "bad_kind", header_values(kind=kind))
    bad("kind as bytes", "bad_kind", header_values(kind=b"entry.edit"))
    bad("33 predecessors", "bad_prev", header_values(prev=sorted([*many, bytes_of("one more")])))
    bad("predecessors in falling order", "bad_prev", header_values(prev=[many[1], many[0]]))
    bad("16 predecessors, two exchanged", "bad_prev", header_values(prev=[many[1], many[0], *many[2:16]]))
    bad("a predecessor twice", "bad_prev", header_values(prev=[many[0], many[0]]))
    bad("a predecessor of 31 bytes", "bad_prev", header_values(prev=[short]))
    bad("a predecessor as text", "bad_prev", header_values(prev=["a" * 32]))
    bad("prev is nil", "bad_prev", header_values(prev=None))
    founding = {"commons": ZEROS, "subject": ZEROS, "plane": 0}
    bad("a founding record in plane 1", "bad_founding", header_values(**{**founding, "plane": 1}))
    bad(
        "a founding record with a subject",
        "bad_founding",
        header_values(**{**founding, "subject": bytes_of("subject 0")}),
    )
    bad("a founding record after another", "bad_founding", header_values(**founding, after=many[0]))
    bad("a founding record with a past", "bad_founding", header_values(**founding, prev=[many[0]]))
    bad("a header that ends early", "truncated", good[:-1])
    bad("a byte behind the header", "trailing_bytes", good + b"\0")
    bad("no header", "truncated", b"")
    bad("a header of 4,097 bytes", "too_large", encode([*header_values(version=2), "a" * 4097])[:4097])
    bad("version in two bytes", "not_canonical", good.replace(b"\x9b\x01", b"\x9b\xcc\x01", 1))
    bad("an array of 16-bit length", "not_canonical", b"\xdc\x00\x0b" + good[1:])
    bad("plane in two bytes", "not_canonical", good[:36] + b"\xcc" + good[36:])
    bad("commons with 16-bit length", "not_canonical", good.replace(b"\xc4\x20", b"\xc5\x00\x20", 1))
    bad("body_size in three bytes", "not_canonical", good[:-1] + b"\xcd\x00" + good[-1:])
    time = b"\xcf" + (NOW_MS << 16).to_bytes(8, "big")
    bad("time as a signed integer", "not_canonical", good.replace(time, b"\xd3" + time[1:]))
    bad("a time below 2^32 in nine bytes", "not_canonical", good.replace(time, b"\xcf" + bytes(4) + b"\xff" * 4))
    bad("kind with 8-bit length", "not_canonical", good.replace(b"\xaaentry.edit", b"\xd9\x0aentry.edit"))
    bad("prev with 16-bit length", "not_canonical", good.replace(b"\x90\xaaentry", b"\xdc\0\0\xaaentry"))
    bad("prev shorter than its count", "truncated", good.replace(b"\x90\xaaentry", b"\x9f\xaaentry")[:-33])
    bad("kind shorter than its length", "truncated", good[: good.index(b"\xaaentry")] + b"\xbfentry.edit")
    bad("a floating-point time", "forbidden_type", good.replace(time, b"\xcb" + time[1:]))


def _bad_bodies(cases: Cases) -> None:
    made = edit()
    salt, body = made.salt or b"", made.body or b""

    def bad(name: str, code: str, header: bytes, salt: bytes, body: bytes) -> None:
        cases.bad(name, code, "record", header=header.hex(), salt=salt.hex(), body=body.hex())

    def named(body: bytes) -> bytes:
        return encode(header_values(body_hash=body_hash(salt, body), body_size=len(body)))

    bad("another salt", "bad_body_hash", made.header_bytes, bytes(16), body)
    bad("another body of the same size", "bad_body_hash", made.header_bytes, salt, body.replace(b"lune", b"dune"))
    bad("a body one byte longer", "bad_body_size", made.header_bytes, salt, body + b"\0")
    bad("a body one byte shorter", "bad_body_size", made.header_bytes, salt, body[:-1])
    bad("no body", "bad_body_size", made.header_bytes, salt, b"")
    bad("no salt", "bad_salt", made.header_bytes, b"", body)
    bad("a salt of 15 bytes", "bad_salt", made.header_bytes, salt[:15], body)
    bad("a salt of 17 bytes", "bad_salt", made.header_bytes, salt + b"\0", body)
    for name, code, wrong in (
        ("a body that is an array", "bad_body", b"\x90"),
        ("a body that is text", "bad_body", b"\xa4lune"),
        ("a body that is nil", "bad_body", b"\xc0"),
        ("a body with keys out of order", "key_order", msgpack.packb({"b": 1, "a": 1})),
        ("a body with a float", "forbidden_type", msgpack.packb({"a": 1.5})),
        ("a body with 2^53", "integer_range", msgpack.packb({"a": 2**53})),
        ("a body with U+0000", "bad_text", msgpack.packb({"a": "\0"})),
        ("a body that ends early", "truncated", b"\x81\xa1a"),
        ("a body with a byte behind it", "trailing_bytes", b"\x80\x00"),
        ("a body with a long form", "not_canonical", b"\x81\xa1a\xcc\x01"),
        ("a body 17 maps deep", "too_deep", b"\x81\xa1a" * 16 + b"\x80"),
    ):
        bad(name, code, named(wrong), salt, wrong)


def _sources(cases: Cases) -> None:
    same = {
        "tate:A00001": ["  tate:A00001\n", "TATE:A00001", "Tate:A00001\t"],
        "https://example.org/é?q=1": [
            "HTTPS://Example.ORG/e\u0301?q=1", "https://example.org:443/é?q=1#part", "https://EXAMPLE.org/é?q=1",
        ],
        "http://example.org": ["http://example.org:80", "http://example.org#top", "http://EXAMPLE.ORG:80#a#b"],
        "http://Ann:Pw@example.org/": ["HTTP://Ann:Pw@Example.org:80/"],
        "http://[2001:db8::80]/x": ["http://[2001:DB8::80]:80/x"],
    }  # fmt: skip
    for normal, others in same.items():
        expected = cases.good(f"source {normal!a}", "entry_id", commons=COMMONS.hex(), source=normal)
        for other in others:
            cases.expect(f"source {other!a} is {normal!a}", "entry_id", expected, commons=COMMONS.hex(), source=other)
    seen = {case["out"]["id"] for case in cases.cases if case["op"] == "entry_id"}
    for different in (
        "tate:a00001", "tate:A00001#x", "http://example.org/", "https://example.org", "http://example.org:8080",
        "https://example.org:80", "http://example.org/%7Ea", "http://example.org/~a", "http:example.org",
        "http://example.org/a/../b", "ftp://Example.org:21/", "urn:isbn:9780140328721", "https://example.org/É?q=1",
        "https://\u212a.example/", "tate:\u00a0A00001", "tate:A00001 B",
    ):  # fmt: skip
        found = cases.good(f"source {different!a}", "entry_id", commons=COMMONS.hex(), source=different)["id"]
        if found in seen:
            raise AssertionError(different)
        seen.add(found)
    cases.good("the same source in another commons", "entry_id", commons=bytes(32).hex(), source="tate:A00001")
    for wrong in ("", "  ", "tate", ":A00001", "tate:", "  :x", "tate:A\0"):
        cases.bad(f"source {wrong!a}", "bad_source", "entry_id", commons=COMMONS.hex(), source=wrong)


def _times(cases: Cases) -> None:
    now = NOW_MS << 16
    for name, last, expected in (
        ("first time of a key", None, now),
        ("the last is long past", 1 << 16, now),
        ("the last is of this millisecond", now, now + 1),
        ("the last is a little ahead", now + (5000 << 16) + 7, now + (5000 << 16) + 8),
        ("the counter runs over into the milliseconds", now | 0xFFFF, now + 0x10000),
    ):
        given = None if last is None else str(last)
        cases.expect(name, "next_time", {"time": str(expected)}, now_ms=NOW_MS, last=given)
    for name, time, later in (
        ("ten minutes ahead", (NOW_MS + 600_000) << 16, False),
        ("ten minutes ahead, whatever the counter", (NOW_MS + 600_000) << 16 | 0xFFFF, False),
        ("ten minutes and a millisecond ahead", (NOW_MS + 600_001) << 16, True),
        ("long past", 0, False),
        ("the last time there is", 2**63 - 1, True),
    ):
        cases.expect(name, "is_later", {"later": later}, time=str(time), now_ms=NOW_MS)
