"""What people call themselves: what fits, whose word counts, and how two of one name are told apart."""

from __future__ import annotations

from random import Random

import pytest

from p2pcommons.commons.names import PROFILE, is_name, name_of, profile, read_profile
from p2pcommons.core.encoding import encode_body
from p2pcommons.core.identity import PublicKey, SigningKey
from p2pcommons.core.record import ZEROS, CommonsId, Record, build
from p2pcommons.errors import FormError
from p2pcommons.node.values import Instant, MemberInfo, MembersInfo
from p2pcommons.web.naming import names_of

ANA, BOB = (SigningKey(bytes([at]) * 32).public for at in (1, 2))


def said(by: bytes, name: str, time: int, subject: bytes | None = None) -> Record:
    return build(
        commons=bytes([9]) * 32, plane=1, author=by, after=ZEROS, time=time << 16, subject=subject or by, prev=[], kind=PROFILE,
        body=profile(name), salt=bytes(16),
    )  # fmt: skip


@pytest.mark.parametrize(
    "name", ["A", "Ana Le Goff", "\u0410\u043d\u043d\u0430", "\u0622\u0646\u0627", "a" * 60, "Zo\u00eb \U0001f33b"]
)
def test_a_name_of_any_script_fits(name: str) -> None:
    assert is_name(name) and read_profile(profile(name)) == name


@pytest.mark.parametrize(
    "name",
    [
        " Ana",
        "Ana ",
        "a" * 61,
        "A\nB",
        "A\tB",
        "A\u202eB",
        "A\u2066B",
        "A\u200bB",
        "A\u200fB",
        "A\ufeffB",
        "A\x85B",
        "\u3000",
    ],
)
def test_what_hides_or_is_too_long_is_no_name(name: str) -> None:
    assert not is_name(name) and read_profile(encode_body({"name": name})) is None
    with pytest.raises(FormError, match="name"):
        profile(name)


@pytest.mark.parametrize("body", [b"", b"\x80", encode_body({"name": 7}), encode_body({"name": None})])
def test_a_body_that_does_not_fit_says_nothing(body: bytes) -> None:
    assert read_profile(body) is None


def test_the_last_word_of_the_persons_own_keys_holds_in_any_order() -> None:
    records = [
        said(ANA, "Ana", 1),
        said(ANA, "Anna", 3),
        said(BOB, "Chief", 9, ANA),
        said(ANA, "Chief", 9, BOB),
        said(ANA, "A", 2),
    ]
    for seed in range(10):
        Random(seed).shuffle(records)
        assert name_of([*records, *records[:2]], [ANA], lambda record: True) == "Anna"
    assert name_of([*records, said(BOB, "Ann", 4)], [ANA, BOB], lambda record: True) == "Ann"
    assert name_of(records, [ANA], lambda record: record.header.time != 3 << 16) == "A"
    assert name_of([*records, said(ANA, "", 5)], [ANA], lambda record: True) is None
    assert name_of([], [ANA], lambda record: True) is None


def test_two_of_one_name_are_shown_with_their_keys() -> None:
    def member(key: PublicKey, name: str | None) -> MemberInfo:
        return MemberInfo(key, (key,), Instant(0), None, False, False, name=name)

    def shown(*names: str | None) -> list[str]:
        some = tuple(member(key, name) for key, name in zip((ANA, BOB), names, strict=True))
        return sorted(names_of(MembersInfo(CommonsId(bytes(32)), 1, False, some, ())).values())

    assert shown("Ana", "Bob") == ["Ana", "Bob"]
    assert shown("Ana", None) == ["Ana"]
    same = shown("Ana", "ANA")
    assert len(set(same)) == 2 and all("(z6Mk" in name for name in same)
