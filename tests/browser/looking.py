"""Pages looked at in a real Chromium: what it complains of, what axe finds, what does not fit, what is foreign."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from p2pcommons.api.client import Client
from p2pcommons.node.folder import running_node
from tests.e2e.http_world import furnish
from tests.e2e.processes import NodeProcess

T = TypeVar("T")
CHROMIUM: Final = "/usr/bin/chromium"
_QUIET: Final = (
    "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
WAIT_MS: Final = 30_000.0  # how long anything may take before a test gives up: far above what it takes
TAGS: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


class World:
    """The furnished node, and the names of what is in it."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self.node = NodeProcess(place / "node")
        self.names: dict[str, str] = {}

    async def furnish(self) -> None:
        """Start it and put something of everything into it."""
        self.node.start()
        self.names = await furnish(self.node, self._place)
        self.names["neighbour"] = self.names["member"]
        async with self.node.client() as client:
            await client.add_peer(f"{self.names['neighbour'].removeprefix('did:key:')}@127.0.0.1:49")

    @property
    def base(self) -> str:
        """Where its pages are."""
        note = running_node(self.node.data)
        assert note is not None
        return f"http://{note['api']}"

    def at(self, target: str) -> str:
        """A page's whole address, with names filled in."""
        for name, value in self.names.items():
            target = target.replace("{" + name + "}", value)
        assert "{" not in target, target
        return self.base + target

    def ask(self, deed: Callable[[Client], Awaitable[T]]) -> T:
        """Do something at the node's API, beside the browser."""

        async def run() -> T:
            async with self.node.client() as client:
                return await deed(client)

        with ThreadPoolExecutor(1) as pool:
            return pool.submit(asyncio.run, run()).result()

    def close(self) -> None:
        """Stop the node."""
        self.node.kill()


class Screen(NamedTuple):
    """How a page is looked at."""

    name: str
    width: int
    height: int
    dark: bool = False
    language: str = "en-GB"
    scripts: bool = True
    contrast: bool = False  # forced colours


DESKTOP: Final = Screen("desktop", 1280, 900)
PHONE: Final = Screen("phone", 375, 740)
NARROW: Final = Screen("narrow", 320, 600)


@dataclass
class Seen:
    """A page in a browser, and what was said about it on the way."""

    page: Page
    base: str
    said: list[str] = field(default_factory=list)

    def listen(self) -> None:
        """Write down what no page may say or ask."""
        self.page.on("console", lambda message: self.said.append(f"console: {message.text}"))
        self.page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        self.page.on("request", lambda request: self._asked(request.url))

    def _asked(self, url: str) -> None:
        if not url.startswith((self.base, "data:")):
            self.said.append(f"foreign: {url}")

    def faults(self, status: int = 200) -> list[str]:
        """All that is wrong with what is shown now. A page that is an error says so itself in the console."""
        expected = f"status of {status}" if status >= 400 else "\0"
        found = [line for line in self.said if expected not in line]
        over = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if over > 0:
            found.append(f"{over} pixels wider than the screen")
        return found + [f"small: {html}" for html in self.page.evaluate(_SMALL)] + self.barriers()

    def barriers(self) -> list[str]:
        """What axe finds."""
        options: dict[str, Any] = {"resultTypes": ["violations"], "runOnly": {"type": "tag", "values": TAGS}}
        answered = Axe().run(self.page, options=options).response
        return [
            f"axe {rule['id']} ({rule['impact']}): {node['html'][:200]}"
            for rule in answered["violations"]
            for node in rule["nodes"]
        ]


# What a finger cannot hit: WCAG 2.2 asks for 24 pixels, but for links within sentences (2.5.8).
_SMALL: Final = """[...document.querySelectorAll('a,button,input:not([type=hidden]),select,textarea,summary')]
  .filter(e => { const r = (e.closest('label') ?? e).getBoundingClientRect();
    return r.width > 1 && r.height > 0 && r.height < 24 && !e.closest('p,dd,td,.notice,.say'); })
  .map(e => e.outerHTML.slice(0, 120))"""


class Browsing:
    """One Chromium; a context of its own for each look."""

    def __enter__(self) -> Browsing:
        self._playwright = sync_playwright().start()
        self._browser: Browser = self._playwright.chromium.launch(executable_path=CHROMIUM, args=list(_QUIET))
        return self

    def __exit__(self, *_: object) -> None:
        self._browser.close()
        self._playwright.stop()

    @contextmanager
    def look(self, world: World, screen: Screen = DESKTOP) -> Iterator[Seen]:
        """An empty page of a new visitor."""
        context = self._browser.new_context(
            viewport={"width": screen.width, "height": screen.height},
            color_scheme="dark" if screen.dark else "light",
            locale=screen.language,
            java_script_enabled=screen.scripts,
            forced_colors="active" if screen.contrast else "none",
        )
        context.set_default_timeout(WAIT_MS)
        try:
            seen = Seen(context.new_page(), world.base)
            seen.listen()
            yield seen
        finally:
            context.close()
