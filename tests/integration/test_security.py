"""Whoever reaches the API of a node without being its owner: tricks with names, origins, sizes and forms.

The node is a real one with its pages, and asked over sockets as they are: an HTTP library would send nothing wrong.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import stat
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from aiohttp import web
from page_world import TOKEN, Place, page_world

from p2pcommons.api.accepting import Accepting, Begun
from p2pcommons.config import NODES_PATH
from p2pcommons.core.limits import API_BODY_BYTES_MAX

STUCK_S = 60
OWNER = f"Authorization: Bearer {TOKEN}"
PAGES = ("/", "/welcome", "/commons", "/neighbours", "/settings", "/public", "/enter", "/nowhere")
DOCUMENTS = ("status", "identity", "peers", "commons", "entries", "conflicts", "openapi.json", "nowhere")
READS = (*PAGES, *(f"/api/v1/{name}" for name in DOCUMENTS), "/metrics", "/healthz")


class Said(NamedTuple):
    """One answer."""

    status: int
    headers: Mapping[str, str]  # names in lower case; of several of one name the last
    body: bytes


class Wire:
    """The address of a node, spoken to byte by byte."""

    def __init__(self, place: Place) -> None:
        self.place = place
        host, _, port = place.url.removeprefix("http://").rpartition(":")
        self.host, self.port = host, int(port)

    async def ask(self, head: str, body: bytes = b"", *, closes: bool = True, whole: bool = True) -> Said | None:
        """Send a request; None where the connection ends without an answer. `whole`: whether all of it was sent."""
        reader, writer = await asyncio.open_connection(self.host, self.port, limit=1 << 24)
        try:
            text = head.replace("HOST", f"{self.host}:{self.port}").strip().replace("\n", "\r\n")
            end = "\r\nConnection: close\r\n\r\n" if closes else "\r\n\r\n"
            writer.write(text.encode("utf-8", "surrogateescape") + end.encode() + body)
            try:
                await writer.drain()
                if not whole:
                    writer.write_eof()
                return await _answer(reader)
            except ConnectionError:
                return None
        finally:
            writer.close()

    async def lives(self) -> None:
        """The node still answers."""
        said = await self.ask("GET /healthz HTTP/1.1\nHost: HOST")
        assert said is not None and said.status == 200


async def _answer(reader: asyncio.StreamReader) -> Said | None:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = await reader.readline()
        if not line:
            return None
        head += line
    first, *lines = head.decode("latin-1").split("\r\n")
    if first.split()[1] == "100":
        return await _answer(reader)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    try:
        body = await (
            reader.readexactly(int(headers["content-length"])) if "content-length" in headers else reader.read()
        )
    except asyncio.IncompleteReadError as error:  # HEAD
        body = error.partial
    return Said(int(first.split()[1]), headers, body)


@asynccontextmanager
async def wire(data: Path) -> AsyncIterator[Wire]:
    async with asyncio.timeout(STUCK_S), page_world(data) as place:
        yield Wire(place)


# -- names


FOREIGN = (
    "evil.example", "evil.example:80", "127.0.0.1.evil.example", "127.0.0.1@evil.example", "evil.example@127.0.0.1",
    "localhost.evil.example", "evil.example#127.0.0.1", "evil.example?127.0.0.1", "evil.example/127.0.0.1",
    "127.0.0.1:80:80", "127.1", "2130706433", "0x7f000001", "0.0.0.0", "[::]", "[::ffff:127.0.0.1]", "::1",
    "127.0.0.1, evil.example", "evil.example, 127.0.0.1", "localhost\t.evil.example", "xn--lcalhost-n0g", "lоcalhost",
    ":7420", "",
)  # fmt: skip


async def test_no_trick_with_a_name_opens_anything(tmp_path: Path) -> None:
    async with wire(tmp_path) as node:
        for path in ("/api/v1/status", "/", "/metrics", NODES_PATH):
            for name in FOREIGN:
                for more in ("", f"\n{OWNER}", "\nX-Forwarded-Host: 127.0.0.1", "\nForwarded: host=127.0.0.1"):
                    said = await node.ask(f"GET {path} HTTP/1.1\nHost: {name}{more}")
                    assert said is not None and said.status in (400, 403), (path, name, more, said)
                    assert "set-cookie" not in said.headers
            for lines in ("Host: evil.example\nHost: HOST", "Host: HOST\nHost: evil.example"):
                said = await node.ask(f"GET {path} HTTP/1.1\n{lines}")
                assert said is None or said.status in (400, 403), (path, lines, said)
            for head in (f"GET {path} HTTP/1.0", f"GET {path} HTTP/1.1", f"GET http://HOST{path} HTTP/1.1\nHost: x.y"):
                said = await node.ask(head)
                assert said is None or said.status in (400, 403), (head, said)
        await node.lives()


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_a_page_of_another_site_cannot_make_a_browser_read_here(tmp_path: Path, site: str) -> None:
    async with wire(tmp_path) as node:
        costly = ("/api/v1/pack", "/api/v1/doctor", "/api/v1/export?format=csv", "/api/v1/changes/stream")
        for path in (*READS, *costly):
            for mode, dest in (("no-cors", "image"), ("cors", "empty"), ("navigate", "iframe"), ("websocket", "empty")):
                marks = f"Sec-Fetch-Site: {site}\nSec-Fetch-Mode: {mode}\nSec-Fetch-Dest: {dest}"
                said = await node.ask(f"GET {path} HTTP/1.1\nHost: HOST\n{marks}")
                assert said is not None and said.status == 403, (path, mode)
                assert json.loads(said.body)["code"] == "foreign-page"
        link = f"Sec-Fetch-Site: {site}\nSec-Fetch-Mode: navigate\nSec-Fetch-Dest: document"
        followed = await node.ask(f"GET /welcome HTTP/1.1\nHost: HOST\n{link}")
        assert followed is not None and followed.status == 200, "a link that a person follows"


async def test_no_answer_lets_another_origin_in_and_each_says_how_it_may_be_used(tmp_path: Path) -> None:
    async with wire(tmp_path) as node:
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"):
            for path in READS:
                asked = "Access-Control-Request-Method: POST\nAccess-Control-Request-Headers: authorization"
                said = await node.ask(f"{method} {path} HTTP/1.1\nHost: HOST\nOrigin: null\n{asked}")
                assert said is not None and said.status < 500, (method, path, said)
                assert not [name for name in said.headers if name.startswith("access-control")]
                assert said.headers["x-content-type-options"] == "nosniff"
                assert said.headers["x-frame-options"] == "DENY"
                assert "default-src 'none'" in said.headers["content-security-policy"] or (
                    "default-src 'self'" in said.headers["content-security-policy"]
                    and "frame-ancestors 'none'" in said.headers["content-security-policy"]
                )
                assert said.headers["referrer-policy"] in ("no-referrer", "same-origin")
                assert said.headers["cache-control"] == "no-store"


# -- the token and the session


async def test_the_token_is_taken_from_its_header_and_from_nowhere_else(tmp_path: Path) -> None:
    async with wire(tmp_path) as node:
        body = b'{"name": "Taken"}'
        lines = f"Host: HOST\nContent-Type: application/json\nContent-Length: {len(body)}"
        for target in (f"?token={TOKEN}", f"?access_token={TOKEN}", f"?authorization=Bearer%20{TOKEN}", f"#{TOKEN}"):
            said = await node.ask(f"POST /api/v1/commons{target} HTTP/1.1\n{lines}", body)
            assert said is None or said.status in (400, 401), (target, said)
        for header in (
            f"Authorization: Basic {TOKEN}", f"Authorization: {TOKEN}", f"Authorization: Bearer {TOKEN}x",
            f"Authorization: Bearer {TOKEN[:-1]}", f"Authorization: Bearer {TOKEN} {TOKEN}", f"Cookie: token={TOKEN}",
            f"Cookie: api-token={TOKEN}", f"X-Api-Key: {TOKEN}", f"Proxy-Authorization: Bearer {TOKEN}",
            "Authorization: Bearer", "Authorization: Bearer \x80", f"Authorization: Bearer wrong\n{OWNER}",
        ):  # fmt: skip
            said = await node.ask(f"POST /api/v1/commons HTTP/1.1\n{lines}\n{header}", body)
            assert said is None or said.status in (400, 401), (header, said)
        assert not await node.place.commons.list_commons()
        said = await node.ask(f"POST /api/v1/commons HTTP/1.1\n{lines}\n{OWNER}", body)
        assert said is not None and said.status == 201


async def test_a_session_reads_no_secret_for_a_page_of_another_origin(tmp_path: Path) -> None:
    async with wire(tmp_path) as node:
        await node.place.browser.get("/welcome")
        cookies = "; ".join(f"{c.key}={c.value}" for c in node.place.browser.http.cookie_jar)
        assert "own." in cookies
        own = f"Origin: {node.place.url}\nSec-Fetch-Site: same-origin"
        for path in ("/api/v1/identity/words", "/api/v1/backup"):
            for marks in (
                "", "Origin: null", "Origin: http://evil.example", f"Origin: http://{node.host}:1",
                f"Origin: {node.place.url}\nSec-Fetch-Site: none", f"Origin: {node.place.url}.evil.example",
                f"Origin: http://evil.example {node.place.url}", f"Origin: {node.place.url}/",
                f"Referer: {node.place.url}/", f"{own}\nX-Forwarded-For: 192.0.2.1",
            ):  # fmt: skip
                said = await node.ask(f"GET {path} HTTP/1.1\nHost: HOST\nCookie: {cookies}\n{marks}".strip())
                assert said is not None and said.status == 401, (path, marks, said.status if said else None)
        said = await node.ask(f"GET /api/v1/identity/words HTTP/1.1\nHost: HOST\nCookie: {cookies}\n{own}")
        assert said is not None and said.status == 200


async def test_what_is_open_to_read_tells_no_secret(tmp_path: Path) -> None:
    async with wire(tmp_path) as node:
        commons = node.place.commons
        made = await commons.create_commons("Brest", join="invite")
        line = (await commons.invite(made.id)).invitation
        words = await commons.recovery_words()
        secrets = [TOKEN.encode(), line.encode(), line.partition(":")[2].encode(), " ".join(words).encode()]
        for name in ("person.key", "node.key", "recovery.entropy"):
            kept = (tmp_path / name).read_bytes()
            secrets += [kept, kept.hex().encode()]
        more = (
            f"/commons/{made.id.hex()}", f"/api/v1/commons/{made.id.hex()}", "/api/v1/doctor", "/api/v1/pack",
            "/api/v1/export?format=jsonl", "/api/v1/changes",
        )  # fmt: skip
        for path in (*READS, *more):
            for header in ("Accept: */*", "Authorization: Bearer wrong", "Accept-Language: fr"):
                said = await node.ask(f"GET {path} HTTP/1.1\nHost: HOST\n{header}")
                assert said is not None
                whole = said.body + repr(said.headers).encode()
                assert not [secret for secret in secrets if secret in whole], path


# -- sizes and forms


SIZES = (
    "Content-Length: " + "9" * 30, "Content-Length: -1", "Content-Length: 0x10", "Content-Length: +5",
    "Content-Length: 1_0", "Content-Length: 5\nContent-Length: 6", "Content-Length: 5, 6", "Content-Length: 5;",
    "Content-Length: 5\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked, chunked",
    "Transfer-Encoding: xchunked", "Transfer-Encoding:\x0bchunked", "Transfer-Encoding: gzip, chunked",
    "Expect: 100-continue\nContent-Length: 99999999999", "Expect: nonsense\nContent-Length: 2",
)  # fmt: skip


async def test_absurd_sizes_cost_nothing_but_their_own_connection(tmp_path: Path) -> None:
    async with wire(tmp_path) as node:
        kind = "Content-Type: application/json"
        for path in ("/api/v1/commons", "/api/v1/entries:batch?commons=" + "0" * 64, "/api/v1/unpack", "/enter"):
            for size in SIZES:
                for who in ("", f"{OWNER}\n"):
                    head = f"POST {path} HTTP/1.1\nHost: HOST\n{who}{kind}\n{size}"
                    said = await node.ask(head, b"{}", whole=False)
                    assert said is None or 400 <= said.status < 500, (path, size, said)
        floods = (
            "\n".join(f"X-{n}: 1" for n in range(10_000)), "X-Long: " + "x" * 1_000_000,
            "Cookie: " + "; ".join(f"a{n}=b" for n in range(900)), "Cookie: " + "=;" * 4000,
            "Accept-Language: " + "x," * 4000, "X: \x00", "X\x00: 1", "X : 1", " folded: 1", "Host: evil.example\n folded",
        )  # fmt: skip
        for flood in floods:
            said = await node.ask(f"GET /api/v1/status HTTP/1.1\nHost: HOST\n{flood}")
            assert said is None or said.status in (200, 400, 403, 431), (flood[:40], said)
        for line in (
            "GET /" + "a" * 1_000_000,
            "GET /api/v1/entries?q=" + "a" * 5000,
            "GET //evil.example/..",
            "GET *",
        ):
            said = await node.ask(f"{line} HTTP/1.1\nHost: HOST")
            assert said is None or 300 <= said.status < 500, (line[:40], said)
        await node.lives()


FORMS = (
    b"[" * 100_000, b'{"a":' * 100_000, b'{"name":' + b"[" * 5000 + b"]" * 5000 + b"}", b'{"name": NaN}',
    b'{"name": Infinity}', b'{"name": -Infinity}', b'{"name": 1e999}', b'{"name": ' + b"9" * 5000 + b"}",
    b'{"name": ' + b"9" * 20 + b"}", b'{"name": "\\ud800"}', b'{"name": "\\udc00\\ud800"}', b'{"name": "\xff"}',
    b'{"name": "\xed\xa0\x80"}', b'{"name": "a\\u0000b"}', b'{"name": "x", "name": ["y"]}', b'\xef\xbb\xbf{"name": 1}',
    b'{"name": "' + b"x" * (API_BODY_BYTES_MAX - 20) + b'"}', b"\x00" * 1000, b"null", b"true", b'"x"', b"-0", b"1e5",
    b'{"__proto__": {}}', b'{"name": {"$ne": 1}}', b'{"type": "text", "title": {"fr": {"fr": "x"}}}',
    b'{"type": "text", "title": "\\ud800", "source": "\\udfff"}', b'{"type": "text", "title": "x", "length_m": 1e308}',
    b'{"type": "text", "title": "x", "place": {"lat": 1e400, "lon": 1}}', b'{"type": "text", "title": "x", "created": "'
    + b"9" * 4000 + b'"}', b'{"type": "text", "title": "x", "source": "' + b"a:" * 20_000 + b'"}',
)  # fmt: skip


QUERIES = (
    "near=NaN,0,1", "near=1e999,0,1", "near=0,0,1e999", "bbox=NaN,NaN,NaN,NaN", "limit=" + "9" * 5000,
    "limit=٣", "cursor=%00", "cursor=" + "A" * 5000, "q=%00", "q=%ED%A0%80", "q=%FF", "q=" + "%22" * 400,
    "q=" + "(" * 500, "q=NEAR(a b)", "q=title:x", "q=-a OR b*", "q=%2A", "commons=" + "٣" * 64,
    "facets=type&facets=type", "sort=relevance;DROP", "tag=%F0%9F%98%80%00",
)  # fmt: skip


async def test_no_json_brings_a_fault_about(tmp_path: Path) -> None:
    async with wire(tmp_path) as node:
        commons = (await node.place.commons.create_commons("Brest")).id.hex()
        targets = (
            "POST /api/v1/commons", f"POST /api/v1/entries?commons={commons}", "POST /api/v1/commons/join",
            f"POST /api/v1/commons/{commons}/invitations", "POST /api/v1/peers", f"PATCH /api/v1/entries/{commons}",
        )  # fmt: skip
        for target in targets:
            for body in FORMS:
                head = f"{target} HTTP/1.1\nHost: HOST\n{OWNER}\nContent-Type: application/json"
                said = await node.ask(f"{head}\nContent-Length: {len(body)}", body)
                assert said is not None and said.status < 500, (target, body[:60], said)
                json.loads(said.body or b"null")
        lines = b"\n".join(form.replace(b"\n", b"") for form in FORMS) + b"\n"
        head = f"POST /api/v1/entries:batch?commons={commons} HTTP/1.1\nHost: HOST\n{OWNER}\nContent-Type: application/x-ndjson"
        said = await node.ask(f"{head}\nContent-Length: {len(lines)}", lines)
        assert said is not None and said.status == 200
        assert said.body.count(b'"line"') == len(FORMS) and b"internal" not in said.body
        for query in QUERIES:
            said = await node.ask(f"GET /api/v1/entries?{query.replace(' ', '%20')} HTTP/1.1\nHost: HOST")
            assert said is not None and said.status < 500, (query, said)
        await node.lives()


async def test_a_body_is_never_unfolded(tmp_path: Path) -> None:
    async with wire(tmp_path) as node:
        commons = (await node.place.commons.create_commons("Brest")).id.hex()
        entry = b'{"type": "text", "title": "unfolded"}'
        bomb = gzip.compress(bytes(1 << 26))
        targets = {
            f"POST /api/v1/entries?commons={commons}": "application/json",
            f"POST /api/v1/entries:batch?commons={commons}": "application/x-ndjson",
            "POST /api/v1/unpack": "application/octet-stream",
            "POST /enter": "application/x-www-form-urlencoded",
        }
        for target, kind in targets.items():
            for body in (gzip.compress(entry), bomb):
                lines = f"Content-Type: {kind}\nContent-Encoding: gzip\nContent-Length: {len(body)}"
                said = await node.ask(f"{target} HTTP/1.1\nHost: HOST\n{OWNER}\n{lines}", body)
                assert said is not None and said.status < 500, (target, said)
        shown = await node.ask("GET /api/v1/entries?q=unfolded HTTP/1.1\nHost: HOST")
        assert shown is not None
        assert not json.loads(shown.body)["items"]


async def test_who_never_finishes_a_request_stops_nobody_else(tmp_path: Path) -> None:
    async with wire(tmp_path) as node:
        slow = [await asyncio.open_connection(node.host, node.port) for _ in range(200)]
        try:
            for n, (_, writer) in enumerate(slow):
                begun = (b"", b"G", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX", b"POST /api/v1/unpack HTTP/1.1\r\n")[
                    n % 4
                ]
                writer.write(begun)
            for _ in range(3):
                await node.lives()
        finally:
            for _, writer in slow:
                writer.close()


async def test_connections_are_bounded_and_those_that_bring_nothing_end(tmp_path: Path) -> None:
    async def serve(request: web.BaseRequest) -> web.StreamResponse:
        begun.connections.add(request.protocol)
        return web.Response()

    server, begun = web.Server(serve), Begun()
    accepting = Accepting(server, begun, connections_max=5, silent_s_max=20)
    listening = await asyncio.get_running_loop().create_server(accepting, "127.0.0.1", 0)
    async with asyncio.timeout(STUCK_S), listening:
        port = listening.sockets[0].getsockname()[1]
        ends = [await asyncio.open_connection("127.0.0.1", port) for _ in range(5)]
        for _, writer in ends[:3]:
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n")
        ends[4][1].write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await ends[4][0].readline() == b"HTTP/1.1 200 OK\r\n"
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with pytest.raises(ConnectionError):  # one too many
            if not await reader.read():
                raise ConnectionResetError
        writer.close()
        for now_s in (0.0, 19.9):
            accepting.look(now_s)
        assert len(server.connections) == 5
        accepting.look(20.0)
        for reader, _ in ends[:4]:
            with pytest.raises(ConnectionError):
                if not await reader.read():
                    raise ConnectionResetError
        ends[4][1].write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        more = await ends[4][0].readuntil(b"200 OK")
        assert more, "who brought a request goes on"
        await server.shutdown(1)
        for _, writer in ends:
            writer.close()


# -- where other nodes come in


async def test_a_browser_is_no_node(tmp_path: Path) -> None:
    """Pages may open WebSockets anywhere: the way in for nodes is not one of them."""
    async with wire(tmp_path) as node:
        upgrade = (
            "Upgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="
            "\nSec-WebSocket-Protocol: p2pcommons.v1\nOrigin: http://evil.example\nSec-Fetch-Site: cross-site"
            "\nSec-Fetch-Mode: websocket\nSec-Fetch-Dest: empty"
        )
        for path in (NODES_PATH, "/", "/api/v1/changes/stream"):
            said = await node.ask(f"GET {path} HTTP/1.1\nHost: HOST\n{upgrade}", closes=False)
            assert said is not None and said.status == 403


# -- what lies on the disk beside it


async def test_what_a_node_writes_while_it_works_is_for_its_owner_only(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        async with wire(tmp_path / "node") as node:
            made = await node.place.commons.create_commons("Brest")
            await node.place.commons.add_entry(made.id, {"type": "text", "title": "Un"})
            await node.place.commons.pack(tmp_path / "pack")
            await node.place.commons.backup(tmp_path / "backup")
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "node").rglob("*")}
            modes |= {name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("pack", "backup")}
    finally:
        os.umask(before)
    assert {name: oct(mode) for name, mode in modes.items() if mode & 0o077} == {}
