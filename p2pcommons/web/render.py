"""Templates and stylesheet, as package resources: a page's HTML from its template and the visit.

Jinja with autoescape on everything and undefined names as errors. It is loaded at the first page somebody opens, so
that a node whose page nobody looks at does without its memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from p2pcommons import __version__
from p2pcommons.core.identity import did_key
from p2pcommons.web import assembly_labels, labels, wording
from p2pcommons.web.reading import best, rows
from p2pcommons.web.texts import LANGUAGES
from p2pcommons.web.visit import ACCEPTED, FORM_TOKEN, Visit, address, now_ms

if TYPE_CHECKING:
    from jinja2 import Environment

LOOKS: Final = ("auto", "light", "dark")
_TYPES: Final = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_LIVE: Final = ("<!--live-->", "<!--/live-->")
"""Around the part of a page that follows what happens."""


class Static(NamedTuple):
    """One file that pages name: its content, its media type, and its address with a hash, good for ever."""

    content: bytes
    media_type: str
    address: str


@cache
def static_files() -> Mapping[str, Static]:
    """All of them, by name."""
    found = {}
    for file in (files("p2pcommons.web") / "static").iterdir():
        content = file.read_bytes()
        kind = _TYPES[file.name.rpartition(".")[2]]
        found[file.name] = Static(content, kind, f"/static/{sha256(content).hexdigest()[:12]}/{file.name}")
    return found


@cache
def environment() -> Environment:
    """The template engine; a template is read when it is first used."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    class Templates(Environment):
        """A name that no view gave is an error; what a mapping does not hold is None (entries have few fields)."""

        def getattr(self, obj: Any, attribute: str) -> Any:
            found = super().getattr(obj, attribute)
            return None if isinstance(found, StrictUndefined) and isinstance(obj, Mapping) else found

        def getitem(self, obj: Any, argument: Any) -> Any:
            found = super().getitem(obj, argument)
            return None if isinstance(found, StrictUndefined) and isinstance(obj, Mapping) else found

    made = Templates(
        loader=PackageLoader("p2pcommons.web", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals.update(
        address=address,
        labels=labels,
        assembly=assembly_labels,
        did_key=did_key,
        languages=LANGUAGES,
        looks=LOOKS,
        static={name: file.address for name, file in static_files().items()},
        short_key=wording.short_key,
        excerpt=wording.excerpt,
        web_address=wording.web_address,
        version=__version__,
        form_token_name=FORM_TOKEN,
        accepted_name=ACCEPTED,
    )
    return made


def live_part(html: str) -> str | None:
    """The part of a page that follows what happens; None where it has none."""
    start, stop = (html.find(mark) for mark in _LIVE)
    return html[start + len(_LIVE[0]) : stop] if 0 <= start < stop else None


def _shown(value: Any) -> Any:
    return "" if value is None else value


def render(visit: Visit, template: str, values: Mapping[str, Any]) -> str:
    """The page's HTML."""
    texts = visit.texts
    return (
        environment()
        .get_template(template)
        .render(
            _=texts.text,
            _n=texts.count,
            number=texts.number,
            moment=partial(wording.moment, texts),
            moment_of=partial(wording.moment_of, texts),
            clock=partial(wording.clock, texts),
            date_words=partial(wording.date_words, texts),
            language_name=partial(wording.language_name, texts),
            best=partial(best, texts),
            rows=partial(rows, texts),
            lang=texts.language,
            look=visit.look,
            may_write=visit.may_write,
            form_token=visit.session.form_token if visit.session else "",
            now_ms=now_ms,
            here=visit.request.path,
            here_with_query=visit.request.path_qs if visit.request.method == "GET" else visit.request.path,
            done=labels.DONE.get(visit.asked("done")),
            **{"called": {}, **values},
        )
    )
