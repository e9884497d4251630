"""One request by a person: who asks, in which language, what the form says; and what a page answers with.

Views take a `Visit` and give a `Page` or a `Redirect`; they know no cookie, no header and no template engine.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, quote, urlencode

from aiohttp import web

from p2pcommons.api.verbs import Verbs
from p2pcommons.api.wire import parse_hex32
from p2pcommons.core.record import CommonsId, RecordId, Subject
from p2pcommons.errors import FormError, NotFound
from p2pcommons.web.session import Denied, Session
from p2pcommons.web.texts import Texts

FORM_TYPE: Final = "application/x-www-form-urlencoded"
FORM_TOKEN: Final = "form"
ACCEPTED: Final = "accepted"
_FIELDS_MAX: Final = 500  # the largest form, every text in twenty languages, has some 100

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Visit:
    """One request, read and admitted."""

    request: web.Request
    commons: Verbs
    texts: Texts
    session: Session | None
    accepted: bool
    """Whether this browser was told what is public for ever."""
    look: str
    """`auto`, `light` or `dark`."""
    form: Pairs = ()

    @property
    def may_write(self) -> bool:
        """Whether to show what writes; each write is checked again when it comes."""
        return self.session is not None

    def typed(self, name: str) -> str:
        """The first value of a field of the form, "" where there is none."""
        return next((value for key, value in self.form if key == name), "")

    def asked(self, name: str) -> str:
        """The first value of a parameter of the address, "" where there is none."""
        return self.request.query.get(name, "")

    def all_asked(self, name: str) -> list[str]:
        """All values of a parameter, empty ones left out."""
        return [value for value in self.request.query.getall(name, []) if value]

    def commons_id(self, text: str | None = None) -> CommonsId:
        """The commons of the path, or of this text. NotFound where it is no id."""
        return CommonsId(_id(self.request.match_info.get("commons", "") if text is None else text, "unknown-commons"))

    def entry_id(self) -> Subject:
        """The entry of the path. NotFound where it is no id."""
        return Subject(_id(self.request.match_info.get("entry", ""), "unknown-entry"))

    def proposal_id(self) -> RecordId:
        """The proposal of the path. NotFound where it is no id."""
        return RecordId(_id(self.request.match_info.get("proposal", ""), "unknown-proposal"))

    def all_typed(self, name: str) -> list[str]:
        """All values of a field of the form, empty ones left out."""
        return [value for key, value in self.form if key == name and value]

    def start(self) -> int:
        """From which place on a list is shown, by the address."""
        text = self.asked("from")
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 8 else 0

    def place(self) -> CommonsId | None:
        """The commons that the address or the form names, if any."""
        text = self.typed("commons") or self.asked("commons")
        return self.commons_id(text) if text else None


def _id(text: str, code: str) -> bytes:
    try:
        return parse_hex32(text)
    except FormError:
        raise NotFound(code, f"{text[:80]!r} is not an id: 64 lower-case hex digits") from None


@dataclass(frozen=True, slots=True)
class Page:
    """A page to show: a template and what it shows."""

    template: str
    values: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200


@dataclass(frozen=True, slots=True)
class Redirect:
    """Go there with GET, and what to remember in this browser."""

    location: str
    cookies: Mapping[str, str] = field(default_factory=dict)
    session: Session | None = None


@dataclass(frozen=True, slots=True)
class Download:
    """A file made for this person."""

    name: str
    """Of letters, digits, dots and hyphens."""
    media_type: str
    content: bytes


Answer = Page | Redirect | Download


class View(NamedTuple):
    """One page: where it is and who makes it."""

    method: str
    path: str
    show: Callable[[Visit], Awaitable[Answer]]
    publishes: bool = False
    """Whether it writes what others will see: then people are told first what that means."""
    by_anyone: bool = False
    """A form that is sent before there is a session; its origin is checked all the same."""


def address(path: str, done: Any = None, **parameters: Any) -> str:
    """A path of this page with parameters; None and "" are left out, lists are repeated."""
    pairs: list[tuple[str, str]] = []
    for name, value in parameters.items():
        values = value if isinstance(value, (list, tuple)) else [value]
        pairs += [(name, str(item)) for item in values if item not in (None, "")]
    if done:
        pairs.append(("done", done))
    return quote(path, safe="/:") + ("?" + urlencode(pairs, errors="replace") if pairs else "")


def now_ms() -> int:
    """The clock of this machine, in Unix ms."""
    return time.time_ns() // 1_000_000


def path_back(text: str) -> str:
    """Where to go back to: a path of this very page, whatever the text says."""
    good = text.startswith("/") and not text.startswith("//") and text.isascii() and text.isprintable()
    return text if good and "\\" not in text else "/"


async def read_form(request: web.Request) -> Pairs:
    """The fields of a posted form, line ends as `\\n`. Denied `bad-form`."""
    if request.content_type != FORM_TYPE:
        raise Denied("bad-form", f"a form is sent as {FORM_TYPE}")
    body = await request.read()
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=_FIELDS_MAX, errors="replace")
    except ValueError:
        raise Denied("bad-form", "this form cannot be read") from None
    return tuple((name, value.replace("\r\n", "\n").replace("\r", "\n")) for name, value in pairs)
