"""Every operation of the API asked rightly and wrongly, and what each must be answered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from io import BytesIO
from types import MappingProxyType
from typing import Any, NamedTuple

from aiohttp import ClientResponse, ClientSession
from api_world import ABSENT, World
from fake_node import ALICE, NODE, PACK

from p2pcommons.core.identity import did_key
from p2pcommons.core.limits import API_BODY_BYTES_MAX

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
    Ask("POST /api/v1/identity/devices", "/api/v1/identity/devices", 201),
    Ask("POST /api/v1/identity/devices", "/api/v1/identity/devices?x=1", 400, "bad-parameter", "x"),
    Ask("POST /api/v1/clock/trust", "/api/v1/clock/trust", 204),
    Ask("POST /api/v1/clock/trust", "/api/v1/clock/trust?x=1", 400, "bad-parameter", "x"),
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
    Ask("GET /api/v1/commons/nearby", "/api/v1/commons/nearby?limit=1", 200),
    Ask("GET /api/v1/commons/nearby", "/api/v1/commons/nearby?x=1", 400, "bad-parameter", "x"),
    Ask("POST /api/v1/commons", "/api/v1/commons", 201, body={"name": "Fours à pain", "join": "open"}),
    Ask("POST /api/v1/commons", "/api/v1/commons", 400, "bad-field", "join", {"name": "a", "join": "never"}),
    Ask("POST /api/v1/commons", "/api/v1/commons", 400, "bad-field", "name", {}),
    Ask("POST /api/v1/commons", "/api/v1/commons", 400, "bad-field", "name", {"name": " \u2003"}),
    Ask("POST /api/v1/commons", "/api/v1/commons", 400, "bad-field", "name", {"name": "a\0"}),
    Ask("POST /api/v1/commons", "/api/v1/commons", 400, "bad-field", "languages", {"name": "a", "languages": ["c'hwec'h"]}),
    Ask("POST /api/v1/commons", "/api/v1/commons", 400, "bad-field", "territory", {"name": "a", "territory": None}),
    Ask("POST /api/v1/commons", "/api/v1/commons", 400, "bad-field", "territory", {"name": "a", "territory": "Brest"}),
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
    Ask("GET /api/v1/commons/{id}/charter", "/api/v1/commons/{commons}/charter?language=fr", 200),
    Ask("GET /api/v1/commons/{id}/charter", "/api/v1/commons/{commons}/charter?language=fran%C3%A7ais", 400, "bad-parameter", "language"),
    Ask("GET /api/v1/commons/{id}/charter", f"/api/v1/commons/{ABSENT}/charter", 404, "unknown-commons"),
    Ask("GET /api/v1/commons/{id}/members", "/api/v1/commons/{commons}/members", 200),
    Ask("GET /api/v1/commons/{id}/members", f"/api/v1/commons/{ABSENT}/members", 404, "unknown-commons"),
    Ask("GET /api/v1/commons/{id}/members", "/api/v1/commons/{commons}/members?x=1", 400, "bad-parameter", "x"),
    Ask("POST /api/v1/commons/{id}/purge", "/api/v1/commons/{commons}/purge", 201, body={"keys": [K], "entrances": ["ab" * 32]}),
    Ask("POST /api/v1/commons/{id}/purge", "/api/v1/commons/{commons}/purge", 400, "nothing-named", body={}),
    Ask("POST /api/v1/commons/{id}/purge", "/api/v1/commons/{commons}/purge", 409, "too-few-stewards", body={"keys": [did_key(ALICE)]}),
    Ask("POST /api/v1/commons/{id}/purge", "/api/v1/commons/{commons}/purge", 409, "unknown-member", body={"keys": [did_key(NODE)]}),
    Ask("POST /api/v1/commons/{id}/purge", "/api/v1/commons/{commons}/purge", 400, "bad-field", "keys", {"keys": ["x"]}),
    Ask("POST /api/v1/commons/{id}/purge", "/api/v1/commons/{commons}/purge", 400, "bad-field", "keys", {"keys": [K] * 33}),
    Ask("POST /api/v1/commons/{id}/stewards", "/api/v1/commons/{commons}/stewards", 201, body={"add": [K], "quorum": 2}),
    Ask("POST /api/v1/commons/{id}/stewards", "/api/v1/commons/{commons}/stewards", 201, body={"end": [K]}),
    Ask("POST /api/v1/commons/{id}/stewards", "/api/v1/commons/{commons}/stewards", 400, "bad-field", "quorum", {"quorum": 33}),
    Ask("POST /api/v1/commons/{id}/stewards", "/api/v1/commons/{commons}/stewards", 400, "bad-field", "quorum", {"quorum": None}),
    Ask("POST /api/v1/commons/{id}/stewards", f"/api/v1/commons/{ABSENT}/stewards", 404, "unknown-commons", body={"add": [K]}),
    Ask("POST /api/v1/commons/{id}/invitations", "/api/v1/commons/{commons}/invitations", 201, body={"uses": 3.0}),
    Ask("POST /api/v1/commons/{id}/invitations", "/api/v1/commons/{commons}/invitations", 201),
    Ask("POST /api/v1/commons/{id}/invitations", "/api/v1/commons/{commons}/invitations", 400, "bad-field", "days", {"days": 0}),
    Ask("POST /api/v1/commons/{id}/invitations", "/api/v1/commons/{commons}/invitations", 400, "bad-field", "uses", {"uses": None}),
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
    Ask("GET /api/v1/entries", "/api/v1/entries?cursor=x", 400, "bad-parameter", "cursor"),
    Ask("GET /api/v1/entries", "/api/v1/entries?cursor=of-another-search", 404, "bad-cursor"),
    Ask("GET /api/v1/entries", "/api/v1/entries?facets=type,,licence", 400, "bad-parameter", "facets"),
    Ask("GET /api/v1/entries", "/api/v1/entries?near=1_0,0,1", 400, "bad-parameter", "near"),
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
    Ask("POST /api/v1/entries/{id}/restore", "/api/v1/entries/{gone}/restore", 200),
    Ask("POST /api/v1/entries/{id}/restore", "/api/v1/entries/" + "00" * 32 + "/restore", 404, "unknown-entry"),
    Ask("DELETE /api/v1/entries/{id}", "/api/v1/entries/{entry}", 412, "entry-changed", headers={"If-Match": 'W/"old"'}),
    Ask("GET /api/v1/entries/{id}/history", "/api/v1/entries/{entry}/history?limit=1", 200),
    Ask("GET /api/v1/entries/{id}/history", "/api/v1/entries/{gone}/history", 200),
    Ask("GET /api/v1/entries/{id}/history", f"/api/v1/entries/{ABSENT}/history", 404, "unknown-entry"),
    Ask("GET /api/v1/entries/{id}/history", "/api/v1/entries/{entry}/history?cursor=%205", 400, "bad-parameter", "cursor"),
    Ask("GET /api/v1/entries/{id}/records", "/api/v1/entries/{entry}/records?cursor=1_0", 400, "bad-parameter", "cursor"),
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
    Ask("GET /api/v1/changes", "/api/v1/changes?since=999", 404, "bad-cursor"),
    Ask("GET /api/v1/changes/stream", "/api/v1/changes/stream", 400, "bad-parameter", "Last-Event-ID", None, {"Last-Event-ID": "x"}),
    Ask("GET /api/v1/changes/stream", "/api/v1/changes/stream?since=999", 404, "bad-cursor"),
    Ask("GET /api/v1/changes/stream", "/api/v1/changes/stream?since=x", 400, "bad-parameter", "since"),
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
    Ask("POST /api/v1/peers/unblock", "/api/v1/peers/unblock", 204, body={"key": did_key(NODE)}),
    Ask("POST /api/v1/peers/unblock", "/api/v1/peers/unblock", 404, "unknown-peer", body={"key": did_key(ALICE)}),
    Ask("POST /api/v1/peers/unblock", "/api/v1/peers/unblock", 400, "bad-field", "key", {"key": "z6Mk"}),
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
