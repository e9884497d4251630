from __future__ import annotations

import enum
import tracemalloc
from collections import OrderedDict
from typing import Any, NamedTuple

import pytest

from p2pcommons.core import encoding
from p2pcommons.core.encoding import decode, encode, encode_body, plain
from p2pcommons.core.limits import INTEGER_BODY_MAX
from p2pcommons.errors import FormError


def code_of(data: bytes, **bounds: int) -> str:
    with pytest.raises(FormError) as caught:
        decode(data, **{"bytes_max": 1 << 20, **bounds})
    return caught.value.code


def refusal(value: Any, **bounds: int) -> str:
    with pytest.raises(FormError) as caught:
        encode(value, **bounds)
    return caught.value.code


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def test_map_keys_are_put_in_the_order_of_their_bytes() -> None:
    assert encode({"b": 1, "a": 2, "\U00010000": 3, "\uffff": 4, "": 5}) == bytes.fromhex(
        "85a005a16102a16201a3efbfbf04a4f090808003"
    )


def test_subclasses_are_encoded_as_what_they_are() -> None:
    class Plane(enum.IntEnum):
        CATALOGUE = 1

    class Colour(enum.StrEnum):
        GREEN = "green"

    class Pair(NamedTuple):
        a: int
        b: bytes

    value = {"p": Plane.CATALOGUE, "c": Colour.GREEN, "n": Pair(1, b"x"), "o": OrderedDict([("b", 1), ("a", (2,))])}
    same = {"p": 1, "c": "green", "n": [1, b"x"], "o": {"a": [2], "b": 1}}
    assert encode(value) == encode(same)
    assert decode(encode(value), bytes_max=100) == same
    assert encode({Colour.GREEN: bytearray(b"x")}) == encode({"green": b"x"})


@pytest.mark.parametrize("value", [1.0, float("nan"), object(), {1: 2}, {b"a": 1}, {None: 1}, {"a": 1, 2: 3}, {1, 2}])
def test_what_has_no_form_is_refused(value: Any) -> None:
    assert refusal(value) == "forbidden_type"
    assert refusal([value]) == "forbidden_type"


@pytest.mark.parametrize("text", ["\0", "a\0b", "\ud800", "\udfffa"])
def test_text_without_a_form_is_refused_wherever_it_stands(text: str) -> None:
    for value in (text, [text], {"k": text}, {text: 1}, {"z": 1, "a": text}, {"z": {"b": 1, text: 2}}, (text,)):
        assert refusal(value) == "bad_text"


def test_nesting_ends_at_sixteen() -> None:
    assert decode(encode(nested(16)), bytes_max=100) == nested(16)
    assert refusal(nested(17)) == "too_deep"
    itself: list[Any] = []
    itself.append(itself)
    assert refusal(itself) == "too_deep"


def test_integers_of_a_body_fit_in_53_bits() -> None:
    assert encode_body({"a": INTEGER_BODY_MAX, "b": -INTEGER_BODY_MAX})
    for number in (2**53, -(2**53), 2**64):
        assert refusal({"b": 1, "a": number}, integer_max=INTEGER_BODY_MAX) == "integer_range"
        assert refusal({"a": number}, integer_max=INTEGER_BODY_MAX) == "integer_range"
    for number in (2**64, -(2**63) - 1):
        assert refusal(number) == "integer_range"
        assert refusal([number]) == "integer_range"


def test_a_failed_encoding_leaves_nothing_in_the_next_one() -> None:
    for bad in (["a" * 50, "\ud800"], ["a" * 50, 2**64], ["a" * 50, 1.5]):
        refusal(bad)
        assert encode([1]) == b"\x91\x01"


def test_nested_claims_cost_no_memory() -> None:
    size = 1 << 20
    claims = (b"\xdd" + (size - 5000).to_bytes(4, "big")) * 1000
    data = claims + b"\xc0" * (size - len(claims))
    tracemalloc.start()
    try:
        assert code_of(data) == "too_deep"
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * size


def test_claims_beyond_the_bytes_are_refused_before_anything_is_read() -> None:
    assert code_of(b"\xdd\xff\xff\xff\xff" + b"\xc1" * 100) == "truncated"
    assert code_of(b"\xdf\x00\x01\x00\x00" + b"\xc1" * 0x10000) == "truncated"


def test_integer_keys_are_refused_before_they_are_stored() -> None:
    # Keys that a hash table would put in one place: linear to refuse, whatever their number.
    keys = b"".join(b"\xcf" + (n << 40 | 1 << 39).to_bytes(8, "big") + b"\xc0" for n in range(1 << 16))
    data = b"\xdf\x00\x01\x00\x00" + keys
    assert code_of(data) == "forbidden_type"


def test_the_first_fault_from_the_left_gives_the_code() -> None:
    assert code_of(b"\x93\xa1\xff\xcc\x05\xc1") == "bad_text"
    assert code_of(b"\x93\xcc\x05\xa1\xff\xc1") == "not_canonical"
    assert code_of(b"\x93\xc1\xcc\x05\xa1\xff") == "forbidden_type"


def test_a_longer_string_than_allowed_is_not_looked_at() -> None:
    assert code_of(b"\xc1" * 10, bytes_max=9) == "too_large"


def test_the_plain_reader_is_not_needed_for_what_is_canonical(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode({"a": [1, -1, b"x", None, True, {"b": "é" * 40}], "z": ["t"] * 2000})

    def never(*_: object) -> None:
        raise AssertionError("the fast path gave up")

    monkeypatch.setattr(encoding, "plain", never)
    assert encode(decode(data, bytes_max=len(data))) == data


def test_the_plain_reader_judges_alone() -> None:
    assert plain(b"\x82\xa1a\x01\xa1b\xc4\x01x") == {"a": 1, "b": b"x"}
    with pytest.raises(FormError, match="key_order"):
        plain(b"\x82\xa1b\x01\xa1a\x01")
