"""The local network: announces the node, and meets those it finds (chapter 34, "Meeting").

Of two nodes that find each other the one with the smaller key dials, the other only if nothing came. They stay
connected where they follow a commons in common; else each has told what it announces, and they part until something
changes. How a session is held, and who else is met, is `node.neighbours`' business.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from p2pcommons.core.identity import PublicKey, did_key
from p2pcommons.core.limits import LAN_HEARD_MAX, LAN_MEETINGS_MAX, LAN_PAUSE_MS_MAX, LAN_YIELD_MS
from p2pcommons.network.announcement import PROTOCOL_VERSIONS, Neighbour, Told
from p2pcommons.network.interfaces import Card, Interface, Place, look
from p2pcommons.network.mdns import Event, Found, InterfaceFound, InterfaceLost, LocalNetwork, Looked, Lost
from p2pcommons.node.contacts import Contact
from p2pcommons.node.neighbours import BACKOFF_S_MAX, BACKOFF_S_MIN, STABLE_S, Neighbours
from p2pcommons.node.runtime import Runtime
from p2pcommons.node.values import Instant
from p2pcommons.sync.holding import Change
from p2pcommons.sync.listing import listing
from p2pcommons.sync.message import encode_message

logger = logging.getLogger(__name__)

_REMARK_PAUSE_S: Final = 1.0  # changes in a row are announced once
_NOTHING_SHARED: Final = "no commons in common; it is asked again when something changes"
_ENOUGH: Final = "enough neighbours are met already; records come through them"
_OTHER_VERSION: Final = "it speaks another version of the protocol; one of both needs to be brought up to date"


@dataclass(slots=True)
class Acquaintance:
    """One node that announces itself, on whichever interfaces."""

    contact: Contact
    sightings: dict[tuple[str, str], Neighbour] = field(default_factory=dict)
    stirred: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None

    def neighbours(self) -> list[Neighbour]:
        """Its announcements that we can understand."""
        return [seen for seen in self.sightings.values() if set(seen.told.versions) & set(PROTOCOL_VERSIONS)]


class Lan:
    """The node on its local networks, within `async with` inside that of its neighbours."""

    def __init__(
        self,
        runtime: Runtime,
        neighbours: Neighbours,
        place: Place | None,
        *,
        named: Sequence[str] = (),
        moved: Callable[[tuple[Interface, ...]], None] = lambda interfaces: None,
        look: Callable[[], Iterable[Card]] = look,
    ) -> None:
        self._runtime, self._neighbours = runtime, neighbours
        self._own = runtime.keys.node.public
        self._moved = moved
        self._known: dict[PublicKey, Acquaintance] = {}
        self._dials = asyncio.Semaphore(LAN_MEETINGS_MAX)
        self._changed = asyncio.Event()
        self._marking: asyncio.Task[None] | None = None
        self._network = LocalNetwork(Told(self._own), place, self._hear, named=named, look=look)

    async def __aenter__(self) -> Lan:
        self._runtime.listen(self._records_changed)
        self._neighbours.on_follow(self._follow_changed)
        await self._network.__aenter__()
        self._changed.set()
        self._marking = asyncio.create_task(self._mark())
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = [one.task for one in self._known.values() if one.task is not None]
        tasks += [self._marking] if self._marking is not None else []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._known.clear()
        await self._network.__aexit__()

    @property
    def interfaces(self) -> tuple[str, ...]:
        """Names of the interfaces on which neighbours are looked for now."""
        return tuple(interface.name for interface in self._network.interfaces)

    def places(self, key: PublicKey) -> tuple[str, ...]:
        """Addresses by which a node says it is reached here; empty for one not on the local network."""
        one = self._known.get(key)
        seen = [] if one is None else one.neighbours()
        return tuple(
            str(a) for s in seen for a in s.addresses if "%" not in a.host
        )  # a scope means something here only

    # -- what the network says

    def _hear(self, event: Event) -> None:
        match event:
            case Found(neighbour):
                self._found(neighbour)
            case Lost(interface, name):
                for key, one in list(self._known.items()):
                    if one.sightings.pop((interface, name), None) is not None and not one.sightings:
                        self._forget(key)
            case InterfaceLost(interface, gone):
                logger.info("%s is gone or has changed", interface.name)
                self._neighbours.meetings.cut(lambda local: local in gone)
                self._moved(self._network.interfaces)
            case Looked(present):
                self._neighbours.meetings.cut(lambda local: local not in present and not local.is_loopback)
            case InterfaceFound():
                self._moved(self._network.interfaces)

    def _found(self, neighbour: Neighbour) -> None:
        one = self._known.get(neighbour.key)
        if one is None:
            if len(self._known) >= LAN_HEARD_MAX:
                return
            contact = Contact(neighbour.addresses[0], kept=False, lan=True, pinned=neighbour.key, state="waiting")
            one = self._known[neighbour.key] = Acquaintance(contact)
            self._neighbours.show(contact)
            one.task = asyncio.create_task(self._guarded(neighbour.key, one))
            fields = {"peer": did_key(neighbour.key), "interface": neighbour.interface}
            text = "%s is on the local network"
            logger.info(text, fields["peer"], extra={"event": "neighbour_found", "fields": fields})
        before = one.sightings.get((neighbour.interface, neighbour.name))
        one.sightings[neighbour.interface, neighbour.name] = neighbour
        one.contact.places = tuple(address for seen in one.sightings.values() for address in seen.addresses)
        if one.contact.meeting is None:
            one.contact.address = one.contact.places[0]
        one.stirred.set()
        self._neighbours.strangers.discard(neighbour.key)
        if (
            before is not None
            and before.told.mark != neighbour.told.mark
            and self._neighbours.meetings.connected(neighbour.key)
        ):
            task = asyncio.create_task(self._neighbours.browse(neighbour.key))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())

    def _forget(self, key: PublicKey) -> None:
        """It does not announce itself any more. A session under way goes on, and is the last."""
        one = self._known[key]
        if one.contact.meeting is None:
            del self._known[key]
            self._neighbours.hide(one.contact)
            if one.task is not None:
                one.task.cancel()

    # -- meeting

    async def _guarded(self, key: PublicKey, one: Acquaintance) -> None:
        try:
            await self._meet(key, one)
        except Exception:  # the edge of a neighbour's task: its fault or ours, the others are met
            logger.exception("meeting %s failed", did_key(key))

    async def _meet(self, key: PublicKey, one: Acquaintance) -> None:
        """See one acquaintance for as long as it announces itself."""
        contact, met = one.contact, self._neighbours
        pause, waits = BACKOFF_S_MIN, self._own > key
        while one.sightings:
            if met.meetings.connected(key):
                contact.state = "connected"
                contact.say("")
                await met.wait_for(key, connected=False)
                pause, waits = BACKOFF_S_MIN, self._own > key
            elif key in met.strangers or met.blocked(key) or not one.neighbours():
                contact.state, contact.next_try_at = "blocked" if met.blocked(key) else "waiting", None
                if key in met.strangers:
                    contact.say(_NOTHING_SHARED, "nothing-shared")
                elif one.neighbours():
                    contact.say("")
                else:
                    contact.say(_OTHER_VERSION, "other-version")
                one.stirred.clear()
                await one.stirred.wait()
                met.strangers.discard(key)
                pause, waits = BACKOFF_S_MIN, False
            elif waits:
                waits = False
                await self._give_time(key)
            else:
                began = asyncio.get_running_loop().time()
                useless = await self._dial(one)
                if key in met.strangers or met.meetings.connected(key):
                    continue
                if useless:
                    pause = BACKOFF_S_MAX
                elif contact.state == "connected" and asyncio.get_running_loop().time() - began > STABLE_S:
                    pause = BACKOFF_S_MIN
                await self._rest(one, pause)
                pause = min(pause * 2, LAN_PAUSE_MS_MAX / 1000)
        if self._known.get(key) is one:
            del self._known[key]
            self._neighbours.hide(contact)

    async def _give_time(self, key: PublicKey) -> None:
        """Let the smaller key dial."""
        try:
            async with asyncio.timeout(LAN_YIELD_MS / 1000):
                await self._neighbours.wait_for(key, connected=True)
        except TimeoutError:
            pass

    async def _dial(self, one: Acquaintance) -> bool:
        """Try its addresses until a session came of one; whether there is no use in more of it soon."""
        contact = one.contact
        if self._dials.locked():
            contact.state, contact.next_try_at = "waiting", None
            contact.say(_ENOUGH, "enough")
        async with self._dials:
            key = one.contact.pinned
            assert key is not None
            addresses = dict.fromkeys(address for seen in one.neighbours() for address in seen.addresses)
            for address in addresses:
                if self._neighbours.meetings.connected(key):
                    return False
                contact.address, contact.state, contact.next_try_at = address, "connecting", None
                useless = await self._neighbours.visit(contact)
                if useless or contact.state == "connected":  # there was a session
                    return useless
        return False

    async def _rest(self, one: Acquaintance, pause: float) -> None:
        wait = pause * random.uniform(0.8, 1.2)
        one.contact.state = "waiting"
        one.contact.next_try_at = Instant(self._runtime.now_ms() + int(wait * 1000))
        one.stirred.clear()
        try:
            async with asyncio.timeout(wait):
                await one.stirred.wait()  # it announces something new: no reason to wait on
        except TimeoutError:
            pass

    # -- what changes here

    def _follow_changed(self) -> None:
        self._changed.set()
        for one in self._known.values():
            one.stirred.set()

    def _records_changed(self, changes: Sequence[Change]) -> None:
        self._changed.set()

    async def _mark(self) -> None:
        """Announce that what this node lists has changed, when it has."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            announced = await self._runtime.run(self._runtime.replica.announced)
            self._network.announce(mark_of(announced))
            await asyncio.sleep(_REMARK_PAUSE_S)


def mark_of(announced: Iterable[tuple[bytes, str]]) -> str:
    """16 hex digits that stand for a listing; none for an empty one."""
    told = listing(announced)
    return sha256(encode_message(told)).digest()[:8].hex() if told.commons else ""
