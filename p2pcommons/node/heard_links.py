"""Links dialled by hearsay: a few that stay, a few that change (chapter 35, "Dialling").

Whom to dial is `DialPlan`'s choice, which key to expect the record's; who is met is counted by `node.neighbours`, and
every knock too.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Coroutine
from typing import Any, Final

from p2pcommons.core.address import Address
from p2pcommons.core.identity import PublicKey
from p2pcommons.core.limits import HEARD_BACKOFF_MS_MIN, HEARD_ROTATE_MS
from p2pcommons.node.contacts import Contact
from p2pcommons.node.neighbours import Neighbours
from p2pcommons.node.runtime import Runtime
from p2pcommons.sync.address_book import AddressBook
from p2pcommons.sync.dial_plan import Choice, DialPlan, Held

_SHORT_MS: Final = 5_000  # a session that ended sooner was of no use, whatever it shared
_AGAIN_MS: Final = 5_000  # after a session of use ended, before it is dialled again
_CLOSE_S_MAX: Final = 1.0
_STOPS: Final = "this node stops"
_ROTATED: Final = "this node meets others in turn"


class HeardLinks:
    """Driven by `look`; what takes time is given to `start`, and `changed` is told when a place is free again."""

    def __init__(
        self,
        runtime: Runtime,
        neighbours: Neighbours,
        book: AddressBook,
        start: Callable[[Coroutine[Any, Any, None]], None],
        changed: Callable[[], None],
    ) -> None:
        self._runtime, self._neighbours, self._book = runtime, neighbours, book
        self._start, self._changed = start, changed
        self._plan = DialPlan(book, neighbours.outside, secrets.randbelow)
        self._held: dict[PublicKey, Held] = {}
        self._contacts: dict[PublicKey, Contact] = {}

    def look(self, now_ms: int) -> None:
        """Dial where a place is free, and let one go whose time is over."""
        met = self._neighbours.meetings.named()
        while (
            self._neighbours.may_knock_somewhere() and (choice := self._plan.next(self._held, met, now_ms)) is not None
        ):
            self._held[choice.key] = Held(choice.sort, choice.group, now_ms)
            self._start(self._meet(choice))
        leaving = self._plan.to_rotate(self._held, met, now_ms)
        contact = None if leaving is None else self._contacts.get(leaving)
        if leaving is not None and contact is not None and contact.meeting is not None:
            self._book.rest(leaving, now_ms + HEARD_ROTATE_MS)
            self._start(contact.meeting.end("closing", _ROTATED))

    async def close(self) -> None:
        """Say goodbye: this node stops."""
        meetings = [contact.meeting for contact in self._contacts.values() if contact.meeting is not None]
        closing = [asyncio.ensure_future(meeting.end("stopping", _STOPS)) for meeting in meetings]
        if closing:
            await asyncio.wait(closing, timeout=_CLOSE_S_MAX)

    async def _meet(self, choice: Choice) -> None:
        """Dial one of those heard of, and see the session to its end."""
        first = choice.addresses[0]._replace(key=choice.key)
        contact = Contact(first, kept=False, heard=True, pinned=choice.key)
        self._contacts[choice.key] = contact
        self._neighbours.show(contact)
        try:
            await self._try(choice, contact)
        finally:
            self._neighbours.hide(contact)
            self._held.pop(choice.key, None)
            self._contacts.pop(choice.key, None)
            self._changed()

    async def _try(self, choice: Choice, contact: Contact) -> None:
        tried: list[Address] = []
        for address in choice.addresses:
            if self._neighbours.meetings.connected(choice.key):
                return
            contact.address, contact.state = address._replace(key=choice.key), "connecting"
            began_ms = self._runtime.now_ms()
            useless = await self._neighbours.visit(contact)
            if contact.state == "connected" or contact.code == "met-already":
                self._judge(choice.key, contact, useless, self._runtime.now_ms() - began_ms)
                return
            if contact.code != "not-routable":  # else it was knocked at often enough, by whatever name
                tried.append(address)
        if tried:
            self._book.fail(choice.key, tried, self._runtime.now_ms())
        else:
            self._book.rest(choice.key, self._runtime.now_ms() + HEARD_BACKOFF_MS_MIN)

    def _judge(self, key: PublicKey, contact: Contact, useless: bool, lasted_ms: int) -> None:
        """What a session that came about says of the next one."""
        now_ms = self._runtime.now_ms()
        if contact.code == "met-already":
            self._book.rest(key, now_ms + HEARD_BACKOFF_MS_MIN)
        elif useless or lasted_ms < _SHORT_MS:
            self._book.fail(key, (), now_ms)
        elif self._book.may_try(key, now_ms + _AGAIN_MS):
            self._book.rest(key, now_ms + _AGAIN_MS)
