"""A node that runs: its insides, the neighbours it meets, the door where they come in, and the small upkeep.

Knows nothing of HTTP for people: who serves the API and the page holds a `Node` open and gives it to them.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from p2pcommons.config import NODES_PATH, Endpoint, Settings
from p2pcommons.core.address import Address as NodeAddress
from p2pcommons.core.address import parse_address
from p2pcommons.core.outside import Outside, is_outside
from p2pcommons.core.record import CommonsId
from p2pcommons.errors import FormError, Refused, StoreError
from p2pcommons.network.certificate import keep_certificate
from p2pcommons.network.interfaces import Interface, Place, choose, look
from p2pcommons.network.listen import Listener
from p2pcommons.node.commons import Commons, node_address
from p2pcommons.node.disk import LOOK_S, told
from p2pcommons.node.folder import CERTIFICATE, DataFolder
from p2pcommons.node.idle import keep_columns
from p2pcommons.node.introductions import Introductions
from p2pcommons.node.neighbours import Neighbours
from p2pcommons.node.runtime import Runtime
from p2pcommons.node.values import Address

if TYPE_CHECKING:
    from p2pcommons.node.lan import Lan

logger = logging.getLogger(__name__)

_PORTS_TRIED: Final = 100
CLOCK_LOOK_S: Final = 2.0
_SWEEP_S: Final = 3600.0
_TEND_S: Final = 1.0
_SETTLE_S: Final = 30.0


class Node:
    """A running node, within `async with`; `commons` are its verbs."""

    commons: Commons
    runtime: Runtime
    listener: Listener | None = None

    def __init__(self, settings: Settings, *, outside: Outside = is_outside) -> None:
        self._settings = settings
        self._outside = outside  # which IP addresses count as the open internet
        self._introductions: Introductions | None = None
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Node:
        settings = self._settings
        follow = [_commons_id(text) for text in settings.follow]
        names = [public_address(text) for text in settings.names]
        try:
            runtime = Runtime(DataFolder(settings.data), keep_free=settings.keep_free, trust_clock=settings.trust_clock)
            self.runtime = await self._stack.enter_async_context(runtime)
            hosts = tuple(name.host for name in names)
            neighbours = Neighbours(self.runtime, dials=settings.dial, hosts=hosts, outside=self._outside)
            if settings.dial and (settings.lan if settings.introductions is None else settings.introductions):
                self._introductions = Introductions(self.runtime, neighbours)
                await self._introductions.load()
            await self._look_at_disk(neighbours)
            await self._stack.enter_async_context(neighbours)
            self.commons = Commons(self.runtime, neighbours)
            await self.commons.open()
            if self._introductions is not None:
                self.commons.introductions = await self._stack.enter_async_context(self._introductions)
            if settings.listen is not None:
                self.listener = await self._listen(settings.listen, neighbours)
                self.commons.listen = str(Endpoint(settings.listen.host, self.listener.port))
                self._moved(names, choose(look(), settings.interfaces))
            if settings.lan:
                self.commons.lan = await self._stack.enter_async_context(self._lan(neighbours, names))
            for commons in follow:
                await self.commons.follow(commons)
            for address in settings.peers:
                await neighbours.add(address, kept=False)
            self._stack.push_async_callback(neighbours.part)  # before the door is closed
            watches = (lambda: self._watch_disk(neighbours), lambda: self._watch_clock(neighbours))
            for work in (self._settle, self._sweep, self._tend, *watches, lambda: keep_columns(runtime)):
                await self._stack.enter_async_context(_running(work))
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _listen(self, asked: Endpoint, neighbours: Neighbours) -> Listener:
        certificate = keep_certificate(self.runtime.folder.path / CERTIFICATE)
        for port in ports_to_try(asked):
            listener = Listener(certificate, neighbours.serve, host=asked.host, port=port)
            try:
                return await self._stack.enter_async_context(listener)
            except OSError as error:
                failure = error
        raise port_refused("--listen", asked, failure)

    def _lan(self, neighbours: Neighbours, names: list[NodeAddress]) -> Lan:
        from p2pcommons.node.lan import Lan  # only here: a node that looks for nobody need not hold mDNS in memory

        return Lan(
            self.runtime,
            neighbours,
            self._place(),
            named=self._settings.interfaces,
            moved=lambda interfaces: self._moved(names, interfaces),
        )

    def _place(self) -> Place | None:
        if self.listener is None or self._settings.listen is None:
            return None
        return Place(self._settings.listen.host, self.listener.port)

    def _moved(self, names: list[NodeAddress], interfaces: tuple[Interface, ...]) -> None:
        """The machine's own addresses may be others now."""
        place = self._place()
        if place is not None:
            self.commons.addresses = (*self._public(names), *self._addresses(place, interfaces))
            if self._introductions is not None:
                told = [parse_address(each.address) for each in self.commons.addresses]
                self._introductions.own.set_places(told, place.port if place.is_everywhere else None)
                self._introductions.stir()

    def _addresses(self, place: Place, interfaces: tuple[Interface, ...]) -> tuple[Address, ...]:
        """Never those of containers and tunnels, but where there is nothing else. The first leads furthest."""
        hosts = [place.host]
        if place.is_everywhere:
            hosts = [host for one in interfaces for host in place.hosts_on(one) if not host.startswith("fe80:")]
            hosts = sorted(hosts, key=lambda host: host != own_host()) or [own_host()]
        key = self.runtime.keys.node.public
        return tuple(
            Address(node_address(key, host, place.port), "local" if host.startswith("127.") else "unknown")
            for host in hosts
        )

    def _public(self, names: list[NodeAddress]) -> tuple[Address, ...]:
        key = self.runtime.keys.node.public
        return tuple(Address(str(name._replace(key=key)), "unknown", "through a proxy") for name in names)

    async def _watch_disk(self, neighbours: Neighbours) -> None:
        """Pause while the disk is nearly full, go on when there is room."""
        while True:
            await asyncio.sleep(LOOK_S)
            await self._look_at_disk(neighbours)

    async def _watch_clock(self, neighbours: Neighbours) -> None:
        """When the clock is set, meet everybody anew: what sessions wait for was reckoned by the clock as it was."""
        while True:
            await asyncio.sleep(CLOCK_LOOK_S)
            moved_ms = self.runtime.watch.moved_ms()
            if moved_ms:
                text = "the clock of this machine was set %s by %d s"
                extra = {"event": "clock_set", "fields": {"moved_ms": moved_ms}}
                way = "ahead" if moved_ms > 0 else "back"
                logger.warning(text, way, abs(moved_ms) // 1000, extra=extra)
                await self.runtime.run(self.runtime.replica.clock_was_set)
                await neighbours.meet_anew("the clock of this node was set; meet it anew")

    async def _look_at_disk(self, neighbours: Neighbours) -> None:
        found = self.runtime.disk.look()
        replica = self.runtime.replica
        if found.low == replica.pauses:
            return
        replica.pauses = found.low
        numbers = {"free_bytes": found.free, "floor_bytes": found.floor, "total_bytes": found.total}
        if found.low:
            text = "the disk is nearly full: nothing is taken from other nodes, and no import, until there is room (%s)"
            logger.warning(text, told(found), extra={"event": "disk_low", "fields": numbers})
        else:
            text = "there is room on the disk again (%s)"
            logger.warning(text, told(found), extra={"event": "disk_has_room", "fields": numbers})
            await neighbours.room_again()

    async def _settle(self) -> None:
        """Use invitations as soon as the charter they wait for is here."""

        async def changed() -> bool:
            return bool(self.commons.settling)

        while True:
            if await self.runtime.wait_until(changed, _SETTLE_S):
                waiting = set(self.commons.settling)
                try:
                    await self.commons.settle()
                except StoreError as error:  # a full disk: the invitations wait on
                    logger.error("an invitation could not be used yet: %s", error.detail)
                    self.commons.settling |= waiting
                    await asyncio.sleep(_SETTLE_S)

    async def _sweep(self) -> None:
        """Now and then: let the bytes of old erasures go, and keep the search tables tidy."""
        runtime = self.runtime
        while True:
            await asyncio.sleep(_SWEEP_S)
            try:
                for commons in runtime.replica.followed():
                    await runtime.run(lambda c=commons: self._sweep_one(c))  # type: ignore[misc]
            except StoreError as error:
                logger.error("bytes that were erased could not be taken away yet: %s", error.detail)

    async def _tend(self) -> None:
        """Once a second: fold the entries of very many records (chapter 20, "Cost")."""
        while True:
            await asyncio.sleep(_TEND_S)
            if self.runtime.replica.has_late():
                try:
                    await self.runtime.run(self.runtime.replica.tend)
                except StoreError as error:
                    logger.error("entries of very many records could not be shown anew yet: %s", error.detail)

    def _sweep_one(self, commons: CommonsId) -> None:
        if commons in self.runtime.replica.followed():  # a person may have let it go since it was looked up
            self.runtime.replica.sweep(commons, self.runtime.now_ms())


class _running:
    """A task that lives as long as its `async with`."""

    def __init__(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._work = work

    async def __aenter__(self) -> None:
        self._task = asyncio.create_task(self._guarded())

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _guarded(self) -> None:
        try:
            await self._work()
        except Exception:  # the edge of a task of upkeep: its fault is told, the node goes on
            logger.exception("a task of upkeep ended")


def ports_to_try(asked: Endpoint) -> range:
    """The one port a person asked for; else the default and the next ones."""
    if asked.asked_for or asked.port == 0:
        return range(asked.port, asked.port + 1)
    return range(asked.port, min(asked.port + _PORTS_TRIED, 65536))


def port_refused(option: str, asked: Endpoint, error: OSError) -> Refused:
    """What to tell when no port could be bound."""
    why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or error  # without additions
    return Refused(
        "port-in-use",
        f"{asked} cannot be opened ({why}). Stop what uses it, or choose another with {option} HOST:PORT.",
    )


def public_address(name: str) -> NodeAddress:
    """The address behind a proxy that a name stands for: `HOST` or `HOST:PORT`. Refused `bad-name`."""
    try:
        address = parse_address(f"wss://{name}{NODES_PATH}")
        if address.path != NODES_PATH:
            raise FormError("bad_address", f"{name[:80]!r} is more than a name")
    except FormError as error:
        raise Refused("bad-name", f"{error.detail}. Name the host alone: --public-name commons.example.org") from error
    return address


def own_host() -> str:
    """This machine's address on its network, by asking the routing table; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # RFC 5737: documentation only
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def _commons_id(text: str) -> CommonsId:
    try:
        commons = bytes.fromhex(text)
    except ValueError:
        commons = b""
    if len(commons) != 32:
        raise Refused("bad-commons", f"{text[:80]!r} is not a commons' id: 64 characters 0-9 a-f.")
    return CommonsId(commons)
