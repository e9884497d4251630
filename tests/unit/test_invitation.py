from __future__ import annotations

from base64 import urlsafe_b64encode
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pcommons.commons.invitation import Invitation, parse_invitation
from p2pcommons.core.address import parse_address
from p2pcommons.core.encoding import encode
from p2pcommons.core.identity import TAG_INVITATION, SigningKey, did_key
from p2pcommons.core.record import CommonsId, RecordId
from p2pcommons.errors import FormError

NODE = did_key(SigningKey(bytes(range(32))).public).removeprefix("did:key:")
HOME = parse_address(f"{NODE}@192.0.2.4:7421")
PORTAL = parse_address(f"{NODE}@wss://portal.example/p2p")
COMMONS = CommonsId(sha256(b"commons").digest())
INVITE = RecordId(sha256(b"invite").digest())
WHOLE = Invitation(COMMONS, (HOME, PORTAL), INVITE, sha256(b"seed").digest())
OPEN = Invitation(COMMONS, (HOME,))


def forged(payload: bytes) -> str:
    """A line with a good checksum over bytes of one's own making."""
    data = sha256(TAG_INVITATION + payload).digest()[:4] + payload
    return "p2pcommons:" + urlsafe_b64encode(data).decode().rstrip("=")


def code_of(text: str) -> str:
    with pytest.raises(FormError) as raised:
        parse_invitation(text)
    assert raised.value.detail
    return raised.value.code


ADDRESSES = st.lists(st.sampled_from([HOME, PORTAL]), max_size=8).map(tuple)
BYTES32 = st.binary(min_size=32, max_size=32)
INVITATIONS = st.builds(Invitation, BYTES32, ADDRESSES) | st.builds(Invitation, BYTES32, ADDRESSES, BYTES32, BYTES32)


@given(INVITATIONS)
def test_an_invitation_comes_back_from_its_line(invitation: Invitation) -> None:
    line = invitation.line()
    assert parse_invitation(line) == invitation
    assert line.split() == [line]


@given(INVITATIONS, st.data())
def test_an_invitation_survives_how_people_send_it(invitation: Invitation, data: st.DataObject) -> None:
    line = invitation.line()
    at = data.draw(st.integers(11, len(line)))
    broken = line[:at] + data.draw(st.sampled_from(["\n", "\r\n  ", " ", "\n> ", "\u200b"])) + line[at:]
    assert parse_invitation(f"Viens chez nous : « {broken} »\n") == invitation
    assert parse_invitation(f"Come: {line} and bring a friend") == invitation
    assert parse_invitation(f"<{line}>.") == invitation


@given(st.data())
def test_a_changed_or_cut_invitation_is_told(data: st.DataObject) -> None:
    line = WHOLE.line()
    at = data.draw(st.integers(11, len(line) - 1))
    other = data.draw(st.sampled_from("ABCxyz019-_").filter(lambda c: c != line[at]))
    assert code_of(line[:at] + other + line[at + 1 :]) == "incomplete_invitation"
    assert code_of(line[:at]) == "incomplete_invitation"


@given(st.text())
def test_any_text_is_an_invitation_or_a_form_error(text: str) -> None:
    for tried in (text, "p2pcommons:" + text):
        with pytest.raises(FormError):
            parse_invitation(tried)


@given(st.binary(max_size=200))
def test_any_bytes_under_a_good_checksum_are_an_invitation_or_a_form_error(payload: bytes) -> None:
    try:
        parse_invitation(forged(payload))
    except FormError as error:
        assert error.code in ("bad_invitation", "unknown_invitation", "bad_address", "bad_key")


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ([2, COMMONS, [], b"", b""], "unknown_invitation"),
        ([1, COMMONS, [], b""], "bad_invitation"),
        ([1, COMMONS[:31], [], b"", b""], "bad_invitation"),
        ([1, COMMONS, [], INVITE, b""], "bad_invitation"),
        ([1, COMMONS, [], b"", INVITE], "bad_invitation"),
        ([1, COMMONS, [], INVITE, INVITE[:31]], "bad_invitation"),
        ([1, COMMONS, ["192.0.2.4:7421"], b"", b""], "bad_invitation"),
        ([1, COMMONS, [7], b"", b""], "bad_invitation"),
        ([1, COMMONS, [str(HOME)] * 9, b"", b""], "bad_invitation"),
        ([1, COMMONS, [f"{NODE}@nowhere"], b"", b""], "bad_address"),
        ({"commons": COMMONS}, "bad_invitation"),
        ([True, COMMONS, [], b"", b""], "bad_invitation"),
    ],
)
def test_a_forged_invitation_is_refused(value: object, code: str) -> None:
    assert code_of(forged(encode(value))) == code


def test_an_address_without_its_key_is_not_put_into_an_invitation() -> None:
    with pytest.raises(FormError, match="KEY@"):
        Invitation(COMMONS, (parse_address("192.0.2.4:7421"),)).line()


def test_the_private_key_is_not_in_what_gets_logged() -> None:
    assert WHOLE.seed is not None
    assert "seed" not in repr(WHOLE)


def test_nothing_at_all_is_told() -> None:
    assert code_of("") == "bad_invitation"
    assert code_of("p2pcommons:") == "incomplete_invitation"
    assert code_of("p" * 100_000) == "bad_invitation"
