from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pcommons.core.address import Address, parse_address
from p2pcommons.core.identity import SigningKey, did_key
from p2pcommons.errors import FormError

KEY = SigningKey(bytes(range(32))).public
TEXT = did_key(KEY).removeprefix("did:key:")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("example.org:7421", Address(None, "example.org", 7421)),
        ("  Example.ORG:7421\n", Address(None, "example.org", 7421)),
        ("192.0.2.7:1", Address(None, "192.0.2.7", 1)),
        ("[2001:DB8:0::1]:65535", Address(None, "2001:db8::1", 65535)),
        (f"{TEXT}@[::1]:7421", Address(KEY, "::1", 7421)),
        (f"did:key:{TEXT}@host:7421", Address(KEY, "host", 7421)),
        ("wss://example.org", Address(None, "example.org", 443, "/")),
        ("WSS://Example.org:443/A/b", Address(None, "example.org", 443, "/A/b")),
        (f"{TEXT}@wss://example.org:8443/p2p?x=1", Address(KEY, "example.org", 8443, "/p2p?x=1")),
        ("wss://[2001:db8::2]/p", Address(None, "2001:db8::2", 443, "/p")),
        ("wss://example.org/@someone", Address(None, "example.org", 443, "/@someone")),
    ],
)
def test_an_address_is_read(text: str, address: Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "bad_address"),
        ("example.org", "bad_address"),
        ("example.org:", "bad_address"),
        ("example.org:0", "bad_address"),
        ("example.org:65536", "bad_address"),
        ("example.org:+1", "bad_address"),
        ("example.org:٣", "bad_address"),
        (":7421", "bad_address"),
        ("2001:db8::1:7421", "bad_address"),
        ("[2001:db8::1]", "bad_address"),
        ("[2001:db8::1", "bad_address"),
        ("[2001:db8::1]x:7421", "bad_address"),
        ("[example.org]:7421", "bad_address"),
        ("[fe80::1%eth0]:7421", "bad_address"),
        ("1.2.3:7421", "bad_address"),
        ("1.2.3.256:7421", "bad_address"),
        ("-a.org:7421", "bad_address"),
        ("a..org:7421", "bad_address"),
        ("bücher.example:7421", "bad_address"),
        ("exa mple.org:7421", "bad_address"),
        ("https://example.org/", "bad_address"),
        ("ws://example.org/", "bad_address"),
        ("wss://", "bad_address"),
        ("wss://example.org/a b", "bad_address"),
        ("wss://example.org/a#b", "bad_address"),
        ("wss://example.org?x", "bad_address"),
        ("wss://user@example.org/", "bad_address"),
        ("a" * 600, "bad_address"),
        ("z6Mkwrong@example.org:7421", "bad_key"),
        (f"{TEXT[:-1]}@example.org:7421", "bad_key"),
        ("@example.org:7421", "bad_key"),
    ],
)
def test_what_is_no_address_is_told(text: str, code: str) -> None:
    with pytest.raises(FormError) as raised:
        parse_address(text)
    assert raised.value.code == code
    assert raised.value.detail


LABELS = st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
NAMES = st.lists(LABELS, min_size=1, max_size=4).map(".".join)
HOSTS = NAMES | st.ip_addresses().map(str).filter(lambda host: "%" not in host)
PATHS = st.none() | st.from_regex(r"/[!-\"$-~]{0,20}", fullmatch=True)
ADDRESSES = st.builds(Address, st.sampled_from([None, KEY]), HOSTS, st.integers(1, 65535), PATHS)


@given(ADDRESSES)
def test_an_address_comes_back_from_its_text(address: Address) -> None:
    assert parse_address(str(address)) == address


@given(st.text() | st.text(alphabet="z6Mk@[]:./ws1a%#?-", max_size=40))
def test_any_text_is_an_address_or_a_form_error(text: str) -> None:
    try:
        address = parse_address(text)
    except FormError:
        return
    assert parse_address(str(address)) == address
