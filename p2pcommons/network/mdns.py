"""Nodes on the same local network find each other: DNS-SD over multicast DNS (chapter 34; RFC 6762, RFC 6763).

Each interface is a world of its own: it announces the addresses it has there and hears who is there. Interfaces come
and go; who announces what is a stranger's word, read by `announcement`. Whom to dial is the node's business.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Final, TypeAlias

from zeroconf import Error, IPVersion, ServiceInfo, ServiceStateChange
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from p2pcommons.core.identity import did_key
from p2pcommons.core.limits import (
    LAN_NAMES_MAX,
    LAN_POLL_MS,
    LAN_RENAME_MS_MAX,
    LAN_RESOLVE_MS_MAX,
    LAN_RESOLVING_MAX,
)
from p2pcommons.network.announcement import SERVICE, Neighbour, Told, label_of, reachable, read_text, text_of
from p2pcommons.network.interfaces import Card, Interface, Place, choose, look

logger = logging.getLogger(__name__)

_RETRIES_S: Final = (0.0, 5.0, 30.0)  # when an announcement that did not say everything is asked about again
_CLOSE_S_MAX: Final = 2.0
# Linux gives every socket the multicast of all groups that any socket joined, unless told otherwise (ip(7)).
_IP_MULTICAST_ALL: Final = 49
_IPV6_MULTICAST_ALL: Final = 29


@dataclass(frozen=True, slots=True)
class Found:
    """A neighbour announces itself, or announces something else than before."""

    neighbour: Neighbour


@dataclass(frozen=True, slots=True)
class Lost:
    """An announcement ended, or was not renewed."""

    interface: str
    name: str


@dataclass(frozen=True, slots=True)
class InterfaceLost:
    """An interface went, lost its cable for a while or changed its addresses. Links by what is gone of them are dead."""

    interface: Interface
    gone: frozenset[IPv4Address | IPv6Address]


@dataclass(frozen=True, slots=True)
class InterfaceFound:
    """An interface is used from now on."""

    interface: Interface


@dataclass(frozen=True, slots=True)
class Looked:
    """The interfaces were looked at: these are all addresses that this machine has now, loopback's apart."""

    present: frozenset[IPv4Address | IPv6Address]


Event: TypeAlias = Found | Lost | InterfaceLost | InterfaceFound | Looked


class LocalNetwork:
    """Announces this node on every interface of people and tells who else is there, within `async with`.

    `place`: where the node listens; None: it only looks. `tell` is called in the event loop for each event. `named`:
    interfaces to use instead of those that the rule of chapter 34 picks.
    """

    def __init__(
        self,
        told: Told,
        place: Place | None,
        tell: Callable[[Event], None],
        *,
        named: Sequence[str] = (),
        look: Callable[[], Iterable[Card]] = look,
        poll_ms: int = LAN_POLL_MS,
    ) -> None:
        self._told, self._place, self._tell = told, place, tell
        self._named, self._look, self._poll_s = tuple(named), look, poll_ms / 1000
        self._segments: dict[Interface, _Segment] = {}
        self._watching: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> LocalNetwork:
        # What it cannot send through an interface that is going it tells with a traceback; we tell that it went.
        logging.getLogger("zeroconf").setLevel(logging.CRITICAL)
        await self._look_again()
        self._watching = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        for interface in list(self._segments):
            self._close(interface)
        if self._closing:
            await asyncio.wait(self._closing, timeout=_CLOSE_S_MAX)
        for task in self._closing:
            task.cancel()

    @property
    def interfaces(self) -> tuple[Interface, ...]:
        """Those in use now."""
        return tuple(self._segments)

    def announce(self, mark: str) -> None:
        """Tell with a new mark that the commons this node lists have changed."""
        if mark != self._told.mark:
            self._told = replace(self._told, mark=mark)
            for segment in self._segments.values():
                segment.announce(self._told)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._poll_s)
            try:
                await self._look_again()
            except Exception:  # the edge of a task of upkeep: the next look may do better
                logger.exception("looking at the network interfaces failed")

    async def _look_again(self) -> None:
        """Open what came and close what went or changed."""
        cards = list(self._look())
        present = set(choose(cards, self._named))
        for interface in [one for one in self._segments if one not in present]:
            self._close(interface)
            steady = (one for one in present if (one.index, one.flaps) == (interface.index, interface.flaps))
            kept = {address.ip for one in steady for address in one.addresses}
            self._tell(InterfaceLost(interface, frozenset(address.ip for address in interface.addresses) - kept))
        for interface in sorted(present - self._segments.keys(), key=lambda one: one.index):
            segment = _Segment(interface, self._told, self._place, self._tell)
            try:
                await segment.open()
            except (
                OSError,
                Error,
            ) as error:  # an address not settled yet, or no right to: tried again at the next look
                logger.debug("%s cannot be used yet: %s", interface.name, error)
                await segment.close()
                continue
            logger.info("looking for neighbours on %s", interface.name)
            self._segments[interface] = segment
            self._tell(InterfaceFound(interface))
        self._tell(Looked(frozenset(address.ip for card in cards for address in card.interface.addresses)))

    def _close(self, interface: Interface) -> None:
        segment = self._segments.pop(interface)
        for name in segment.names():
            self._tell(Lost(interface.name, name))
        task = asyncio.create_task(segment.close())  # says goodbye three times, which takes a moment
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


class _Segment:
    """One interface: our announcement there, and those heard there."""

    def __init__(self, interface: Interface, told: Told, place: Place | None, tell: Callable[[Event], None]) -> None:
        self._interface, self._told, self._place, self._tell = interface, told, place, tell
        self._zeroconf: AsyncZeroconf | None = None
        self._browser: AsyncServiceBrowser | None = None
        self._announcing: asyncio.Task[None] | None = None
        self._asked = asyncio.Semaphore(LAN_RESOLVING_MAX)
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._found: dict[str, Neighbour] = {}
        self._warned = False

    async def open(self) -> None:
        """Look, and start to announce. OSError or zeroconf's Error if the interface cannot be used now."""
        version, via = _transport(self._interface)
        self._zeroconf = AsyncZeroconf(interfaces=[via], ip_version=version)
        await self._zeroconf.zeroconf.async_wait_for_start()
        if not self._zeroconf.zeroconf.engine.senders:
            raise OSError("no socket could be bound to its address")
        _hear_own_groups_only(self._zeroconf)
        self._browser = AsyncServiceBrowser(self._zeroconf.zeroconf, SERVICE, handlers=[self._heard])
        self.announce(self._told)

    async def close(self) -> None:
        """Say goodbye and let the sockets go."""
        tasks = [task for task in (self._announcing, *self._asking.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._browser is not None:
            await self._browser.async_cancel()
        if self._zeroconf is not None:
            with suppress(OSError, Error):
                await self._zeroconf.async_close()

    def names(self) -> list[str]:
        """The announcements told as found."""
        return list(self._found)

    # -- announcing

    def announce(self, told: Told) -> None:
        """Announce this, in place of what was announced before."""
        self._told = told
        previous = self._announcing
        if self._place is not None and self._place.hosts_on(self._interface):
            self._announcing = asyncio.create_task(self._announce(told, previous))

    async def _announce(self, told: Told, previous: asyncio.Task[None] | None) -> None:
        assert self._zeroconf is not None and self._place is not None
        try:
            if previous is not None:
                await asyncio.gather(previous, return_exceptions=True)
            registered = self._zeroconf.zeroconf.registry.async_get_service_infos()
            if registered:
                info = _info(told, self._place, self._interface, registered[0].name)
                await (await self._zeroconf.async_update_service(info))
                return
            info = _info(told, self._place, self._interface)
            try:
                async with asyncio.timeout(LAN_RENAME_MS_MAX / 1000):
                    sending = await self._zeroconf.async_register_service(info, allow_name_change=True)
            except TimeoutError:  # somebody claims every name: then one that nobody can guess, unasked
                info = _info(
                    told, self._place, self._interface, f"{label_of(told.key)}-{secrets.token_hex(8)}.{SERVICE}"
                )
                sending = await self._zeroconf.async_register_service(info, cooperating_responders=True)
            await sending
        except (OSError, Error) as error:
            logger.warning("this node cannot announce itself on %s: %s", self._interface.name, error)

    # -- hearing

    def _heard(self, zeroconf: Any, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        """The browser's news, in the event loop."""
        if state_change is ServiceStateChange.Removed:
            task = self._asking.pop(name, None)
            if task is not None:
                task.cancel()
            if self._found.pop(name, None) is not None:
                self._tell(Lost(self._interface.name, name))
            return
        known = self._asking.keys() | self._found.keys()
        if name not in known and len(known) >= LAN_NAMES_MAX:
            if not self._warned:
                logger.warning("more than %d nodes announce themselves on %s", LAN_NAMES_MAX, self._interface.name)
            self._warned = True
            return
        before = self._asking.pop(name, None)
        if before is not None:
            before.cancel()
        task = asyncio.create_task(self._ask(name))
        self._asking[name] = task
        task.add_done_callback(lambda done: self._asked_about(name, done))

    def _asked_about(self, name: str, task: asyncio.Task[None]) -> None:
        if self._asking.get(name) is task:
            del self._asking[name]
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("the announcement of %r could not be taken", name[:80], exc_info=error)

    async def _ask(self, name: str) -> None:
        """Learn what an announcement says, from what was heard already or by asking."""
        assert self._zeroconf is not None
        for pause in _RETRIES_S:
            await asyncio.sleep(pause)
            async with self._asked:
                try:
                    info = AsyncServiceInfo(SERVICE, name)
                    complete = await info.async_request(self._zeroconf.zeroconf, LAN_RESOLVE_MS_MAX)
                except (OSError, Error, ValueError) as error:
                    logger.debug("asking about %r failed: %s", name[:80], error)
                    return
            if complete:
                self._learn(name, info)
                return

    def _learn(self, name: str, info: ServiceInfo) -> None:
        told = read_text(info.text or b"")
        hosts = [str(host) for host in info.parsed_addresses()]
        found = None
        if told is not None and told.key == self._told.key:
            self._meet_twin(hosts)
        elif told is not None:
            addresses = reachable(hosts, info.port or 0, told.key, self._interface)
            found = Neighbour(self._interface.name, name, told, addresses) if addresses else None
        if found is None:
            if self._found.pop(name, None) is not None:
                self._tell(Lost(self._interface.name, name))
        elif self._found.get(name) != found:
            self._found[name] = found
            self._tell(Found(found))

    def _meet_twin(self, hosts: list[str]) -> None:
        """Our own announcement comes back; with an address that is not ours it is another machine with our key."""
        own = {str(one.ip) for card in look() for one in card.interface.addresses}
        foreign = [host for host in hosts if host.partition("%")[0] not in own]
        if foreign and not self._warned:
            self._warned = True
            logger.warning(
                "%s announces this node's own key %s: is a copy of this data folder in use there?",
                foreign[0], did_key(self._told.key),
            )  # fmt: skip


def _transport(interface: Interface) -> tuple[IPVersion, str]:
    """By which address multicast goes: IPv4 where there is one, so that all who have it hear each other."""
    for version, family in ((4, IPVersion.V4Only), (6, IPVersion.V6Only)):
        for address in interface.addresses:
            if address.version == version:
                return family, str(address.ip)
    raise OSError("no address")


def _info(told: Told, place: Place, interface: Interface, name: str | None = None) -> ServiceInfo:
    label = label_of(told.key)
    return ServiceInfo(
        SERVICE,
        name or f"{label}.{SERVICE}",
        port=place.port,
        properties=text_of(told),
        server=f"p2pcommons-{told.key[:16].hex()}.local.",
        parsed_addresses=sorted(place.hosts_on(interface), key=lambda host: ip_address(host).version),
    )


def _hear_own_groups_only(zeroconf: AsyncZeroconf) -> None:
    """Else each interface would hear, and answer, what is said on all others."""
    if sys.platform != "linux":
        return
    for reader in zeroconf.zeroconf.engine.readers:
        bound = reader.transport.get_extra_info("socket")
        with suppress(OSError):  # kernels before 4.20 do not know the second
            if bound.family == socket.AF_INET:
                bound.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_ALL, 0)
            else:
                bound.setsockopt(socket.IPPROTO_IPV6, _IPV6_MULTICAST_ALL, 0)
