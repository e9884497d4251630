"""Which of this machine's network interfaces lead to a local network of people (chapter 34, "Interfaces").

A machine has more interfaces than cables: bridges of containers, ends of virtual machines, tunnels. To tell others
an address of these is to send them nowhere. `look` asks the system, `choose` is the rule, without asking anything.
"""

from __future__ import annotations

import re
import socket
import struct
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import IPv4Interface, IPv6Interface, ip_interface
from pathlib import Path
from typing import Final, NamedTuple

import ifaddr

from p2pcommons.core.limits import LAN_ADDRESSES_MAX, LAN_INTERFACES_MAX

if sys.platform == "linux":
    import fcntl

SYSTEM: Final = Path("/sys/class/net")
_SIOCGIFFLAGS: Final = 0x8913
_UP: Final = 0x1
_BROADCAST: Final = 0x2
_LOOPBACK: Final = 0x8
_POINT_TO_POINT: Final = 0x10
_RUNNING: Final = 0x40  # the cable is in, or the radio has its network
_NO_ARP: Final = 0x80
_MULTICAST: Final = 0x1000

# What names say where the system does not say more. Linux first, then macOS, then words in Windows' names.
_NOT_PEOPLES: Final = re.compile(
    r"(docker|br-[0-9a-f]{12}$|virbr|lxcbr|lxdbr|incusbr|cni|cali|cilium|flannel|kube|podman|nerdctl|vmnet|vboxnet"
    r"|vnet|dummy|ifb|tun|tap|wg|tailscale|zt|ppp|ipsec|nebula|nordlynx|proton|vxlan|gre|sit|teql|ip6tnl|wwan"
    r"|utun|awdl|llw|anpi|ap\d|gif|stf|bridge\d)"
    r"|.*(vethernet|virtualbox|vmware|hyper-v|wireguard|openvpn|loopback)",
    re.IGNORECASE,
)
_PAIR: Final = re.compile(r"veth", re.IGNORECASE)
_ANYWHERE: Final = ("", "::", "0.0.0.0")


@dataclass(frozen=True, slots=True)
class Interface:
    """An interface and its addresses. `flaps` grows each time the cable was out, so that a short time out shows."""

    name: str
    index: int
    addresses: tuple[IPv4Interface | IPv6Interface, ...]
    flaps: int = 0


class Card(NamedTuple):
    """What the system tells of one interface."""

    interface: Interface
    ready: bool = True  # up, with a cable or radio, able to multicast, no loopback and no tunnel end
    member: bool = False  # part of a bridge or bond, which has the address
    hardware: bool | None = None  # stands on hardware, itself or through what it is made of; None: not known


def choose(cards: Iterable[Card], named: Sequence[str] = ()) -> tuple[Interface, ...]:
    """The interfaces to use; with `named` (names, `*` allowed) those, and nothing else is asked of them.

    DISCOVERY-6: what stands on hardware; where there is no hardware at all (a container, a namespace), the plain
    Ethernet ends with an address of a network, whose name is not one of containers', machines' or tunnels'; those
    named `veth…` only if there is no other.
    """
    cards = sorted(cards, key=lambda card: card.interface.index)
    usable = [card for card in cards if card.interface.addresses]
    if named:
        chosen = [c for c in usable if any(fnmatchcase(c.interface.name, pattern) for pattern in named)]
    elif any(card.hardware for card in cards):
        chosen = [c for c in usable if c.hardware and c.ready and not c.member]
    else:
        plain = [c for c in usable if c.ready and not c.member and _is_plain(c.interface)]
        chosen = [c for c in plain if not _PAIR.match(c.interface.name)] or plain
    return tuple(card.interface for card in chosen[:LAN_INTERFACES_MAX])


def _is_plain(interface: Interface) -> bool:
    networked = any(address.version == 4 or not address.is_link_local for address in interface.addresses)
    return networked and not _NOT_PEOPLES.match(interface.name)


class Place(NamedTuple):
    """Where the node listens: `host` as bound, and the port."""

    host: str
    port: int

    @property
    def is_everywhere(self) -> bool:
        """Whether it listens on every address of the machine, or every one of a family."""
        return self.host in _ANYWHERE

    def hosts_on(self, interface: Interface) -> list[str]:
        """Its addresses on one interface."""
        own = [address.ip for address in interface.addresses]
        if not self.is_everywhere:
            return [str(ip) for ip in own if str(ip) == self.host]
        return [str(ip) for ip in own if ip.version == 4 or self.host != "0.0.0.0"]


def look(system: Path = SYSTEM) -> list[Card]:
    """All interfaces that have an address now. Takes less than a millisecond; asks the system, sends nothing."""
    names = {name for _, name in socket.if_nameindex()} if hasattr(socket, "if_nameindex") else set()
    # In a network namespace /sys may show another one: then it says nothing about ours.
    told = sys.platform == "linux" and names == {path.name for path in system.glob("*") if path.is_dir()}
    cards = []
    known = set()
    for adapter in ifaddr.get_adapters():
        addresses = tuple(one for ip in adapter.ips if (one := _address(ip)) is not None)[:LAN_ADDRESSES_MAX]
        name = str(adapter.nice_name)
        known.add(name)
        cards.append(_card(Interface(name, adapter.index or 0, addresses), system if told else None))
    # Hardware without an address tells that this machine has hardware.
    cards += [_card(Interface(name, 0, ()), system) for name in sorted(names - known) if told]
    return cards


def _address(found: ifaddr.IP) -> IPv4Interface | IPv6Interface | None:
    host = found.ip if isinstance(found.ip, str) else found.ip[0]
    try:
        address = ip_interface(f"{host.partition('%')[0]}/{found.network_prefix}")
    except ValueError:
        return None
    if address.is_loopback or address.is_unspecified or address.is_multicast:
        return None
    return address


def _card(interface: Interface, system: Path | None) -> Card:
    flags = _flags(interface.name)
    if flags is None:
        return Card(interface)
    wanted, unwanted = _UP | _RUNNING | _MULTICAST | _BROADCAST, _LOOPBACK | _POINT_TO_POINT | _NO_ARP
    ready = flags & wanted == wanted and not flags & unwanted
    if system is None:
        return Card(interface, ready)
    folder = system / interface.name
    flaps = 0
    with suppress(OSError, ValueError):
        flaps = int((folder / "carrier_changes").read_text())
    counted = Interface(interface.name, interface.index, interface.addresses, flaps)
    return Card(counted, ready, (folder / "master").exists(), _on_hardware(folder))


def _on_hardware(folder: Path, depth: int = 0) -> bool:
    """Whether an interface is a device, or a bridge, bond or VLAN upon one."""
    if (folder / "device").exists():
        return True
    return depth < 4 and any(_on_hardware(below, depth + 1) for below in folder.glob("lower_*"))


def _flags(name: str) -> int | None:
    """The flags of an interface of this network namespace; None where the system does not tell."""
    if sys.platform != "linux":
        return None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            answer = fcntl.ioctl(asked, _SIOCGIFFLAGS, struct.pack("16sH14x", name.encode()[:15], 0))
        except OSError:  # gone since
            return 0
    flags: int = struct.unpack("16sH14x", answer)[1]
    return flags
