from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pcommons.core.identity import SigningKey, did_key, is_point, parse_did_key, recovery_key, verify
from p2pcommons.errors import FormError

P = 2**255 - 19
ALICE = SigningKey(b"\x01" * 32)
keys = st.binary(min_size=32, max_size=32).map(SigningKey)


@given(keys, st.binary(max_size=100))
def test_what_a_key_signs_verifies(key: SigningKey, message: bytes) -> None:
    assert verify(key.public, key.sign(message), message)


@given(st.binary(max_size=40), st.integers(0, 64 * 8 - 1))
def test_one_bit_of_a_signature_decides(message: bytes, bit: int) -> None:
    signature = bytearray(ALICE.sign(message))
    signature[bit // 8] ^= 1 << bit % 8
    assert not verify(ALICE.public, bytes(signature), message)


@given(st.binary(max_size=70), st.binary(max_size=70), st.binary(max_size=5))
def test_any_bytes_give_true_or_false(public: bytes, signature: bytes, message: bytes) -> None:
    assert verify(public, signature, message) in (True, False)


@given(keys)
def test_text_of_a_key_gives_the_key_back(key: SigningKey) -> None:
    text = did_key(key.public)
    assert text.startswith("did:key:z6Mk")
    assert parse_did_key(text) == parse_did_key(text.removeprefix("did:key:")) == key.public


@given(st.text(max_size=80))
def test_any_text_gives_a_key_or_bad_key(text: str) -> None:
    try:
        key = parse_did_key(text)
    except FormError as error:
        assert error.code == "bad_key"
    else:
        assert did_key(key) == "did:key:" + text.removeprefix("did:key:")


def test_a_key_has_one_text() -> None:
    bare = did_key(ALICE.public).removeprefix("did:key:z")
    for other in (f"did:key:z1{bare}", f"did:key:z{bare}1", f"x{bare}", f"did:key:Z{bare}", f"did:key:did:key:z{bare}"):
        with pytest.raises(FormError, match="bad_key"):
            parse_did_key(other)


def test_a_key_that_cannot_sign_is_no_key_as_text() -> None:
    for y in (0, 1, P - 1, P, P + 1, P + 3):
        with pytest.raises(FormError, match="bad_key"):
            parse_did_key(did_key(y.to_bytes(32, "little")))


@pytest.mark.parametrize("sign", [0, 1 << 255])
def test_points_of_small_order_and_long_forms_are_no_points(sign: int) -> None:
    for y in (0, 1, P - 1, P, P + 1, P + 18):
        assert not is_point((y | sign).to_bytes(32, "little"))
    assert is_point((2 | sign).to_bytes(32, "little"))
    assert not is_point(ALICE.public + b"\0")
    assert not is_point(b"")


def test_what_is_shown_of_a_key_is_public() -> None:
    assert repr(ALICE) == f"SigningKey({did_key(ALICE.public)})"
    assert ALICE.seed().hex() not in repr(ALICE)
    assert SigningKey(ALICE.seed()).public == ALICE.public


def test_a_recovery_key_comes_from_sixteen_bytes() -> None:
    assert recovery_key(bytes(16)).public == recovery_key(bytes(16)).public != recovery_key(bytes(15) + b"\1").public
    for size in (0, 15, 17, 32):
        with pytest.raises(FormError, match="bad_words"):
            recovery_key(bytes(size))
