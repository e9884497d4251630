"""A person at a page: a browser that runs no scripts over a real node, that checks the HTML of everything it is shown."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import aiohttp

from p2pcommons.api.server import ApiServer, build_app
from p2pcommons.api.serving import ApiSettings
from p2pcommons.node.commons import Commons
from p2pcommons.node.local import local_client
from p2pcommons.web import Pages

TOKEN = "the-token-of-this-node"
VOID = frozenset(["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"])
SELF_CLOSED = frozenset({"circle", "path", "rect"})
EMPTY_LANG = ""


@dataclass
class Form:
    """One form of a page, as a browser would send it."""

    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class Html(HTMLParser):
    """A page: its text, links, forms; and the faults that no page may have."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.source = source
        self.faults: list[str] = []
        self.open: list[str] = []
        self.ids: list[str] = []
        self.named: list[str] = []  # ids that labels, descriptions and headings name
        self.headings: list[int] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.links: list[str] = []
        self.forms: list[Form] = []
        self.texts: list[str] = []
        self._form: Form | None = None
        self._select: tuple[str, list[str]] | None = None
        self._area: str | None = None
        self.feed(source)
        self.close()
        self._finish()

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def form(self, action: str) -> Form:
        """The form that is sent there."""
        return next(form for form in self.forms if form.action.partition("?")[0] == action)

    def values(self, action: str) -> dict[str, str]:
        return dict(self.form(action).fields)

    # -- reading

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self._tag(tag, attributes)
        if tag not in SELF_CLOSED and tag not in VOID:
            self.faults.append(f"<{tag}/> closes nothing")

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self._tag(tag, attributes)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> at line {self.getpos()[0]} closes another tag")
        if tag == "form":
            self._form = None
        if tag == "select" and self._select and self._form:
            name, values = self._select
            self._form.fields.append((name, values[0] if values else ""))
            self._select = None
        if tag == "textarea":
            self._area = None

    def handle_data(self, data: str) -> None:
        if self._area is not None and self._form is not None:
            name, value = self._form.fields[-1]
            self._form.fields[-1] = (name, value + (data if value else data.removeprefix("\n")))
        self.texts.append(data)

    def _tag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        if len(given) < len(attributes):
            self.faults.append(f"<{tag}> says an attribute twice")
        self.tags.append((tag, given))
        for name in given:
            if name.startswith("on") or name == "style":
                self.faults.append(f"<{tag} {name}=…>: nothing may be inline")
        if tag == "script" and not given.get("src", "").startswith("/static/"):
            self.faults.append("a script on the page itself")
        if tag in ("style", "iframe", "object", "embed", "base", "img"):
            self.faults.append(f"<{tag}> on a page")
        if "id" in given:
            self.ids.append(given["id"])
        for name in ("for", "aria-describedby", "aria-labelledby"):
            self.named += given.get(name, "").split()
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        for name in ("href", "action"):
            if name in given:
                self._address(tag, given, given[name])
        if tag == "form":
            self._form = Form(given.get("action", ""), given.get("method", "get").lower())
            self.forms.append(self._form)
        elif self._form is not None:
            self._field(tag, given)
        labelled = tag in ("input", "select", "textarea") and given.get("type") not in ("hidden", "radio", "checkbox")
        if labelled and "id" not in given:
            self.faults.append(f"<{tag} name={given.get('name')}> has no label")

    def _field(self, tag: str, given: Mapping[str, str]) -> None:
        assert self._form is not None
        kind = given.get("type", "text")
        name = given.get("name", "")
        if tag == "input" and (kind not in ("radio", "checkbox") or "checked" in given):
            self._form.fields.append((name, given.get("value", "")))
        elif tag == "textarea":
            self._form.fields.append((name, ""))
            self._area = name
        elif tag == "select":
            self._select = (name, [])
        elif tag == "option" and self._select is not None:
            if "selected" in given:
                self._select[1].insert(0, given["value"])
            elif not self._select[1]:
                self._select = (self._select[0], [given["value"]])
        elif tag == "button" and name:
            self._form.buttons.append((name, given.get("value", "")))

    def _address(self, tag: str, given: Mapping[str, str], to: str) -> None:
        if tag != "form":
            self.links.append(to)
        if to.startswith(("/", "#")) and not to.startswith("//"):
            return
        if tag != "a" or not to.startswith(("http://", "https://")):
            self.faults.append(f"<{tag}> leads to {to}")
        elif not {"noopener", "nofollow"} <= set(given.get("rel", "").split()):
            self.faults.append(f"a link away lacks its rel: {to}")

    def _finish(self) -> None:
        if self.open:
            self.faults.append(f"left open: {self.open}")
        if len(set(self.ids)) < len(self.ids):
            self.faults.append(f"an id twice: {sorted(i for i in self.ids if self.ids.count(i) > 1)}")
        for name in self.named:
            if name not in self.ids:
                self.faults.append(f"#{name} is named and not there")
        for link in self.links:
            if link.startswith("#") and link[1:] not in self.ids:
                self.faults.append(f"{link} leads nowhere")
        if self.headings.count(1) != 1 or self.headings[0] != 1:
            self.faults.append(f"headings {self.headings}")
        for before, after in zip(self.headings, self.headings[1:], strict=False):
            if after > before + 1:
                self.faults.append(f"headings skip from h{before} to h{after}")
        kinds = [tag for tag, _ in self.tags]
        for once in ("main", "header", "title", "html"):
            if kinds.count(once) < 1:
                self.faults.append(f"no <{once}>")
        for tag, given in self.tags:
            if tag == "table" and "caption" not in kinds:
                self.faults.append("a table without a caption")
            if tag == "html" and given.get("lang") not in ("fr", "en"):
                self.faults.append("no language")
            writes = tag == "form" and given.get("method") == "post" and given.get("action") != "/enter"
            if writes and 'name="form"' not in self.source:
                self.faults.append("a form without its token")


@dataclass
class Shown:
    """What an address answered."""

    status: int
    path: str
    headers: Mapping[str, str]
    html: Html

    @property
    def text(self) -> str:
        return self.html.text


class Browser:
    """A browser without scripts: follows redirects, keeps cookies, sends forms as they stand."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self.http = http
        self.url = url

    async def get(self, path: str, **headers: str) -> Shown:
        return await self._read(await self.http.get(self.url + path, headers=headers))

    async def send(
        self, page: Shown, action: str, *, press: tuple[str, str] | None = None, accept: bool = True, **changed: Any
    ) -> Shown:
        """Fill in and send a form of a page; what is public for ever is accepted where that is asked."""
        form = page.html.form(action)
        fields = [(name, value) for name, value in form.fields if name not in changed]
        for name, value in changed.items():
            fields += [(name, one) for one in (value if isinstance(value, list) else [value])]
        shown = await self.post(form.action, [*fields, *([press] if press else [])])
        if accept and ("accepted", "yes") in (shown.html.forms[0].fields if shown.html.forms else ()):
            asked = shown.html.forms[0]
            shown = await self.post(asked.action, asked.fields)
        return shown

    async def post(self, path: str, fields: Any, **headers: str) -> Shown:
        origin = {"Origin": self.url, "Sec-Fetch-Site": "same-origin", **headers}
        data = aiohttp.FormData(fields, charset="utf-8")
        return await self._read(await self.http.post(self.url + path, data=data, headers=origin))

    async def _read(self, response: aiohttp.ClientResponse) -> Shown:
        async with response:
            html = Html(await response.text())
            assert not html.faults, (str(response.url), html.faults)
            assert "default-src 'self'" in response.headers["Content-Security-Policy"]
            return Shown(response.status, response.url.path_qs, response.headers, html)


@dataclass
class Place:
    """A node with its page, and a browser at it."""

    commons: Commons
    browser: Browser
    url: str

    @asynccontextmanager
    async def another(self, language: str = "en") -> AsyncIterator[Browser]:
        """One more browser, that knows nothing yet."""
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(cookie_jar=jar, headers={"Accept-Language": language}) as http:
            yield Browser(http, self.url)


@asynccontextmanager
async def served(commons: Any, language: str = "en") -> AsyncIterator[Place]:
    """The pages of these verbs, on a port of their own."""
    pages = Pages(TOKEN)
    app = build_app(commons, ApiSettings(TOKEN, session=pages.grant), pages.routes())
    async with ApiServer(app, "127.0.0.1", 0) as server:
        place = Place(commons, None, f"http://{server.address}")  # type: ignore[arg-type]
        async with place.another(language) as browser:
            place.browser = browser
            yield place


@asynccontextmanager
async def page_world(data: Path, language: str = "en") -> AsyncIterator[Place]:
    """A folder's verbs with their pages."""
    async with local_client(data) as commons, served(commons, language) as place:
        yield place
