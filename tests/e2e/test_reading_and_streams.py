"""Searching, paging, batches and event streams over plain HTTP, as another program does them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from tests.e2e.http_world import NDJSON, Http, http
from tests.e2e.judging import quiet
from tests.e2e.processes import NodeProcess

A = "/api/v1"

ENTRIES: dict[str, dict[str, Any]] = {
    "église": {
        "type": "place", "title": "Église Saint-Éloi", "place": {"name": "Ploudalmézeau", "lat": 48.54, "lon": -4.66},
        "subjects": ["église", "pierre"], "licence": "CC-BY-SA-4.0", "language": ["fr"], "description": "Un clocher ajouré",
    },
    "chapelle": {
        "type": "place", "title": "Chapelle de la Mer", "place": {"name": "Molène", "lat": 48.39, "lon": -4.96},
        "subjects": ["église", "mer"], "licence": "CC0-1.0", "language": ["fr", "br"],
    },
    "tableau": {
        "type": "image", "title": {"fr": "Marée basse", "en": "Low tide"}, "creators": [{"name": "Œillet, Zoé", "role": "painter"}],
        "subjects": ["mer", "plage"], "licence": "CC-BY-SA-4.0", "created": "1887",
    },
    "livre": {"type": "book", "title": "Les marins d’Islande", "subjects": ["mer"], "contributors": ["Le Gall, Yann"]},
    "fidji": {"type": "place", "title": "Ponton est", "place": {"lat": -17.0, "lon": 179.9}, "subjects": ["ponton"]},
    "samoa": {"type": "place", "title": "Ponton ouest", "place": {"lat": -17.0, "lon": -179.9}, "subjects": ["ponton"]},
}  # fmt: skip


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[NodeProcess, str, dict[str, str]]]:
    node = NodeProcess(tmp_path_factory.mktemp("shelf") / "node").start()

    async def furnish() -> tuple[str, dict[str, str]]:
        async with http(node) as ask:
            commons = (await ask("POST", f"{A}/commons", {"name": "Rivage"})).json["id"]
            lines = b"".join(json.dumps(entry).encode() + b"\n" for entry in ENTRIES.values())
            answered = await ask("POST", f"{A}/entries:batch?commons={commons}", lines, NDJSON)
            ids = [json.loads(line)["id"] for line in answered.content.splitlines()]
            return commons, {name: identifier for identifier, name in zip(ids, ENTRIES, strict=True)}

    try:
        commons, names = asyncio.run(furnish())
        yield node, commons, {identifier: name for name, identifier in names.items()}
        assert node.stop() == 0
        quiet(node.log())
    finally:
        node.kill()


Shelf = tuple[NodeProcess, str, dict[str, str]]


async def found(shelf: Shelf, **query: str) -> list[str]:
    """Names of what a search finds."""
    node, commons, names = shelf
    async with http(node) as ask:
        page = await ask.get(f"/entries?{urlencode({'commons': commons, **query})}")
    assert page["total"] == len(page["items"]) and page["next"] is None
    return [names[item["id"]] for item in page["items"]]


@pytest.mark.parametrize(
    ("q", "wanted"),
    [
        ("eglise", {"église", "chapelle"}),
        ("ÉGLISE", {"église", "chapelle"}),
        ("église saint", {"église"}),
        ("saint eloi clocher", {"église"}),
        ("molène", {"chapelle"}),
        ("molene chapelle", {"chapelle"}),
        ("oeillet", {"tableau"}),
        ("Œillet zoe", {"tableau"}),
        ("gall", {"livre"}),
        ("low tide", {"tableau"}),
        ("mar", {"tableau", "livre"}),
        ("mar*", {"tableau", "livre"}),
        ("mar* islande", {"livre"}),
        ("mar islande", set()),
        ("mer", {"chapelle", "tableau", "livre"}),
        ('"chapelle de la mer"', {"chapelle"}),
        ('"mer la chapelle"', set()),
        ('"marée basse" plage', {"tableau"}),
        ("ponton", {"fidji", "samoa"}),
        ("nulle part", set()),
        ('"', set(ENTRIES)),
        ("AND OR NOT NEAR(", set()),
        ("d'islande", {"livre"}),
        ("title:mer", set()),
    ],
)  # fmt: skip
async def test_words_are_found_wherever_they_stand_and_however_they_are_accented(
    q: str, wanted: set[str], shelf: Shelf
) -> None:
    assert set(await found(shelf, q=q)) == wanted


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ({"type": "place"}, {"église", "chapelle", "fidji", "samoa"}),
        ({"tag": "mer"}, {"chapelle", "tableau", "livre"}),
        ({"tag": "mer", "type": "book"}, {"livre"}),
        ({"licence": "CC0-1.0"}, {"chapelle"}),
        ({"language": "br"}, {"chapelle"}),
        ({"language": "fr", "q": "clocher"}, {"église"}),
        ({"bbox": "-5,48,-4.5,49"}, {"église", "chapelle"}),
        ({"bbox": "-4.8,48,-4.5,49"}, {"église"}),
        ({"bbox": "179,-20,-179,-10"}, {"fidji", "samoa"}),
        ({"bbox": "-179,-20,179,-10"}, set()),
        ({"near": "48.54,-4.66,1"}, {"église"}),
        ({"near": "48.5,-4.8,40"}, {"église", "chapelle"}),
        ({"near": "-17,180,30"}, {"fidji", "samoa"}),
        ({"near": "48.54,-4.66,1", "tag": "mer"}, set()),
        ({"available": "true"}, set()),
        ({"available": "false"}, set(ENTRIES)),
        ({}, set(ENTRIES)),
    ],
)  # fmt: skip
async def test_filters_all_hold(query: dict[str, str], wanted: set[str], shelf: Shelf) -> None:
    assert set(await found(shelf, **query)) == wanted


async def test_facets_count_what_was_found_and_orders_are_as_asked(shelf: Shelf) -> None:
    node, commons, _ = shelf
    async with http(node) as ask:
        page = await ask.get(f"/entries?commons={commons}&facets=type,subjects,licence,language&limit=1")
        assert page["total"] == 6 and len(page["items"]) == 1 and page["order"] == "updated"
        assert {one["value"]: one["count"] for one in page["facets"]["type"]} == {"place": 4, "image": 1, "book": 1}
        assert page["facets"]["subjects"][0] == {"value": "mer", "count": 3}
        assert {one["value"]: one["count"] for one in page["facets"]["licence"]} == {"CC-BY-SA-4.0": 2, "CC0-1.0": 1}
        assert {one["value"]: one["count"] for one in page["facets"]["language"]} == {"fr": 2, "br": 1}
        narrowed = await ask.get(f"/entries?commons={commons}&facets=type&q=mer")
        assert narrowed["order"] == "relevance" and sum(one["count"] for one in narrowed["facets"]["type"]) == 3
        titles = [item["title"] for item in await ask.items(f"/entries?commons={commons}&sort=title", 2)]
        assert [title if isinstance(title, str) else title["fr"] for title in titles] == [
            "Chapelle de la Mer", "Église Saint-Éloi", "Les marins d’Islande", "Marée basse", "Ponton est", "Ponton ouest",
        ]  # fmt: skip
        newest = await ask.get(f"/entries?commons={commons}&sort=created")
        times = [item["created_at"] for item in newest["items"]]
        assert times == sorted(times, reverse=True)


async def test_every_list_comes_whole_and_once_page_by_page(shelf: Shelf) -> None:
    node, _, _ = shelf
    async with http(node) as ask:
        commons = (await ask("POST", f"{A}/commons", {"name": "Pages"})).json["id"]
        lines = b"".join(
            json.dumps({"type": "book", "title": f"Même titre {number % 3}", "subjects": ["même"]}).encode() + b"\n"
            for number in range(23)
        )
        await ask("POST", f"{A}/entries:batch?commons={commons}", lines, NDJSON)
        for sort in ("relevance", "updated", "created", "title"):
            for more in ("", "&q=meme"):
                target = f"/entries?commons={commons}&sort={sort}{more}"
                whole = [item["id"] for item in await ask.items(target, 500)]
                assert len(set(whole)) == len(whole) == 23
                for limit in (1, 2, 7, 23):
                    assert [item["id"] for item in await ask.items(target, limit)] == whole, (target, limit)
        entry = whole[0]
        for number in range(4):
            await ask("PATCH", f"{A}/entries/{entry}", {"description": f"Version {number}"})
        for port in range(51, 54):
            await ask("POST", f"{A}/peers", {"address": f"127.0.0.1:{port}"})
        for target, key in (
            ("/commons", "id"),
            ("/peers", "address"),
            (f"/entries/{entry}/history", "record"),
            (f"/entries/{entry}/records", "id"),
        ):
            whole = [item[key] for item in await ask.items(target, 500)]
            assert len(set(whole)) == len(whole) >= 2
            for limit in (1, 2):
                assert [item[key] for item in await ask.items(target, limit)] == whole, target
        # What changes while one pages is neither missed in the log of changes nor given twice.
        seen, since = [], "0"
        while True:
            page = await ask.get(f"/changes?since={since}&limit=5")
            if page["next"] is None:
                break
            seen += [item["id"] for item in page["items"] if item["commons"] == commons]
            since = page["next"]
        assert len(seen) == len(set(seen)) == 23


async def test_a_client_may_send_a_whole_batch_before_it_reads_anything(shelf: Shelf) -> None:
    node, _, _ = shelf
    count = 5_000
    async with http(node) as ask:
        commons = (await ask("POST", f"{A}/commons", {"name": "Lot"})).json["id"]
        host, _, port = ask.base.removeprefix("http://").rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port), limit=64 * 1024)
        head = f"POST {A}/entries:batch?commons={commons} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {ask.token}\r\n"
        writer.write(f"{head}Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        async with asyncio.timeout(60):
            for number in range(1, count + 1):
                line = json.dumps({"type": "book", "title": f"Cahier {number} " + "x" * 200, "source": f"lot:{number}"})
                data = (b"{nonsense" if number == 1234 else b"" if number == 2345 else line.encode()) + b"\n"
                writer.write(b"%x\r\n%b\r\n" % (len(data), data))
                await writer.drain()
            writer.write(b"0\r\n\r\n")
            await writer.drain()
            status = await reader.readline()
            assert b"200" in status
            answers = [json.loads(line) async for line in _lines(reader)]
        writer.close()
        assert [answer["line"] for answer in answers] == [n for n in range(1, count + 1) if n != 2345]
        wrong = [answer for answer in answers if "error" in answer]
        assert [(one["line"], one["error"]["code"]) for one in wrong] == [(1234, "bad-json")]
        assert len({answer["id"] for answer in answers if "id" in answer}) == count - 2
        assert (await ask.get(f"/commons/{commons}/digest"))["entries"] == count - 2
        again = b'{"type": "book", "title": "Cahier 1 ' + b"x" * 200 + b'", "source": "lot:1"}\n'
        twice = await ask("POST", f"{A}/entries:batch?commons={commons}", again * 2, NDJSON)
        assert [json.loads(line).get("unchanged") for line in twice.content.splitlines()] == [True, True]


async def _lines(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Lines of a chunked answer."""
    while (await reader.readline()).strip():
        pass  # headers
    held = b""
    while size := int(await reader.readline(), 16):
        held += await reader.readexactly(size)
        await reader.readexactly(2)
        *whole, held = held.split(b"\n")
        for line in whole:
            yield line
    assert not held


class Events:
    """One event stream, as a browser reads it."""

    def __init__(self, ask: Http, last: str | None = None) -> None:
        self.ask = ask
        self.last = last

    async def __aenter__(self) -> Events:
        headers = {"Last-Event-ID": self.last} if self.last is not None else {}
        self.response = await self.ask.session.get(f"{self.ask.base}{A}/changes/stream", headers=headers)
        assert self.response.status == 200
        assert self.response.headers["Content-Type"].startswith("text/event-stream")
        self.first = await self._event()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.response.close()

    async def _event(self) -> dict[str, str]:
        said: dict[str, str] = {}
        while line := (await self.response.content.readline()).decode().rstrip("\n"):
            name, _, value = line.partition(":")
            if name:
                said[name] = value.strip()
        if not said and self.response.content.at_eof():
            raise EOFError
        self.last = said.get("id", self.last)
        return said

    async def changes(self, count: int) -> list[str]:
        """Ids of the next entries that change."""
        seen: list[str] = []
        async with asyncio.timeout(60):
            while len(seen) < count:
                said = await self._event()
                if "data" in said:
                    change = json.loads(said["data"])
                    assert change["cursor"] == said["id"]
                    seen.append(change["id"])
        return seen


async def test_an_event_stream_goes_on_where_it_was_across_a_restart(shelf: Shelf) -> None:
    node, _, _ = shelf
    async with http(node) as ask:
        commons = (await ask("POST", f"{A}/commons", {"name": "Flux"})).json["id"]

        async def add(title: str) -> str:
            return str(
                (await ask("POST", f"{A}/entries?commons={commons}", {"type": "book", "title": title})).json["id"]
            )

        before = await add("avant")
        async with Events(ask) as events, Events(ask, "0") as all_events:
            assert events.first["retry"].isdigit() and events.first["id"] == events.last
            ids = [await add("un"), await add("deux")]
            assert await events.changes(2) == ids, "from now on, in order"
            seen = await all_events.changes(1)
            while before not in seen:
                seen += await all_events.changes(1)
            assert len(seen) > len(ENTRIES), "from the beginning"
            last = events.last
        missed = [await add("trois"), await add("quatre")]
    assert node.stop() == 0
    node.start()
    async with http(node) as ask, Events(ask, last) as events:
        assert await events.changes(2) == missed, "what came while it was away"
        gone = (await ask("DELETE", f"{A}/entries/{missed[0]}")).json["id"]
        assert await events.changes(1) == [gone], "a withdrawal is a change"
        stopped = asyncio.create_task(events.changes(1))
        assert await asyncio.to_thread(node.stop) == 0
        with pytest.raises((EOFError, aiohttp.ClientError)):
            await stopped
    node.start()
