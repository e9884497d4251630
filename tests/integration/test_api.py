"""Every route over real sockets, rightly and wrongly, against a node in memory; and answers as a whole."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from api_table import TABLE, Ask, ask
from api_world import ABSENT, TOKEN, served, world
from fake_node import ALICE, FakeNode

from p2pcommons.api.schema import REPEATED_MAX, BadRequest, Fields
from p2pcommons.api.searching import SEARCH
from p2pcommons.api.server import HEADERS, ApiServer, all_operations, build_app
from p2pcommons.api.serving import SCRATCH_PREFIX, ApiSettings
from p2pcommons.api.wire import dump
from p2pcommons.commons.query import Query
from p2pcommons.core.identity import did_key
from p2pcommons.core.limits import API_URL_BYTES_MAX
from p2pcommons.store.search import SORT_TITLE_CHARACTERS, Place, cursor


def fits(value: Any, schema: Any, document: Any, where: str = "$") -> None:
    """As much of JSON Schema as the document uses."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        for option in schema["anyOf"]:
            try:
                return fits(value, option, document, where)
            except AssertionError as error:
                last = error
        raise last
    types = {
        "object": dict,
        "array": list,
        "string": str,
        "integer": int,
        "boolean": bool,
        "number": (int, float),
        "null": type(None),
    }
    if "type" in schema:
        assert isinstance(value, types[schema["type"]]), (where, value, schema)
    assert value in schema.get("enum", [value]), (where, value)
    if isinstance(value, str) and "pattern" in schema:
        assert re.search(schema["pattern"], value), (where, value)
    if isinstance(value, list):
        for number, item in enumerate(value):
            fits(item, schema.get("items", {}), document, f"{where}[{number}]")
    if isinstance(value, dict):
        assert set(schema.get("required", [])) <= value.keys(), (where, value.keys())
        for name, member in value.items():
            rest = schema.get("additionalProperties", {})
            known = schema.get("properties", {}).get(name, rest)
            assert known is not False, (where, name)
            fits(member, known, document, f"{where}.{name}")
    return None


@pytest.mark.parametrize(
    "one", TABLE, ids=lambda one: f"{one.operation} {one.status} {one.code or ''} {one.names or ''}"
)
async def test_every_route_answers_right_and_wrong_requests_as_its_description_says(one: Ask) -> None:
    async with world() as here:
        document = await (await here.place.open.get(here.place.url + "/api/v1/openapi.json")).json()
        method, _, path = one.operation.partition(" ")
        described = document["paths"][path][method.lower()]
        response = await ask(here.place.own, here, one)
        content = await response.read()
        assert response.status == one.status, content
        for name in HEADERS:
            assert name in response.headers
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "Access-Control-Allow-Origin" not in response.headers
        if one.code is not None:
            assert response.content_type == "application/problem+json"
            problem = json.loads(content)
            assert (problem["code"], problem["status"]) == (one.code, one.status)
            assert problem["detail"]
            if one.names is not None:
                assert one.names in (problem.get("parameter"), problem.get("field"))
                assert one.names in problem["detail"]
            fits(problem, {"$ref": "#/components/schemas/Problem"}, document)
            assert str(one.status) in described["responses"]
        else:
            assert str(one.status) in described["responses"]
            told = described["responses"][str(one.status)].get("content", {})
            assert not told or response.content_type in told
            if response.content_type == "application/json":
                fits(json.loads(content), told["application/json"]["schema"], document)
                assert content == dump(json.loads(content))  # compact UTF-8


def test_the_table_has_a_right_and_a_wrong_request_for_every_operation() -> None:
    names = {f"{operation.method} {operation.path}" for operation in all_operations()}
    wrong = {one.operation for one in TABLE if one.status >= 400}
    # The stream answers rightly in tests of its own.
    right = {one.operation for one in TABLE if one.status < 400} | {"GET /api/v1/changes/stream"}
    assert (names, names) == (right, wrong)


def test_no_member_of_a_body_may_be_null() -> None:
    for operation in all_operations():
        if not isinstance(operation.body, Fields):
            continue
        for member in operation.body.members:
            with pytest.raises(BadRequest) as caught:
                operation.body.check({member.name: None})
            assert caught.value.code == "bad-field", (operation.name, member.name)


async def test_every_address_answers_a_method_it_does_not_know_by_those_that_it_knows() -> None:
    known: dict[str, set[str]] = {}
    for operation in all_operations():
        known.setdefault(operation.path, set()).update(operation.methods())
    async with world() as here:
        for path, methods in known.items():
            target = re.sub(r"\{\w+\}", here.commons, path)
            for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"} - methods:
                response = await here.place.own.request(method, here.place.url + target)
                assert response.status == 405, (method, path)
                assert {word.strip() for word in response.headers["Allow"].split(",")} == methods, (method, path)


def test_the_greatest_cursor_that_a_search_gives_is_taken_back() -> None:
    (parameter,) = (one for one in SEARCH if one.name == "cursor")
    for order, key in (("title", "🌊" * SORT_TITLE_CHARACTERS), ("updated", 2**63 - 1), ("title", "")):
        made = cursor(Query(sort=order), Place(order, key, b"\xff" * 32, b"\xff" * 32))
        assert parameter.form.text(made) == made


async def test_the_longest_search_that_the_document_allows_is_taken_and_more_is_refused_by_name() -> None:
    async with world() as here:
        url, filters = here.place.url + "/api/v1/entries", ("type", "tag", "licence", "language")
        longest = [(name, "\U0001f30a" * 500) for name in filters for _ in range(REPEATED_MAX)]
        longest += [("q", "\U0001f30a" * 1000), ("commons", here.commons)]
        assert (await here.place.open.get(url, params=longest)).status == 200
        response = await here.place.open.get(url, params=[("type", "a")] * (REPEATED_MAX + 1))
        assert (response.status, (await response.json())["parameter"]) == (400, "type")


async def test_http_that_a_caller_gets_wrong_is_no_news(caplog: pytest.LogCaptureFixture) -> None:
    async with served(FakeNode()) as place:
        host, _, port = place.server.address.rpartition(":")
        for wrong in (b"\0\1 nothing of HTTP\r\n\r\n", b"GET /" + b"a" * API_URL_BYTES_MAX + b" HTTP/1.1\r\n\r\n"):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(wrong)
            assert b" 400 " in await reader.readline()
            writer.close()
    assert not caplog.records


# -- answers as a whole


async def test_nothing_but_health_and_description_answers_before_the_node_is_ready() -> None:
    async with world() as here:
        here.place.node.ready = False
        for operation in all_operations():
            if operation.always:
                continue
            one = next(one for one in TABLE if one.operation == f"{operation.method} {operation.path}")
            response = await ask(here.place.own, here, one)
            assert (response.status, (await response.json())["code"]) == (503, "not-ready"), operation.name
            assert response.headers["Retry-After"]
        assert (await here.place.open.get(here.place.url + "/healthz")).status == 503
        assert (await here.place.open.get(here.place.url + "/api/v1/openapi.json")).status == 200


async def test_unknown_addresses_and_methods_are_problems_too() -> None:
    async with served(FakeNode()) as place:
        response = await place.open.get(place.url + "/api/v1/nowhere")
        assert (response.status, (await response.json())["code"]) == (404, "unknown-route")
        response = await place.own.put(place.url + "/api/v1/entries")
        assert (response.status, (await response.json())["code"]) == (405, "method-not-allowed")
        assert "POST" in response.headers["Allow"]
        response = await place.own.options(place.url + "/api/v1/entries", headers={"Origin": "https://evil.example"})
        assert response.status == 405
        assert not [name for name in response.headers if name.lower().startswith("access-control")]
        assert (await place.open.head(place.url + "/api/v1/status")).status == 200


async def test_a_fault_nobody_foresaw_is_500_without_its_details(caplog: pytest.LogCaptureFixture) -> None:
    node = FakeNode()

    async def broken() -> Any:
        raise RuntimeError("the secret inside")

    node.doctor = broken  # type: ignore[method-assign]
    async with served(node) as place:
        response = await place.open.get(place.url + "/api/v1/doctor")
        text = await response.text()
    assert response.status == 500
    assert json.loads(text)["code"] == "internal"
    assert "secret" not in text
    assert "the secret inside" in caplog.text


async def test_pages_come_in_by_their_own_routes_behind_the_same_door() -> None:
    async def page(request: web.Request) -> web.Response:
        return web.Response(
            text="<p>", content_type="text/html", headers={"Content-Security-Policy": "default-src 'self'"}
        )

    async def missing(request: web.Request) -> web.Response:
        raise web.HTTPNotFound(text="a page of its own")

    routes = [web.get("/", page), web.get("/missing", missing)]
    async with served(FakeNode(), extra_routes=routes) as place:
        response = await place.open.get(place.url + "/")
        assert response.headers["Content-Security-Policy"] == "default-src 'self'"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert await (await place.open.get(place.url + "/missing")).text() == "a page of its own"
        assert (await place.open.get(place.url + "/", headers={"Host": "evil.example"})).status == 403


async def test_an_entry_carries_its_etag_and_a_stale_write_gets_the_present_entry() -> None:
    async with world() as here:
        url = f"{here.place.url}/api/v1/entries/{here.entry}"
        first = await here.place.open.get(url)
        etag = first.headers["ETag"]
        assert (await here.place.open.get(url, headers={"If-None-Match": etag})).status == 304
        changed = await here.place.own.patch(url, json={"title": "b"}, headers={"If-Match": etag})
        assert changed.status == 200
        stale = await here.place.own.patch(url, json={"title": "c"}, headers={"If-Match": etag})
        assert stale.status == 412
        assert (await stale.json())["entry"] == await changed.json()
        assert stale.headers["ETag"] == changed.headers["ETag"] != etag


async def test_a_withdrawn_entry_tells_who_when_and_why() -> None:
    async with world() as here:
        response = await here.place.open.get(f"{here.place.url}/api/v1/entries/{here.gone}")
        problem = await response.json()
        assert (problem["by"], problem["reason"]) == (did_key(ALICE), "a double")
        assert problem["at"] == "2025-06-15T15:06:40.123Z"


async def test_lists_are_walked_by_cursor_to_the_end() -> None:
    async with world() as here:
        for name in "abcde":
            await here.place.node.create_commons(name)
        seen, cursor = [], None
        while True:
            parameters = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
            answer = await (await here.place.open.get(here.place.url + "/api/v1/commons", params=parameters)).json()
            assert len(answer["items"]) <= 2
            seen += [item["id"] for item in answer["items"]]
            cursor = answer["next"]
            if cursor is None:
                break
        assert seen == sorted(one.hex() for one in here.place.node.known)


async def test_metrics_tell_requests_by_route_and_never_by_address() -> None:
    async with world() as here:
        await here.place.open.get(f"{here.place.url}/api/v1/entries/{here.entry}")
        await here.place.open.get(f"{here.place.url}/api/v1/nowhere/{ABSENT}")
        response = await here.place.open.get(here.place.url + "/metrics")
        text = await response.text()
    assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert 'p2pcommons_api_requests_total{method="GET",route="/api/v1/entries/{id}",status="200"} 1' in text
    assert 'p2pcommons_api_requests_total{method="any",route="unknown",status="404"} 1' in text
    assert ABSENT not in text
    assert 'p2pcommons_entries{commons="unannounced"} 0' in text
    assert here.commons not in text


async def test_a_taken_port_is_an_os_error_and_the_same_application_serves_at_the_next() -> None:
    app = build_app(FakeNode(), ApiSettings(TOKEN))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(OSError):
            async with ApiServer(app, "127.0.0.1", taken.getsockname()[1]):
                pass
        async with ApiServer(app, "127.0.0.1", 0) as server, ClientSession() as session:
            stream = await session.get(f"http://{server.address}/api/v1/changes/stream")
            assert stream.status == 200
            assert (await stream.content.readline()).startswith(b"retry:")
            stream.close()


async def test_temporary_files_that_a_killed_process_left_go_at_the_start(tmp_path: Path) -> None:
    left, other = tmp_path / f"{SCRATCH_PREFIX}x", tmp_path / "catalogue.sqlite"
    left.mkdir()
    (left / "backup").write_bytes(b"secret")
    other.write_bytes(b"")
    async with served(FakeNode(), ApiSettings(TOKEN, scratch=tmp_path)) as place:
        assert not left.exists()
        await (await place.open.get(place.url + "/api/v1/pack")).read()
    assert [path.name for path in tmp_path.iterdir()] == ["catalogue.sqlite"]  # noqa: ASYNC240
