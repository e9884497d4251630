"""Interfaces that lead to people, announcements as strangers write them, and what becomes of neighbours' listings."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pcommons.core.identity import SigningKey
from p2pcommons.core.limits import (
    LAN_ADDRESSES_MAX,
    LAN_INTERFACES_MAX,
    LAN_TEXT_BYTES_MAX,
    LISTING_MAX,
    NEARBY_ADDRESSES_MAX,
    NEARBY_MAX,
)
from p2pcommons.core.record import CommonsId
from p2pcommons.network.announcement import Told, label_of, reachable, read_text, text_of
from p2pcommons.network.interfaces import Card, Interface, Place, choose, look
from p2pcommons.node.lan import mark_of
from p2pcommons.node.nearby import nearby_commons

KEY, OTHER = (SigningKey(bytes([number]) * 32).public for number in (1, 2))
FOREIGN = (
    "docker0", "br-0123456789ab", "virbr0", "lxcbr0", "vmnet8", "vboxnet0", "tun0", "tap0", "wg0", "tailscale0", "ztabcdef",
    "ppp0", "dummy0", "utun3", "awdl0", "bridge100", "cali12345", "cni0", "vEthernet (WSL)", "VirtualBox Host-Only Network",
    "podman0", "flannel.1", "ipsec0", "nordlynx", "proton0", "kube-ipvs0", "vnet3", "incusbr0",
)  # fmt: skip


def card(name: str, *addresses: str, index: int = 1, **told: object) -> Card:
    found = tuple(map(ip_interface, addresses or ("10.0.0.1/24",)))
    return Card(Interface(name, index, found), **told)  # type: ignore[arg-type]


def names(cards: list[Card], *named: str) -> list[str]:
    return [interface.name for interface in choose(cards, named)]


def txt(*pairs: bytes) -> bytes:
    return b"".join(bytes([len(pair)]) + pair for pair in pairs)


def written(told: Told) -> list[bytes]:
    return [f"{name}={value}".encode() for name, value in text_of(told).items()]


# -- interfaces


def test_what_stands_on_hardware_is_used_and_nothing_beside_it() -> None:
    cards = [
        card("docker0", index=3, hardware=False),
        card("wlan0", index=2, hardware=True),
        card("eth0", index=1, hardware=True),
        card("br0", index=4, hardware=True),  # a bridge over a card
        card("eth1", index=5, hardware=True, member=True),  # that card
        card("lan7", index=6, hardware=False),
        card("wg0", index=7, hardware=False),
    ]
    assert names(cards) == ["eth0", "wlan0", "br0"]


def test_hardware_that_is_out_of_use_still_keeps_containers_out() -> None:
    radio = card("wlan0", hardware=True, ready=False)
    assert names([radio, card("eth0", index=2, hardware=False)]) == []
    silent = Card(Interface("wlan0", 1, ()), hardware=True)
    assert names([silent, card("eth0", index=2, hardware=False)]) == []


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("hardware", [False, None])
def test_containers_machines_and_tunnels_are_never_used(name: str, hardware: bool | None) -> None:
    assert names([card(name, hardware=hardware)]) == []


def test_inside_a_namespace_its_own_ends_are_used_and_pairs_only_where_there_is_nothing_else() -> None:
    ends = [card("eth0", index=1, hardware=False), card("veth1", index=2, hardware=False)]
    assert names(ends) == ["eth0"]
    assert names(ends[1:]) == ["veth1"]
    assert names([card("lan0", "fe80::1/64", hardware=False)]) == []  # nobody gave it an address


def test_where_the_system_says_no_more_names_decide() -> None:
    assert names([card("en0", index=1), card("utun0", index=2), card("Ethernet 2", index=3)]) == ["en0", "Ethernet 2"]
    assert names([card("br-lan")]) == ["br-lan"]  # a router's own network is no container's


def test_a_person_may_name_others_instead() -> None:
    cards = [card("eth0", index=1, hardware=True), card("veth12", index=2, hardware=False, ready=False)]
    assert names(cards, "veth*") == ["veth12"]
    assert names(cards, "none") == []


def test_interfaces_in_use_are_bounded() -> None:
    assert len(names([card(f"eth{n}", index=n, hardware=True) for n in range(50)])) == LAN_INTERFACES_MAX


def test_looking_tells_of_this_machine_and_never_of_loopback() -> None:
    found = look()
    assert all(not address.is_loopback for one in found for address in one.interface.addresses)
    assert "lo" not in names(found)


def test_a_bridge_over_a_card_stands_on_hardware(tmp_path: Path) -> None:
    from p2pcommons.network.interfaces import _on_hardware

    for name in ("eth0", "br0", "docker0", "veth1", "vlan5"):
        (tmp_path / name).mkdir()
    (tmp_path / "eth0" / "device").mkdir()
    for upper, lower in (("br0", "eth0"), ("docker0", "veth1"), ("vlan5", "br0")):
        (tmp_path / upper / f"lower_{lower}").symlink_to(tmp_path / lower)
    found = {name: _on_hardware(tmp_path / name) for name in ("eth0", "br0", "docker0", "veth1", "vlan5")}
    assert found == {"eth0": True, "br0": True, "docker0": False, "veth1": False, "vlan5": True}


def test_a_loop_of_interfaces_is_not_followed_for_ever(tmp_path: Path) -> None:
    from p2pcommons.network.interfaces import _on_hardware

    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "lower_a").symlink_to(tmp_path / "a")
    assert not _on_hardware(tmp_path / "a")


def test_only_addresses_where_the_node_listens_are_announced() -> None:
    interface = card("eth0", "10.0.0.7/24", "fd00::7/64", "fe80::7/64").interface
    assert Place("0.0.0.0", 7421).hosts_on(interface) == ["10.0.0.7"]
    assert Place("::", 7421).hosts_on(interface) == ["10.0.0.7", "fd00::7", "fe80::7"]
    assert Place("10.0.0.7", 7421).hosts_on(interface) == ["10.0.0.7"]
    assert Place("127.0.0.1", 7421).hosts_on(interface) == []


# -- announcements


@given(st.lists(st.integers(1, 65_535), min_size=1, max_size=16), st.sampled_from(["", "0123456789abcdef"]))
def test_what_is_told_is_what_is_read(versions: list[int], mark: str) -> None:
    told = Told(KEY, tuple(versions), mark)
    text = txt(*written(told))
    assert read_text(text) == told
    assert len(text) < LAN_TEXT_BYTES_MAX and text[1:].startswith(b"txtvers=1")


@given(st.binary(max_size=2 * LAN_TEXT_BYTES_MAX))
def test_any_bytes_are_read_or_passed_over(text: bytes) -> None:
    assert read_text(text) is None


@pytest.mark.parametrize(
    "pairs",
    [
        [],
        [b"key"],
        [b"pv="],
        [b"pv=0"],
        [b"pv=1,,2"],
        [b"pv=" + b",".join([b"1"] * 17)],
        [b"key=z6Mk"],
        [b"key=\xff\xfe"],
        [b"list=0123456789ABCDEF"],
        [b"txtvers=2"],
        [b"x" * 255, b"y" * 255],
    ],
    ids=lambda pairs: pairs[0][:12].decode("latin-1") if pairs else "nothing",
)
def test_texts_that_are_none_of_ours_are_passed_over(pairs: list[bytes]) -> None:
    right = [pair for pair in written(Told(KEY)) if pair.split(b"=")[0] not in {p.split(b"=")[0] for p in pairs}]
    assert read_text(txt(*pairs, *right) if pairs else b"") is None


def test_names_of_pairs_are_of_either_case_and_the_first_of_a_name_counts() -> None:
    pairs = [b"TXTVERS=1", b"Key=" + text_of(Told(KEY))["key"].encode(), b"PV=1", b"zone=9"]
    assert read_text(txt(*pairs)) == Told(KEY)
    assert read_text(txt(*pairs, b"key=" + text_of(Told(OTHER))["key"].encode())) == Told(KEY)


def test_a_name_tells_the_key_and_nothing_of_the_person_or_the_machine() -> None:
    assert label_of(KEY) == f"p2pcommons-{KEY.hex()[:12]}" and len(label_of(KEY)) <= 63


HOSTS = st.one_of(st.ip_addresses().map(str), st.text(max_size=20), st.just("10.0.0.9"), st.just("fe80::9"))


@given(st.lists(HOSTS, max_size=40), st.integers(-1, 70_000))
def test_an_announcement_sends_nobody_out_of_its_own_network(hosts: list[str], port: int) -> None:
    interface = card("eth0", "10.0.0.1/24", "fd00::1/64", "fe80::1/64").interface
    found = reachable(hosts, port, OTHER, interface)
    assert len(found) <= LAN_ADDRESSES_MAX and len(set(found)) == len(found)
    for address in found:
        assert address.key == OTHER and (address.port == 443 or 1024 <= address.port <= 65535)
        assert any(ip_address(address.host.partition("%")[0]) in own.network for own in interface.addresses)


def test_what_is_on_the_network_is_reachable_and_its_edges_are_not() -> None:
    interface = card("eth0", "10.0.0.1/24", "fe80::1/64").interface
    hosts = [
        "10.0.0.9",
        "10.0.0.0",
        "10.0.0.255",
        "10.0.1.9",
        "127.0.0.1",
        "224.0.0.251",
        "fe80::9",
        "fe80::a%3",
        "::1",
    ]
    found = [address.host for address in reachable(hosts, 7421, OTHER, interface)]
    assert found == ["10.0.0.9", "fe80::9%eth0", "fe80::a%eth0"]
    assert reachable(["10.0.0.9"], 25, OTHER, interface) == ()
    assert reachable(["10.0.0.9"], 443, OTHER, interface) != ()


# -- listings


def test_a_mark_changes_with_what_is_listed_and_not_with_its_order() -> None:
    one, two = (b"\x01" * 32, "Fours"), (b"\x02" * 32, "Puits")
    assert mark_of([]) == ""
    assert mark_of([one, two]) == mark_of([two, one]) != mark_of([one])
    assert read_text(txt(*written(Told(KEY, mark=mark_of([one]))))) == Told(KEY, mark=mark_of([one]))


def test_what_most_neighbours_announce_comes_first_under_the_name_that_most_give_it() -> None:
    fours, puits = b"\x01" * 32, b"\x02" * 32
    third = SigningKey(bytes([3]) * 32).public
    listings = {KEY: ((puits, "Puits"), (fours, "Fours")), OTHER: ((fours, "Fours"),), third: ((fours, "Faux"),)}
    found = nearby_commons(listings, {CommonsId(puits)}, lambda key: (f"{key.hex()[:4]}@10.0.0.1:7421",))
    assert [(one.name, one.neighbours, one.followed) for one in found] == [("Fours", 3, False), ("Puits", 1, True)]
    assert found[1].addresses == (f"{KEY.hex()[:4]}@10.0.0.1:7421",)


def test_what_neighbours_announce_is_bounded() -> None:
    peers = [SigningKey(bytes([number, 9]) * 16).public for number in range(20)]
    listings = {
        key: tuple((bytes([place, number]) * 16, "name") for number in range(LISTING_MAX))
        for place, key in enumerate(peers)
    }
    assert len(nearby_commons(listings, (), lambda key: ())) == NEARBY_MAX
    same = dict.fromkeys(peers, ((b"\x07" * 32, "name"),))
    (one,) = nearby_commons(same, (), lambda key: ("a", "b"))
    assert one.neighbours == 20 and len(one.addresses) == NEARBY_ADDRESSES_MAX
