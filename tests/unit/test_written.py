"""Texts beside acts of plane 0: kept under their hash, and nothing but what has it is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pcommons.commons.written import WRITE, body_text, read_text, text_hash, write
from p2pcommons.core.identity import SigningKey
from p2pcommons.core.limits import BODY_BYTES_MAX, WRITTEN_CHARACTERS_MAX
from p2pcommons.core.record import ZEROS, Record, build
from p2pcommons.errors import FormError

SALT = bytes(16)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=200)


def record(body: bytes, subject: bytes, kind: str = WRITE) -> Record:
    return build(
        commons=b"c" * 32, plane=1, author=SigningKey(b"a" * 32).public, after=ZEROS, time=1 << 40, subject=subject,
        prev=(), kind=kind, body=body, salt=SALT,
    )  # fmt: skip


@given(TEXTS, st.binary(min_size=16, max_size=16))
def test_a_text_is_read_back_by_its_hash_and_by_no_other(text: str, salt: bytes) -> None:
    if not text.strip():
        return
    made = write(text, salt)
    other = write(text, bytes(reversed(salt)) if salt != salt[::-1] else b"\1" * 16)
    assert body_text(made.body) == text and text_hash(made.body) == made.hash
    assert read_text([record(made.body, made.hash)], made.hash) == text
    if other.hash != made.hash:
        assert read_text([record(other.body, made.hash)], made.hash) is None, "put under a hash that is not its own"
    assert read_text([record(made.body, made.hash, "entry.edit")], made.hash) is None
    assert read_text([record(made.body, made.hash)._replace(body=None, salt=None)], made.hash) is None


@given(st.binary(max_size=200))
def test_any_bytes_are_a_text_or_none(body: bytes) -> None:
    assert body_text(body) is None or body_text(body)


@pytest.mark.parametrize("text", ["", " \n\u2003", "a\0b", "x" * (WRITTEN_CHARACTERS_MAX + 1), "\ud800"])
def test_what_nobody_can_read_is_refused(text: str) -> None:
    with pytest.raises(FormError) as refused:
        write(text, SALT)
    assert refused.value.code == "bad_text"


def test_the_longest_text_fits_a_body_in_any_script() -> None:
    assert len(write("\U0001f30a" * WRITTEN_CHARACTERS_MAX, SALT).body) < BODY_BYTES_MAX
