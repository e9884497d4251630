"""Answers that last: batches, changes, and stopping while they are under way. What must not hang."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientPayloadError, ClientResponse, ClientSession
from api_table import NDJSON
from api_world import STUCK_S, TOKEN, served, world
from fake_node import FakeNode

from p2pcommons.api.server import ApiServer, build_app
from p2pcommons.api.serving import ApiSettings
from p2pcommons.core.limits import BATCH_LINE_BYTES_MAX

# -- batches


async def _read_answers(response: ClientResponse) -> list[Any]:
    return [json.loads(line) for line in (await response.text()).splitlines()]


async def test_each_line_has_one_answer_in_order_whatever_is_wrong_with_it() -> None:
    async with world() as here:
        url = f"{here.place.url}/api/v1/entries:batch?commons={here.commons}"
        lines = [b'{"title": "a"}', b"no", b"", b'{"same": 1}', b"{" + b"x" * BATCH_LINE_BYTES_MAX, b'{"title": "z"}']
        response = await here.place.own.post(url, data=b"\n".join(lines), headers=NDJSON)
        assert response.content_type == "application/x-ndjson"
        answers = await _read_answers(response)
    assert [answer["line"] for answer in answers] == [1, 2, 4, 5, 6]
    assert answers[1]["error"] == {"code": "bad-json", "detail": "this is not JSON"}
    assert answers[2] == {"line": 4, "id": answers[2]["id"], "unchanged": True}
    assert answers[3]["error"]["code"] == "line-too-long"
    assert set(answers[4]) == {"line", "id"}


async def test_a_client_may_send_everything_before_it_reads_anything() -> None:
    count = 70_000
    line = b'{"type":"image","title":"%s"}\n' % (b"a work of art " * 40)  # more than all socket buffers together
    async with world() as here:
        with socket.socket() as raw:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            raw.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(raw, ("127.0.0.1", here.place.server.port))
            head = (
                f"POST /api/v1/entries:batch?commons={here.commons} HTTP/1.1\r\nHost: localhost\r\n"
                f"Authorization: Bearer {TOKEN}\r\nContent-Type: application/x-ndjson\r\nConnection: close\r\n"
                f"Content-Length: {len(line) * count}\r\n\r\n"
            )
            await loop.sock_sendall(raw, head.encode())
            block = line * 1000
            for _ in range(count // 1000):
                await loop.sock_sendall(raw, block)
            received = bytearray()
            while data := await loop.sock_recv(raw, 1 << 20):
                received += data
    assert received.startswith(b"HTTP/1.1 200")
    answers = re.sub(rb"\r\n[0-9a-f]+\r\n", b"", received.partition(b"\r\n\r\n")[2])  # chunks joined
    assert [int(number) for number in re.findall(rb'"line":(\d+)', answers)] == list(range(1, count + 1))


async def test_answers_come_while_the_body_is_still_being_sent() -> None:
    async with world() as here:
        gate = asyncio.Event()

        async def body() -> AsyncIterator[bytes]:
            yield b'{"title": "a"}\n{"tit'
            await gate.wait()
            yield b'le": "b"}\n'

        url = f"{here.place.url}/api/v1/entries:batch?commons={here.commons}"
        async with here.place.own.post(url, data=body(), headers=NDJSON) as response:
            assert json.loads(await response.content.readline())["line"] == 1
            gate.set()
            assert json.loads(await response.content.readline())["line"] == 2


async def test_a_batch_cut_off_keeps_whole_lines_and_never_half_a_line() -> None:
    async with world() as here:
        reader, writer = await asyncio.open_connection("127.0.0.1", here.place.server.port)
        writer.write(
            f"POST /api/v1/entries:batch?commons={here.commons} HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: Bearer {TOKEN}\r\nContent-Type: application/x-ndjson\r\n"
            "Content-Length: 1000\r\n\r\n".encode()
            + b'{"title": "whole"}\n{"title": "half"'
        )
        answer = b""
        while b'"line":1,' not in answer:
            answer += await reader.read(4096)
        writer.close()
        await writer.wait_closed()
        assert here.place.node.batch_lines == [b'{"title": "whole"}']
        # The node goes on.
        assert (await here.place.open.get(here.place.url + "/healthz")).status == 200
    assert here.place.node.batch_lines == [b'{"title": "whole"}']


@pytest.mark.parametrize("target", ["/api/v1/unpack", "/api/v1/commons"])
async def test_a_body_cut_off_does_nothing_and_is_no_error(target: str, caplog: pytest.LogCaptureFixture) -> None:
    async with world() as here:
        before = set(here.place.node.known)
        kind = "application/json" if target.endswith("commons") else "application/octet-stream"
        _, writer = await asyncio.open_connection("127.0.0.1", here.place.server.port)
        head = f"POST {target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: {kind}\r\n"
        writer.write(head.encode() + b'Content-Length: 1000\r\n\r\n{"name": "half"}')
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        route = f'route="{target}",status="400"'
        while route not in await (await here.place.open.get(here.place.url + "/metrics")).text():
            pass  # the server has not met the closed socket yet
        assert set(here.place.node.known) == before
    assert not caplog.records


async def test_who_may_not_write_is_told_so_even_after_sending_everything() -> None:
    async with world() as here:
        loop = asyncio.get_running_loop()
        with socket.socket() as raw:
            raw.setblocking(False)
            await loop.sock_connect(raw, ("127.0.0.1", here.place.server.port))
            size = 20_000_000
            head = (
                f"POST /api/v1/entries:batch?commons={here.commons} HTTP/1.1\r\nHost: localhost\r\n"
                f"Content-Type: application/x-ndjson\r\nContent-Length: {size}\r\n\r\n"
            )
            await loop.sock_sendall(raw, head.encode() + b"\n" * size)
            assert (await loop.sock_recv(raw, 100)).startswith(b"HTTP/1.1 401")


async def test_a_batch_that_fails_inside_says_so_behind_what_was_answered(caplog: pytest.LogCaptureFixture) -> None:
    async with world() as here:
        here.place.node.batch_limit = 0
        url = f"{here.place.url}/api/v1/entries:batch?commons={here.commons}"
        answers = await _read_answers(await here.place.own.post(url, data=b"{}\n", headers=NDJSON))
        assert [(answer["line"], answer["error"]["code"]) for answer in answers] == [(1, "internal")]
    assert "a fault nobody foresaw" in caplog.text


# -- changes


async def _events(response: ClientResponse, count: int) -> list[dict[str, str]]:
    events: list[dict[str, str]] = []
    event: dict[str, str] = {}
    while len(events) < count:
        line = (await response.content.readline()).decode().rstrip("\n")
        if not line:
            if "data" in event:
                events.append(event)
            event = {}
        else:
            name, _, value = line.partition(":")
            event[name] = value.strip()
    return events


async def test_a_stream_goes_on_behind_the_last_event_id_and_then_live() -> None:
    async with world() as here:
        url = here.place.url + "/api/v1/changes/stream"
        async with here.place.open.get(url, headers={"Last-Event-ID": "1"}) as response:
            assert response.content_type == "text/event-stream"
            before = await _events(response, 2)
            assert [event["id"] for event in before] == ["2", "3"]
            added = await here.place.own.post(
                f"{here.place.url}/api/v1/entries?commons={here.commons}", json={"title": "new"}
            )
            (live,) = await _events(response, 1)
            assert json.loads(live["data"]) == {
                "cursor": "4",
                "commons": here.commons,
                "id": (await added.json())["id"],
            }


async def test_a_stream_with_no_position_starts_now_and_says_where_that_is() -> None:
    async with world() as here, here.place.open.get(here.place.url + "/api/v1/changes/stream") as response:
        assert (await response.content.readline()).startswith(b"retry:")
        assert await response.content.readline() == b"id: 3\n"


async def test_a_silent_stream_beats() -> None:
    async with (
        served(FakeNode(), ApiSettings(TOKEN, heartbeat_s=0.01)) as place,
        place.open.get(place.url + "/api/v1/changes/stream") as response,
    ):
        while not (await response.content.readline()).startswith(b":"):
            pass


async def test_changes_can_be_followed_by_next_and_nothing_is_missed() -> None:
    async with world() as here:
        url = here.place.url + "/api/v1/changes"
        seen: list[str] = []
        parameters: dict[str, str] = {"limit": "2"}
        while True:
            answer = await (await here.place.open.get(url, params=parameters)).json()
            seen += [item["cursor"] for item in answer["items"]]
            if answer["next"] is None:
                break
            parameters["since"] = answer["next"]
        assert seen == ["1", "2", "3"]
        await here.place.own.patch(f"{here.place.url}/api/v1/entries/{here.entry}", json={"title": "c"})
        answer = await (await here.place.open.get(url, params=parameters)).json()
        assert [item["id"] for item in answer["items"]] == [here.entry]


async def test_a_closed_tab_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    async with served(FakeNode(), ApiSettings(TOKEN, heartbeat_s=0.001)) as place:
        response = await place.open.get(place.url + "/api/v1/changes/stream")
        await response.content.readline()
        response.close()
        while "p2pcommons_api_streams 0" not in await (await place.open.get(place.url + "/metrics")).text():
            pass  # the server has not met the closed socket yet
    assert not caplog.records


async def test_stopping_ends_streams_batches_and_clients_that_do_not_read() -> None:
    node = FakeNode()
    commons = (await node.create_commons("a")).id
    await node.add_entry(commons, {"title": "a"})
    node.log *= 200_000  # more than any socket holds
    server = ApiServer(build_app(node, ApiSettings(TOKEN)), "127.0.0.1", 0)
    started = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b'{"title": "a"}\n'
        await started.wait()

    async with asyncio.timeout(STUCK_S), ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as session:
        await server.__aenter__()
        url = f"http://{server.address}/api/v1"
        stream = await session.get(f"{url}/changes/stream")
        await stream.content.readline()
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(deaf, ("127.0.0.1", server.port))
            await loop.sock_sendall(deaf, b"GET /api/v1/changes/stream?since=0 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            batch = await session.post(f"{url}/entries:batch?commons={commons.hex()}", data=body(), headers=NDJSON)
            assert json.loads(await batch.content.readline())["line"] == 1
            before = -1
            while before != node.changes_told:  # until the deaf one's sockets are full
                before = node.changes_told
                for _ in range(500):
                    await asyncio.sleep(0)
            assert 0 < before < 200_000
            async with asyncio.timeout(5):  # the promise: gone within 5 s, whatever is open
                await server.__aexit__(None, None, None)
        await stream.content.read()  # an event stream ends in order,
        with pytest.raises(ClientPayloadError):  # a batch that is not through is seen to be cut
            await batch.content.read()
        assert node.batch_lines == [b'{"title": "a"}']
        started.set()
