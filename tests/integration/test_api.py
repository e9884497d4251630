"""The API over real sockets, against a node in memory: every route rightly and wrongly, and what must not hang."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
from aiohttp import ClientPayloadError, ClientResponse, ClientSession, web
from aiohttp.test_utils import make_mocked_request
from fake_node import ALICE, NOW, PACK, FakeNode

from p2pcommons import Client
from p2pcommons.api.auth import Door, Grant
from p2pcommons.api.connection import NoAnswer
from p2pcommons.api.problems import Unauthorised
from p2pcommons.api.server import HEADERS, ApiServer, all_operations, build_app
from p2pcommons.api.serving import ApiSettings
from p2pcommons.api.wire import dump
from p2pcommons.commons.query import Query
from p2pcommons.core.identity import did_key
from p2pcommons.core.limits import API_BODY_BYTES_MAX, BATCH_LINE_BYTES_MAX
from p2pcommons.core.record import CommonsId, Subject
from p2pcommons.errors import Conflict, NotFound, Refused
from p2pcommons.node.values import BatchAnswer, EntryChanged, EntryWithdrawn, FacetCount

TOKEN = "the-token-of-the-tests"
ABSENT = "ee" * 32
STUCK_S = 60  # a test that hangs fails then; none waits for it


class Place(NamedTuple):
    """A served node: its address, a session without and one with the token, and the node itself."""

    url: str
    open: ClientSession
    own: ClientSession
    node: FakeNode
    server: ApiServer


@asynccontextmanager
async def served(node: FakeNode, settings: ApiSettings | None = None, **more: Any) -> AsyncIterator[Place]:
    app = build_app(node, settings or ApiSettings(TOKEN), **more)
    async with asyncio.timeout(STUCK_S), ApiServer(app, "127.0.0.1", 0) as server:
        url = f"http://{server.address}"
        async with ClientSession() as nobody, ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as owner:
            yield Place(url, nobody, owner, node, server)


class World(NamedTuple):
    """What is in the node of the route table."""

    place: Place
    commons: str
    waiting: str
    entry: str
    gone: str


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    node = FakeNode()
    commons = (await node.create_commons("Lavoirs", languages=("fr", "br"))).id
    waiting = (await node.follow(CommonsId(b"\x09" * 32))).id
    entry = (await node.add_entry(commons, {"type": "place", "title": "lavoir", "source": "test:1"})).entry["id"]
    gone = (await node.add_entry(commons, {"type": "place", "title": "double"})).entry["id"]
    await node.withdraw_entry(Subject(bytes.fromhex(gone)), "a double")
    await node.add_peer("192.0.2.1:7421")
    async with served(node) as place:
        yield World(place, commons.hex(), waiting.hex(), entry, gone)


# -- the route table

JSON = {"Content-Type": "application/json"}
NDJSON = {"Content-Type": "application/x-ndjson"}
BYTES = {"Content-Type": "application/octet-stream"}


class Ask(NamedTuple):
    """A request, and what it must be answered. `{commons}` and the like are filled in from the world."""

    operation: str
    target: str
    status: int
    code: str | None = None  # of the problem
    names: str | None = None  # the parameter or field that the problem names
    body: Any = None
    headers: Mapping[str, str] = MappingProxyType({})


K = "did:key:z6MkpTHR8VNsBxYAAWHut2Geadd9jSwuBV8xRoAnwWsdvktH"

TABLE = [
    Ask("GET /api/v1/status", "/api/v1/status", 200),
    Ask("GET /api/v1/status", "/api/v1/status?x=1", 400, "bad-parameter", "x"),
    Ask("GET /api/v1/identity", "/api/v1/identity", 200),
    Ask("GET /api/v1/identity", "/api/v1/identity?x", 400, "bad-parameter", "x"),
    Ask("GET /api/v1/identity/words", "/api/v1/identity/words?language=fr", 200),
    Ask("GET /api/v1/identity/words", "/api/v1/identity/words?language=xx", 400, "unknown-language"),
    Ask("GET /healthz", "/healthz", 200),
    Ask("GET /healthz", "/healthz?x=1", 400, "bad-parameter", "x"),
    Ask("GET /metrics", "/metrics", 200),
    Ask("GET /metrics", "/metrics?x=1", 400, "bad-parameter", "x"),
    Ask("GET /api/v1/openapi.json", "/api/v1/openapi.json", 200),
    Ask("GET /api/v1/openapi.json", "/api/v1/openapi.json?x=1", 400, "bad-parameter", "x"),
    Ask("GET /api/v1/commons", "/api/v1/commons?limit=1", 200),
    Ask("GET /api/v1/commons", "/api/v1/commons?limit=501", 400, "bad-parameter", "limit"),
    Ask("GET /api/v1/commons", "/api/v1/commons?limit=0", 400, "bad-parameter", "limit"),
    Ask("GET /api/v1/commons", "/api/v1/commons?cursor=-1", 400, "bad-parameter", "cursor"),
    Ask("POST /api/v1/commons", "/api/v1/commons", 201, body={"name": "Fours à pain", "join": "open"}),
    Ask("POST /api/v1/commons", "/api/v1/commons", 400, "bad-field", "join", {"name": "a", "join": "never"}),
    Ask("POST /api/v1/commons", "/api/v1/commons", 400, "bad-field", "name", {}),
    Ask("POST /api/v1/commons", "/api/v1/commons", 400, "bad-field", "nom", {"nom": "a"}),
    Ask("POST /api/v1/commons", "/api/v1/commons", 400, "bad-json", body=b"{", headers=JSON),
    Ask("POST /api/v1/commons", "/api/v1/commons", 400, "bad-body", body=b"", headers=JSON),
    Ask("POST /api/v1/commons", "/api/v1/commons", 400, "bad-body", body=[]),
    Ask("POST /api/v1/commons", "/api/v1/commons", 415, "unsupported-media-type", body=b"a", headers=BYTES),
    Ask("POST /api/v1/commons", "/api/v1/commons", 413, "too-large", body=b" " * (API_BODY_BYTES_MAX + 1), headers=JSON),
    Ask("GET /api/v1/commons/{id}", "/api/v1/commons/{commons}", 200),
    Ask("GET /api/v1/commons/{id}", "/api/v1/commons/{waiting}", 200),
    Ask("GET /api/v1/commons/{id}", f"/api/v1/commons/{ABSENT}", 404, "unknown-commons"),
    Ask("GET /api/v1/commons/{id}", "/api/v1/commons/nothing", 400, "bad-parameter", "id"),
    Ask("POST /api/v1/commons/{id}/follow", f"/api/v1/commons/{ABSENT}/follow", 200),
    Ask("POST /api/v1/commons/{id}/follow", f"/api/v1/commons/{ABSENT}/follow", 200, body={"addresses": ["h:1"]}),
    Ask("POST /api/v1/commons/{id}/follow", f"/api/v1/commons/{ABSENT}/follow", 400, "bad-field", "addresses", {"addresses": 1}),
    Ask("DELETE /api/v1/commons/{id}/follow", "/api/v1/commons/{waiting}/follow", 204),
    Ask("DELETE /api/v1/commons/{id}/follow", f"/api/v1/commons/{ABSENT}/follow", 404, "unknown-commons"),
    Ask("POST /api/v1/commons/{id}/invitations", "/api/v1/commons/{commons}/invitations", 201, body={"uses": 3}),
    Ask("POST /api/v1/commons/{id}/invitations", "/api/v1/commons/{commons}/invitations", 201),
    Ask("POST /api/v1/commons/{id}/invitations", "/api/v1/commons/{commons}/invitations", 400, "bad-field", "days", {"days": 0}),
    Ask("POST /api/v1/commons/join", "/api/v1/commons/join", 200, body={"invitation": "p2pcommons-invite"}),
    Ask("POST /api/v1/commons/join", "/api/v1/commons/join", 400, "bad-invitation", body={"invitation": "x"}),
    Ask("GET /api/v1/commons/{id}/digest", "/api/v1/commons/{commons}/digest", 200),
    Ask("GET /api/v1/commons/{id}/digest", f"/api/v1/commons/{ABSENT}/digest", 404, "unknown-commons"),
    Ask("GET /api/v1/entries", "/api/v1/entries", 200),
    Ask(
        "GET /api/v1/entries",
        "/api/v1/entries?commons={commons}&q=lav&type=place&sort=title&facets=type,licence&limit=2"
        "&bbox=170,-10,-170,10&near=48.4,-4.5,20&available=false",
        200,
    ),
    Ask("GET /api/v1/entries", "/api/v1/entries?available=true&commons={commons}", 200),
    Ask("GET /api/v1/entries", f"/api/v1/entries?available=true&commons={ABSENT}", 404, "unknown-commons"),
    Ask("GET /api/v1/entries", f"/api/v1/entries?commons={ABSENT}", 404, "unknown-commons"),
    Ask("GET /api/v1/entries", "/api/v1/entries?cursor=x", 400, "bad-cursor"),
    Ask("GET /api/v1/entries", "/api/v1/entries?tags=x", 400, "bad-parameter", "tags"),
    Ask("GET /api/v1/entries", "/api/v1/entries?sort=size", 400, "bad-parameter", "sort"),
    Ask("GET /api/v1/entries", "/api/v1/entries?facets=title", 400, "bad-parameter", "facets"),
    Ask("GET /api/v1/entries", "/api/v1/entries?bbox=1,2,3", 400, "bad-parameter", "bbox"),
    Ask("GET /api/v1/entries", "/api/v1/entries?bbox=0,10,0,-10", 400, "bad-parameter", "bbox"),
    Ask("GET /api/v1/entries", "/api/v1/entries?near=91,0,1", 400, "bad-parameter", "near"),
    Ask("GET /api/v1/entries", "/api/v1/entries?near=nan,0,1", 400, "bad-parameter", "near"),
    Ask("GET /api/v1/entries", "/api/v1/entries?available=perhaps", 400, "bad-parameter", "available"),
    Ask("POST /api/v1/entries", "/api/v1/entries?commons={commons}", 201, body={"type": "image", "title": "Ŷ 🌊"}),
    Ask("POST /api/v1/entries", "/api/v1/entries?commons={commons}", 400, "bad-field", body={"type": "image"}),
    Ask("POST /api/v1/entries", "/api/v1/entries", 400, "bad-parameter", "commons", {"title": "a"}),
    Ask("POST /api/v1/entries", f"/api/v1/entries?commons={ABSENT}", 404, "unknown-commons", body={"title": "a"}),
    Ask("POST /api/v1/entries", "/api/v1/entries?commons={waiting}", 409, "commons-waiting", body={"title": "a"}),
    Ask("GET /api/v1/entries/{id}", "/api/v1/entries/{entry}", 200),
    Ask("GET /api/v1/entries/{id}", "/api/v1/entries/{gone}", 410, "withdrawn"),
    Ask("GET /api/v1/entries/{id}", f"/api/v1/entries/{ABSENT}", 404, "unknown-entry"),
    Ask("GET /api/v1/entries/{id}", "/api/v1/entries/ABC", 400, "bad-parameter", "id"),
    Ask("PATCH /api/v1/entries/{id}", "/api/v1/entries/{entry}", 200, body={"title": "b"}),
    Ask("PATCH /api/v1/entries/{id}", "/api/v1/entries/{entry}", 200, body=b"{}", headers={"Content-Type": "application/merge-patch+json"}),
    Ask("PATCH /api/v1/entries/{id}", "/api/v1/entries/{entry}", 200, body={}, headers={"If-Match": "*"}),
    Ask("PATCH /api/v1/entries/{id}", "/api/v1/entries/{entry}", 412, "entry-changed", body={}, headers={"If-Match": '"old"'}),
    Ask("PATCH /api/v1/entries/{id}", "/api/v1/entries/{entry}", 400, "bad-parameter", "If-Match", {}, {"If-Match": "old"}),
    Ask("PATCH /api/v1/entries/{id}", "/api/v1/entries/{entry}", 400, "bad-body", body=[]),
    Ask("PATCH /api/v1/entries/{id}", "/api/v1/entries/{entry}", 415, "unsupported-media-type", body=b"{}", headers=NDJSON),
    Ask("DELETE /api/v1/entries/{id}", "/api/v1/entries/{entry}?reason=a%20double", 200),
    Ask("DELETE /api/v1/entries/{id}", "/api/v1/entries/{gone}", 410, "withdrawn"),
    Ask("DELETE /api/v1/entries/{id}", "/api/v1/entries/{entry}", 412, "entry-changed", headers={"If-Match": 'W/"old"'}),
    Ask("GET /api/v1/entries/{id}/history", "/api/v1/entries/{entry}/history?limit=1", 200),
    Ask("GET /api/v1/entries/{id}/history", "/api/v1/entries/{gone}/history", 200),
    Ask("GET /api/v1/entries/{id}/history", f"/api/v1/entries/{ABSENT}/history", 404, "unknown-entry"),
    Ask("GET /api/v1/entries/{id}/records", "/api/v1/entries/{entry}/records", 200),
    Ask("GET /api/v1/entries/{id}/records", f"/api/v1/entries/{ABSENT}/records", 404, "unknown-entry"),
    Ask("GET /api/v1/conflicts", "/api/v1/conflicts?commons={commons}", 200),
    Ask("GET /api/v1/conflicts", f"/api/v1/conflicts?commons={ABSENT}", 404, "unknown-commons"),
    Ask("POST /api/v1/entries:batch", "/api/v1/entries:batch?commons={commons}", 200, body=b'{"title": "a"}\n', headers=NDJSON),
    Ask("POST /api/v1/entries:batch", f"/api/v1/entries:batch?commons={ABSENT}", 404, "unknown-commons", body=b"{}\n", headers=NDJSON),
    Ask("POST /api/v1/entries:batch", "/api/v1/entries:batch", 400, "bad-parameter", "commons", b"{}\n", NDJSON),
    Ask("POST /api/v1/entries:batch", "/api/v1/entries:batch?commons={commons}", 415, "unsupported-media-type", body=b"{}", headers=JSON),
    Ask("POST /api/v1/entries:batch", "/api/v1/entries:batch?commons={waiting}", 403, "not-a-member", body=b"{}", headers=NDJSON),
    Ask("GET /api/v1/changes", "/api/v1/changes?since=1&limit=1", 200),
    Ask("GET /api/v1/changes", "/api/v1/changes?since=later", 400, "bad-parameter", "since"),
    Ask("GET /api/v1/changes", "/api/v1/changes?since=999", 400, "bad-parameter", "since"),
    Ask("GET /api/v1/changes/stream", "/api/v1/changes/stream", 400, "bad-parameter", "Last-Event-ID", None, {"Last-Event-ID": "x"}),
    Ask("GET /api/v1/changes/stream", "/api/v1/changes/stream?since=999", 400, "bad-parameter", "since"),
    Ask("GET /api/v1/peers", "/api/v1/peers", 200),
    Ask("GET /api/v1/peers", "/api/v1/peers?limit=x", 400, "bad-parameter", "limit"),
    Ask("POST /api/v1/peers", "/api/v1/peers", 201, body={"address": "192.0.2.2:7421"}),
    Ask("POST /api/v1/peers", "/api/v1/peers", 400, "bad-address", body={"address": "nowhere"}),
    Ask("POST /api/v1/peers", "/api/v1/peers", 400, "bad-field", "address", {"address": 7}),
    Ask("DELETE /api/v1/peers", "/api/v1/peers?address=192.0.2.1:7421", 204),
    Ask("DELETE /api/v1/peers", "/api/v1/peers?address=192.0.2.9:7421", 404, "unknown-peer"),
    Ask("DELETE /api/v1/peers", "/api/v1/peers", 400, "bad-parameter", "address"),
    Ask("POST /api/v1/peers/block", "/api/v1/peers/block", 204, body={"key": K}),
    Ask("POST /api/v1/peers/block", "/api/v1/peers/block", 400, "bad-field", "key", {"key": "z6Mk"}),
    Ask("GET /api/v1/export", "/api/v1/export?format=jsonl&commons={commons}&type=place", 200),
    Ask("GET /api/v1/export", "/api/v1/export?format=pdf", 400, "unknown-format"),
    Ask("GET /api/v1/export", "/api/v1/export", 400, "bad-parameter", "format"),
    Ask("GET /api/v1/export", f"/api/v1/export?format=jsonl&commons={ABSENT}", 404, "unknown-commons"),
    Ask("GET /api/v1/pack", "/api/v1/pack?commons={commons}", 200),
    Ask("GET /api/v1/pack", f"/api/v1/pack?commons={ABSENT}", 404, "unknown-commons"),
    Ask("POST /api/v1/unpack", "/api/v1/unpack", 200, body=PACK, headers=BYTES),
    Ask("POST /api/v1/unpack", "/api/v1/unpack", 400, "not-a-pack-file", body=b"x", headers=BYTES),
    Ask("GET /api/v1/backup", "/api/v1/backup", 200),
    Ask("GET /api/v1/backup", "/api/v1/backup?path=/etc", 400, "bad-parameter", "path"),
    Ask("POST /api/v1/verify", "/api/v1/verify", 200),
    Ask("POST /api/v1/verify", "/api/v1/verify?x=1", 400, "bad-parameter", "x"),
    Ask("POST /api/v1/rebuild", "/api/v1/rebuild", 200),
    Ask("POST /api/v1/rebuild", "/api/v1/rebuild?x=1", 400, "bad-parameter", "x"),
    Ask("GET /api/v1/doctor", "/api/v1/doctor", 200),
    Ask("GET /api/v1/doctor", "/api/v1/doctor?x=1", 400, "bad-parameter", "x"),
]  # fmt: skip


async def ask(session: ClientSession, here: World, one: Ask) -> ClientResponse:
    data, headers = one.body, dict(one.headers)
    if data is not None and not isinstance(data, bytes):
        data, headers = json.dumps(data).encode(), {**JSON, **headers}
    target = one.target.format(commons=here.commons, waiting=here.waiting, entry=here.entry, gone=here.gone)
    sent = None if data is None else BytesIO(data)
    return await session.request(one.operation.split()[0], here.place.url + target, data=sent, headers=headers)


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
            assert str(one.status) in described["responses"] or one.status in (400, 409, 413, 415)
        else:
            assert str(one.status) in described["responses"]
            told = described["responses"][str(one.status)].get("content", {})
            assert not told or response.content_type in told or "application/octet-stream" in told
            if response.content_type == "application/json":
                fits(json.loads(content), told["application/json"]["schema"], document)
                assert content == dump(json.loads(content))  # compact UTF-8


def test_the_table_has_a_right_and_a_wrong_request_for_every_operation() -> None:
    names = {f"{operation.method} {operation.path}" for operation in all_operations()}
    wrong = {one.operation for one in TABLE if one.status >= 400}
    # The stream answers rightly in tests of its own.
    right = {one.operation for one in TABLE if one.status < 400} | {"GET /api/v1/changes/stream"}
    assert (names, names) == (right, wrong)


# -- who may ask

WRITES = [f"{op.method} {op.path}" for op in all_operations() if op.needs > Grant.READ]


@pytest.mark.parametrize("operation", WRITES)
@pytest.mark.parametrize("token", [None, "wrong", ""])
async def test_writing_without_the_token_is_401_and_changes_nothing(operation: str, token: str | None) -> None:
    one = next(one for one in TABLE if one.operation == operation and one.status < 400)
    async with world() as here:
        before = (dict(here.place.node.entries), dict(here.place.node.known), dict(here.place.node.kept_peers))
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        async with ClientSession(headers=headers) as session:
            response = await ask(session, here, one)
            assert response.status == 401
            assert (await response.json())["code"] == "unauthorised"
            assert response.headers["WWW-Authenticate"] == "Bearer"
        assert before == (here.place.node.entries, here.place.node.known, here.place.node.kept_peers)


async def test_a_wrong_token_is_ignored_where_reading_is_open() -> None:
    async with world() as here:
        for header in ("Bearer wrong", "Basic x", "é"):
            response = await here.place.open.get(here.place.url + "/api/v1/entries", headers={"Authorization": header})
            assert response.status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "[::2]", "127.0.0.2"]
)
async def test_a_foreign_host_name_gets_nothing(host: str) -> None:
    async with world() as here:
        for path in ("/api/v1/status", "/healthz", "/nowhere"):
            response = await here.place.own.get(here.place.url + path, headers={"Host": host})
            assert response.status == 403
            assert (await response.json())["code"] == "host-not-allowed"


async def test_this_nodes_own_names_are_let_in_whatever_the_port() -> None:
    async with served(FakeNode(), ApiSettings(TOKEN, hosts=("Salle.Example", "[2001:db8::1]"))) as place:
        for host in ("localhost:99", "LOCALHOST", "127.0.0.1", "[::1]:7420", "salle.example", "[2001:db8::1]:80"):
            assert (await place.open.get(place.url + "/healthz", headers={"Host": host})).status == 200


class _Transport(asyncio.Transport):
    def __init__(self, peer: str) -> None:
        super().__init__({"peername": (peer, 1)})

    def is_closing(self) -> bool:
        return False


@pytest.mark.parametrize(
    ("peer", "granted"),
    [("127.0.0.1", Grant.READ), ("::1", Grant.READ), ("::ffff:127.0.0.1", Grant.READ), ("192.0.2.7", Grant.NONE)],
)
async def test_reading_is_open_on_loopback_only(peer: str, granted: Grant) -> None:
    door = Door(TOKEN, (), None)
    plain = make_mocked_request("GET", "/", transport=_Transport(peer))
    assert await door.grant(plain) == granted
    bearer = make_mocked_request("GET", "/", headers={"Authorization": f"bearer {TOKEN}"}, transport=_Transport(peer))
    assert await door.grant(bearer) == Grant.OWN


async def test_a_session_of_the_page_may_do_what_its_role_says_and_no_more() -> None:
    async def session(request: web.Request) -> Grant:
        return Grant.CONTRIBUTE

    door = Door(TOKEN, (), session)
    request = make_mocked_request("GET", "/", transport=_Transport("192.0.2.7"))
    await door.admit(request, Grant.READ)
    await door.admit(request, Grant.CONTRIBUTE)
    with pytest.raises(Refused) as caught:
        await door.admit(request, Grant.OWN)
    assert caught.value.code == "not-allowed"
    with pytest.raises(Unauthorised):
        await Door(TOKEN, (), None).admit(request, Grant.READ)


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
    assert f'p2pcommons_entries{{commons="{here.commons}"}} 0' in text


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


# -- the client


@asynccontextmanager
async def client_world() -> AsyncIterator[tuple[World, Client]]:
    async with world() as here, Client(here.place.url, TOKEN) as client:
        yield here, client


async def test_the_client_gives_the_values_that_the_node_gave() -> None:
    async with client_world() as (here, client):
        node = here.place.node
        commons, entry = CommonsId(bytes.fromhex(here.commons)), Subject(bytes.fromhex(here.entry))
        assert await client.health() == await node.health()
        assert await client.status() == await node.status()
        assert await client.identity() == await node.identity()
        assert await client.recovery_words("fr") == await node.recovery_words("fr")
        assert await client.peers() == await node.peers()
        assert await client.list_commons() == await node.list_commons()
        assert await client.get_commons(commons) == await node.get_commons(commons)
        assert await client.digest(commons) == await node.digest(commons)
        assert await client.invite(commons, uses=2, days=3) == await node.invite(commons, uses=2, days=3)
        assert await client.join("p2pcommons-invite") == await node.join("p2pcommons-invite")
        query = Query("lav", (commons,), (("type", "place"),), sort="title", facets=("type",), limit=3)
        assert await client.search(query) == await node.search(query)
        assert (await client.search(query)).facets == {"type": (FacetCount("place", 1),)}
        assert await client.get_entry(entry) == await node.get_entry(entry)
        assert await client.history(entry, limit=1) == await node.history(entry, limit=1)
        assert await client.raw_records(entry) == await node.raw_records(entry)
        assert await client.conflicts(commons) == await node.conflicts(commons)
        assert await client.changes(1, 10) == await node.changes(1, 10)
        assert await client.latest_change() == await node.latest_change()
        assert await client.doctor() == await node.doctor()
        told: list[tuple[int, int]] = []
        assert await client.verify(lambda done, total: told.append((done, total))) == await node.verify()
        assert await client.rebuild() == await node.rebuild()


async def test_the_client_writes() -> None:
    async with client_world() as (here, client):
        node = here.place.node
        made = await client.create_commons("Fours", join="open", languages=("fr",), territory="29019")
        assert node.known[made.id] == made
        added = await client.add_entry(made.id, {"type": "place", "title": "four"})
        name = Subject(bytes.fromhex(added.entry["id"]))
        changed = await client.patch_entry(name, {"title": "four banal"}, if_match=[added.etag])
        with pytest.raises(EntryChanged) as stale:
            await client.patch_entry(name, {"title": "x"}, if_match=[added.etag])
        assert stale.value.present == changed
        withdrawal = await client.withdraw_entry(name, "a double", if_match=[changed.etag])
        with pytest.raises(EntryWithdrawn) as gone:
            await client.get_entry(name)
        assert gone.value.withdrawal == withdrawal
        assert (withdrawal.at, withdrawal.reason) == (NOW, "a double")
        peer = await client.add_peer("192.0.2.5:1")
        assert peer in await client.peers()
        await client.remove_peer("192.0.2.5:1")
        await client.block_peer(ALICE)
        assert node.blocked == [ALICE]
        await client.follow(CommonsId(b"\x07" * 32), ["h:1"])
        await client.unfollow(CommonsId(b"\x07" * 32))
        assert CommonsId(b"\x07" * 32) not in node.known


async def test_the_client_raises_what_the_node_raised() -> None:
    async with client_world() as (here, client):
        waiting = CommonsId(bytes.fromhex(here.waiting))
        for kind, code, asked in (
            (NotFound, "unknown-commons", client.get_commons(CommonsId(b"\xee" * 32))),
            (NotFound, "unknown-entry", client.get_entry(Subject(b"\xee" * 32))),
            (Conflict, "commons-waiting", client.add_entry(waiting, {"title": "a"})),
            (Refused, "bad-invitation", client.join("x")),
            (NotFound, "unknown-commons", client.batch(CommonsId(b"\xee" * 32), _groups([b"{}"]))),
        ):
            with pytest.raises(kind) as caught:
                await asked
            assert caught.value.code == code
            assert caught.value.detail
    async with Client(here.place.url) as client:
        with pytest.raises(NoAnswer):
            await client.status()


async def _groups(*groups: list[bytes]) -> AsyncIterator[Sequence[bytes]]:
    for group in groups:
        yield group


async def test_the_client_sends_and_reads_a_batch_at_once() -> None:
    async with client_world() as (here, client):
        commons = CommonsId(bytes.fromhex(here.commons))
        lines = [[b'{"n":%d}' % number for number in range(start, start + 500)] for start in range(0, 20_000, 500)]
        answers = [
            answer for group in [g async for g in await client.batch(commons, _groups(*lines))] for answer in group
        ]
        assert [answer.line for answer in answers] == list(range(1, 20_001))
        assert answers[0] == BatchAnswer(1, answers[0].id)


async def test_an_export_that_breaks_is_seen_to_be_cut(caplog: pytest.LogCaptureFixture) -> None:
    async with client_world() as (here, client):
        here.place.node.entries[Subject(bytes(32))] = {"title": b"no JSON"}
        export = await client.export("jsonl", Query())
        with pytest.raises(NoAnswer):
            async for _ in export.chunks:
                pass
    assert "broke off" in caplog.text


async def test_the_client_hears_of_changes() -> None:
    async with client_world() as (here, client):
        commons = CommonsId(bytes.fromhex(here.commons))
        assert await client.wait_change(0, STUCK_S)
        assert not await client.wait_change(3, 0.01)
        stream = client.stream_changes(2)
        assert (await anext(stream)).position == 3
        added = await client.add_entry(commons, {"title": "new"})
        assert (await anext(stream)).id.hex() == added.entry["id"]
        await stream.aclose()


async def test_the_client_carries_files(tmp_path: Path) -> None:
    async with client_world() as (here, client):
        info = await client.pack(tmp_path / "all.pack")
        assert (tmp_path / "all.pack").stat().st_size == info.bytes == len(PACK) * 40_000
        assert info.records == 7
        assert (await client.unpack(tmp_path / "all.pack")).records == 40_000
        assert await client.backup(tmp_path / "backup") == 6
        assert (tmp_path / "backup").stat().st_mode & 0o777 == 0o600
        export = await client.export("jsonl", Query())
        assert export.file_name == "entries__.jsonl"
        assert here.entry.encode() in b"".join([chunk async for chunk in export.chunks])
        with pytest.raises(Refused):
            await client.export("pdf", Query())
        with pytest.raises(NotFound):
            await client.pack(tmp_path / "none.pack", CommonsId(b"\xee" * 32))
        assert {path.name for path in tmp_path.iterdir()} == {"all.pack", "backup"}  # noqa: ASYNC240
