from __future__ import annotations

from typing import Any

import pytest

from p2pcommons.core.encoding import encode, encode_body
from p2pcommons.core.identity import SigningKey
from p2pcommons.core.limits import BODY_BYTES_MAX, KIND_BYTES_MAX
from p2pcommons.core.record import (
    ZEROS,
    Record,
    body_hash,
    build,
    commons_of,
    decode_body,
    entry_id,
    is_founding,
    normalise_source,
    parse,
    parse_header,
    parse_header_plain,
    record_id,
)
from p2pcommons.errors import FormError

ALICE = SigningKey(b"\x01" * 32)
COMMONS, SUBJECT, SALT = b"\xc0" * 32, b"\x5e" * 32, b"\x5a" * 16


def edit(**changed: Any) -> Record:
    values: dict[str, Any] = {
        "commons": COMMONS, "plane": 1, "author": ALICE.public, "after": ZEROS, "time": 1_767_225_600_000 << 16,
        "subject": SUBJECT, "prev": [], "kind": "entry.edit", "body": {"set": {"type": "image"}}, "salt": SALT,
    }  # fmt: skip
    return build(**{**values, **changed})


def refusal(**changed: Any) -> str:
    with pytest.raises(FormError) as caught:
        edit(**changed)
    return caught.value.code


@pytest.mark.parametrize(
    "changed",
    [
        {}, {"time": 0}, {"time": 2**32 - 1}, {"time": 2**32}, {"time": 2**63 - 1}, {"plane": 0}, {"plane": 127},
        {"kind": "a.b"}, {"kind": "a." + "b" * 29}, {"kind": "a." + "b" * 30}, {"kind": "a." + "b" * 46},
        {"prev": [bytes([n]) * 32 for n in range(15)]}, {"prev": [bytes([n]) * 32 for n in range(16)]},
        {"prev": [bytes([n]) * 32 for n in range(32)]}, {"body": {}}, {"body": {"t": "a" * 122}},
        {"body": {"t": "a" * 124}}, {"body": {"t": "a" * 65530}},
    ],
)  # fmt: skip
def test_a_built_record_is_read_back_as_it_is(changed: dict[str, Any]) -> None:
    made = edit(**changed)
    assert made.salt is not None and made.body is not None
    assert parse(made.header_bytes, made.salt, made.body) == made
    assert parse_header_plain(made.header_bytes) == parse_header(made.header_bytes) == made.header
    assert made.id == record_id(made.header_bytes)
    assert made.content() == decode_body(made.body)


def test_predecessors_are_put_in_order() -> None:
    past = [bytes([n]) * 32 for n in range(5)]
    assert edit(prev=past[::-1]) == edit(prev=past)
    assert edit(prev=past).header.prev == tuple(past)


def test_a_body_may_be_given_as_bytes() -> None:
    assert edit(body=encode_body({"set": {"type": "image"}})) == edit()


@pytest.mark.parametrize(
    ("code", "changed"),
    [
        ("bad_prev", {"prev": [SUBJECT, SUBJECT]}), ("bad_prev", {"prev": [bytes(31)]}),
        ("bad_prev", {"prev": [bytes([n]) * 32 for n in range(33)]}),
        ("bad_kind", {"kind": "entry"}), ("bad_kind", {"kind": "a." + "b" * (KIND_BYTES_MAX - 1)}),
        ("bad_plane", {"plane": 128}), ("bad_plane", {"plane": -1}),
        ("bad_time", {"time": 2**63}), ("bad_time", {"time": -1}),
        ("bad_header", {"commons": bytes(31)}), ("bad_header", {"subject": bytes(33)}),
        ("bad_salt", {"salt": bytes(15)}), ("bad_size", {"body": b""}),
        ("too_large", {"body": {"t": "a" * BODY_BYTES_MAX}}), ("integer_range", {"body": {"t": 2**53}}),
        ("bad_founding", {"commons": ZEROS}), ("bad_founding", {"commons": ZEROS, "plane": 0}),
    ],
)  # fmt: skip
def test_what_breaks_a_rule_is_not_built(code: str, changed: dict[str, Any]) -> None:
    assert refusal(**changed) == code


def test_a_founding_record_founds_the_commons_of_its_own_id() -> None:
    founding = edit(commons=ZEROS, plane=0, subject=ZEROS, kind="commons.found")
    assert is_founding(founding)
    assert bytes(commons_of(founding)) == bytes(founding.id)
    assert not is_founding(edit())
    assert commons_of(edit()) == COMMONS


def test_another_version_is_refused_whatever_it_holds() -> None:
    for values in ([2], [0, "x"], [2, *range(20)]):
        with pytest.raises(FormError, match="unknown_version"):
            parse_header(encode(values))


def test_a_salt_hides_a_body() -> None:
    assert body_hash(SALT, b"\x80") != body_hash(bytes(16), b"\x80")
    assert edit().id != edit(salt=bytes(16)).id


def test_an_erased_record_says_so() -> None:
    with pytest.raises(FormError, match="no_body"):
        edit()._replace(salt=None, body=None).content()


@pytest.mark.parametrize(
    ("uri", "normal"),
    [
        ("tate:A00001", "tate:A00001"), (" TATE:A00001\n", "tate:A00001"), ("tate:A#1", "tate:A#1"),
        ("HTTP://Example.ORG:80/a?b#c", "http://example.org/a?b"), ("https://E.org:443", "https://e.org"),
        ("https://e.org:80/", "https://e.org:80/"), ("http://A:B@C.org:80/", "http://A:B@c.org/"),
        ("https://e.org/E\u0301", "https://e.org/\u00c9"), ("http://[::1]:80/", "http://[::1]/"),
        ("https://ÉA.org/", "https://Éa.org/"),
        ("http:Example.org#a", "http:Example.org#a"), ("http://#a", "http://"), ("\u00a0tate:A", "\u00a0tate:A"),
    ],
)  # fmt: skip
def test_sources_have_one_form(uri: str, normal: str) -> None:
    assert normalise_source(uri) == normal
    assert normalise_source(normal) == normal
    assert entry_id(COMMONS, uri) == entry_id(COMMONS, normal)


@pytest.mark.parametrize("uri", ["", " ", "tate", ":A", "tate:", "tate:\0", "tate:\ud800", "\ud800:A"])
def test_what_is_no_source_is_refused(uri: str) -> None:
    with pytest.raises(FormError, match="bad_source"):
        normalise_source(uri)


def test_the_same_source_in_two_commons_is_two_entries() -> None:
    assert entry_id(COMMONS, "tate:A") != entry_id(SUBJECT, "tate:A")
