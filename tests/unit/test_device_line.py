"""The line that makes another device the same person."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pcommons.commons.device_line import PREFIX, DeviceLine, parse_device_line
from p2pcommons.core.address import parse_address
from p2pcommons.core.identity import SigningKey, did_key
from p2pcommons.core.limits import DEVICE_LINE_COMMONS_MAX
from p2pcommons.core.record import CommonsId
from p2pcommons.errors import FormError

KEY = did_key(SigningKey(bytes(32)).public).removeprefix("did:key:")
ADDRESS = parse_address(f"{KEY}@192.0.2.7:7421")
LINE = DeviceLine(b"s" * 32, b"e" * 16, (CommonsId(b"c" * 32),), (ADDRESS,))


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=16, max_size=16), st.integers(0, 3))
def test_what_is_pasted_is_what_was_copied(seed: bytes, entropy: bytes, commons: int) -> None:
    line = DeviceLine(seed, entropy, tuple(CommonsId(bytes([n]) * 32) for n in range(commons)), (ADDRESS,))
    assert parse_device_line(line.line()) == line
    assert parse_device_line(f"« {line.line()[:40]}\n{line.line()[40:]} »") == line


@given(st.integers(0, len(LINE.line()) - len(PREFIX) - 1), st.sampled_from("AZaz09-_"))
def test_a_changed_line_is_told(at: int, character: str) -> None:
    text = LINE.line()
    changed = text[: len(PREFIX) + at] + character + text[len(PREFIX) + at + 1 :]
    if changed != text:
        with pytest.raises(FormError) as refused:
            parse_device_line(changed)
        assert refused.value.code == "incomplete_device_line"


@pytest.mark.parametrize("text", ["", "p2pcommons:AAAA", "p2pcommons-device:", "p2pcommons-device:AAAA", "x" * 100_000])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(FormError):
        parse_device_line(text)


def test_what_does_not_fit_makes_no_line() -> None:
    for wrong in (
        DeviceLine(b"s" * 31, b"e" * 16, ()),
        DeviceLine(b"s" * 32, b"e" * 15, ()),
        DeviceLine(b"s" * 32, b"e" * 16, (CommonsId(b"c"),)),
        DeviceLine(b"s" * 32, b"e" * 16, (CommonsId(b"c" * 32),) * (DEVICE_LINE_COMMONS_MAX + 1)),
        DeviceLine(b"s" * 32, b"e" * 16, (), (parse_address("192.0.2.7:7421"),)),
    ):
        with pytest.raises(FormError):
            wrong.line()


def test_secrets_are_in_no_repr() -> None:
    assert repr(LINE.seed) not in repr(LINE) and repr(LINE.entropy) not in repr(LINE)
