"""Every route of a really running node, asked rightly and wrongly over plain HTTP."""

from __future__ import annotations

import asyncio
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from p2pcommons.core.encoding import decode
from p2pcommons.core.limits import API_BODY_BYTES_MAX
from p2pcommons.core.record import record_id
from p2pcommons.core.seal import read_pack
from tests.e2e.http_world import ABSENT, BYTES, JSON, NDJSON, PROBLEM, Http, furnish, http
from tests.e2e.judging import quiet
from tests.e2e.processes import NodeProcess

KEY = "did:key:z6MkpTHR8VNsBxYAAWHut2Geadd9jSwuBV8xRoAnwWsdvktH"
A = "/api/v1"
VOTES = f"{A}/commons/{{id}}/proposals"


class Ask(NamedTuple):
    """A request, and what it must be answered. `{commons}` and the like are filled in from the world."""

    operation: str  # as in the OpenAPI document
    target: str
    status: int
    code: str | None = None  # of the problem
    names: str | None = None  # the parameter or field at fault
    body: Any = None
    headers: Mapping[str, str] = MappingProxyType({})


TABLE = [
    Ask(f"GET {A}/status", f"{A}/status", 200),
    Ask(f"GET {A}/status", f"{A}/status?x=1", 400, "bad-parameter", "x"),
    Ask(f"GET {A}/identity", f"{A}/identity", 200),
    Ask(f"GET {A}/identity", f"{A}/identity?x", 400, "bad-parameter", "x"),
    Ask(f"GET {A}/identity/words", f"{A}/identity/words?language=fr", 200),
    Ask(f"GET {A}/identity/words", f"{A}/identity/words?language=xx", 400, "unknown-language"),
    Ask(f"POST {A}/identity/devices", f"{A}/identity/devices", 201),
    Ask(f"POST {A}/identity/devices", f"{A}/identity/devices?x=1", 400, "bad-parameter", "x"),
    Ask(f"POST {A}/clock/trust", f"{A}/clock/trust", 204),
    Ask(f"POST {A}/clock/trust", f"{A}/clock/trust?x=1", 400, "bad-parameter", "x"),
    Ask("GET /healthz", "/healthz", 200),
    Ask("GET /healthz", "/healthz?x=1", 400, "bad-parameter", "x"),
    Ask("GET /metrics", "/metrics", 200),
    Ask("GET /metrics", "/metrics?x=1", 400, "bad-parameter", "x"),
    Ask(f"GET {A}/openapi.json", f"{A}/openapi.json", 200),
    Ask(f"GET {A}/openapi.json", f"{A}/openapi.json?x=1", 400, "bad-parameter", "x"),
    Ask(f"GET {A}/commons", f"{A}/commons?limit=1", 200),
    Ask(f"GET {A}/commons", f"{A}/commons?limit=501", 400, "bad-parameter", "limit"),
    Ask(f"GET {A}/commons", f"{A}/commons?limit=0", 400, "bad-parameter", "limit"),
    Ask(f"GET {A}/commons", f"{A}/commons?cursor=-1", 400, "bad-parameter", "cursor"),
    Ask(f"GET {A}/commons/nearby", f"{A}/commons/nearby", 200),
    Ask(f"GET {A}/commons/nearby", f"{A}/commons/nearby?limit=x", 400, "bad-parameter", "limit"),
    Ask(f"POST {A}/commons", f"{A}/commons", 201, body={"name": "Fours à pain", "join": "open", "territory": "29019"}),
    Ask(f"POST {A}/commons", f"{A}/commons", 400, "bad-field", "territory", {"name": "a", "territory": "Bretagne"}),
    Ask(f"POST {A}/commons", f"{A}/commons", 400, "bad-field", "languages", {"name": "a", "languages": ["français"]}),
    Ask(f"POST {A}/commons", f"{A}/commons", 400, "bad-field", "join", {"name": "a", "join": "never"}),
    Ask(f"POST {A}/commons", f"{A}/commons", 400, "bad-field", "name", {}),
    Ask(f"POST {A}/commons", f"{A}/commons", 400, "bad-field", "nom", {"nom": "a"}),
    Ask(f"POST {A}/commons", f"{A}/commons", 400, "bad-json", None, b"{", JSON),
    Ask(f"POST {A}/commons", f"{A}/commons", 400, "bad-json", None, b"[" * 100_000, JSON),
    Ask(f"POST {A}/commons", f"{A}/commons", 400, "bad-json", None, b'{"name": "\xff"}', JSON),
    Ask(f"POST {A}/commons", f"{A}/commons", 400, "bad-body", None, b"", JSON),
    Ask(f"POST {A}/commons", f"{A}/commons", 400, "bad-body", None, []),
    Ask(f"POST {A}/commons", f"{A}/commons", 415, "unsupported-media-type", None, b"a", BYTES),
    Ask(f"POST {A}/commons", f"{A}/commons", 413, "too-large", None, b" " * (API_BODY_BYTES_MAX + 1), JSON),
    Ask(f"GET {A}/commons/{{id}}", f"{A}/commons/{{commons}}", 200),
    Ask(f"GET {A}/commons/{{id}}", f"{A}/commons/{{waiting}}", 200),
    Ask(f"GET {A}/commons/{{id}}", f"{A}/commons/{ABSENT}", 404, "unknown-commons"),
    Ask(f"GET {A}/commons/{{id}}", f"{A}/commons/nothing", 400, "bad-parameter", "id"),
    Ask(f"POST {A}/commons/{{id}}/follow", f"{A}/commons/{'aa' * 32}/follow", 200),
    Ask(f"POST {A}/commons/{{id}}/follow", f"{A}/commons/{'ab' * 32}/follow", 200, body={"addresses": ["127.0.0.1:9"]}),
    Ask(f"POST {A}/commons/{{id}}/follow", f"{A}/commons/{'ac' * 32}/follow", 400, "bad-address", None, {"addresses": ["x"]}),
    Ask(f"POST {A}/commons/{{id}}/follow", f"{A}/commons/{ABSENT}/follow", 400, "bad-field", "addresses", {"addresses": 1}),
    Ask(f"DELETE {A}/commons/{{id}}/follow", f"{A}/commons/{'ad' * 32}/follow", 404, "unknown-commons"),
    Ask(f"POST {A}/commons/{{id}}/invitations", f"{A}/commons/{{commons}}/invitations", 201, body={"uses": 3, "days": 1}),
    Ask(f"POST {A}/commons/{{id}}/invitations", f"{A}/commons/{{commons}}/invitations", 201),
    Ask(f"POST {A}/commons/{{id}}/invitations", f"{A}/commons/{{commons}}/invitations", 400, "bad-field", "days", {"days": 0}),
    Ask(f"POST {A}/commons/{{id}}/invitations", f"{A}/commons/{{closed}}/invitations", 403, "not-a-member"),
    Ask(f"POST {A}/commons/{{id}}/invitations", f"{A}/commons/{{waiting}}/invitations", 409, "commons-waiting"),
    Ask(f"GET {A}/commons/{{id}}/charter", f"{A}/commons/{{commons}}/charter?language=fr", 200),
    Ask(f"GET {A}/commons/{{id}}/charter", f"{A}/commons/{{waiting}}/charter", 409, "commons-waiting"),
    Ask(f"GET {A}/commons/{{id}}/charter", f"{A}/commons/{ABSENT}/charter", 404, "unknown-commons"),
    Ask(f"POST {A}/commons", f"{A}/commons", 201, body={"name": "Photos", "charter": "collection"}),
    Ask(f"POST {A}/commons", f"{A}/commons", 400, "bad-field", "charter", {"name": "a", "charter": "kingdom"}),
    Ask(f"POST {A}/commons", f"{A}/commons", 400, "bad-bundle", None, {"name": "a", "recipe": "bm8="}),
    Ask(f"POST {A}/commons", f"{A}/commons", 400, "bad-field", "recipe", {"name": "a", "recipe": "!"}),
    Ask(f"POST {A}/commons", f"{A}/commons", 409, "two-charters", None, {"name": "a", "recipe": "bm8=", "charter": "collection"}),
    Ask(f"GET {A}/commons/{{id}}/recipe", f"{A}/commons/{{commons}}/recipe", 200),
    Ask(f"GET {A}/commons/{{id}}/recipe", f"{A}/commons/{{waiting}}/recipe", 409, "commons-waiting"),
    Ask(f"GET {A}/commons/{{id}}/recipe", f"{A}/commons/{ABSENT}/recipe", 404, "unknown-commons"),
    Ask(f"GET {A}/commons/{{id}}/lineage", f"{A}/commons/{{commons}}/lineage", 200),
    Ask(f"GET {A}/commons/{{id}}/lineage", f"{A}/commons/{{waiting}}/lineage", 409, "commons-waiting"),
    Ask(f"GET {A}/commons/{{id}}/lineage", f"{A}/commons/{ABSENT}/lineage", 404, "unknown-commons"),
    Ask(f"GET {A}/commons/{{id}}/criteria", f"{A}/commons/{{commons}}/criteria", 200),
    Ask(f"GET {A}/commons/{{id}}/criteria", f"{A}/commons/{{waiting}}/criteria", 409, "commons-waiting"),
    Ask(f"GET {A}/commons/{{id}}/criteria", f"{A}/commons/{ABSENT}/criteria", 404, "unknown-commons"),
    Ask(f"POST {A}/commons/{{id}}/fork", f"{A}/commons/{{closed}}/fork", 200, None, None, {"name": "Libre"}),
    Ask(f"POST {A}/commons/{{id}}/fork", f"{A}/commons/{{waiting}}/fork", 409, "commons-waiting", None, {"name": "Libre"}),
    Ask(f"POST {A}/commons/{{id}}/fork", f"{A}/commons/{ABSENT}/fork", 404, "unknown-commons", None, {"name": "Libre"}),
    Ask(f"POST {A}/commons/{{id}}/fork", f"{A}/commons/{{commons}}/fork", 400, "bad-field", "name", {}),
    Ask(f"GET {A}/commons/{{id}}/charter/history", f"{A}/commons/{{commons}}/charter/history?rule=join", 200),
    Ask(f"GET {A}/commons/{{id}}/charter/history", f"{A}/commons/{{commons}}/charter/history?rule=x", 400, "unknown-rule"),
    Ask(f"GET {A}/commons/{{id}}/charter/history", f"{A}/commons/{{waiting}}/charter/history", 409, "commons-waiting"),
    Ask(f"GET {VOTES}", f"{A}/commons/{{hall}}/proposals?limit=2", 200),
    Ask(f"GET {VOTES}", f"{A}/commons/{{waiting}}/proposals", 409, "commons-waiting"),
    Ask(f"GET {VOTES}", f"{A}/commons/{ABSENT}/proposals", 404, "unknown-commons"),
    Ask(f"POST {VOTES}", f"{A}/commons/{{hall}}/proposals", 201, body={"text": "Un banc", "matter": "rule", "rule": "review", "params": {"months": 6}}),
    Ask(f"POST {VOTES}", f"{A}/commons/{{hall}}/proposals", 409, "bad-params", None, {"text": "x", "matter": "rule", "rule": "review", "params": {"x": 1}}),
    Ask(f"POST {VOTES}", f"{A}/commons/{{hall}}/proposals", 409, "bad-options", None, {"text": "x", "options": ["a"], "grades": 3}),
    Ask(f"POST {VOTES}", f"{A}/commons/{{hall}}/proposals", 409, "bad-proposal", None, {"text": "x", "person": KEY}),
    Ask(f"POST {VOTES}", f"{A}/commons/{{hall}}/proposals", 409, "unknown-member", None, {"text": "x", "matter": "remove", "person": KEY}),
    Ask(f"POST {VOTES}", f"{A}/commons/{{hall}}/proposals", 409, "unknown-amendment", None, {"text": "x", "matter": "amend", "amendment": ABSENT}),
    Ask(f"POST {VOTES}", f"{A}/commons/{{closed}}/proposals", 403, "not-a-member", None, {"text": "x"}),
    Ask(f"POST {VOTES}", f"{A}/commons/{{hall}}/proposals", 400, "bad-field", "text", {"text": "x" * 12_001}),
    Ask(f"POST {VOTES}", f"{A}/commons/{{hall}}/proposals", 400, "bad-text", None, b'{"text": "\\ud800"}', JSON),
    Ask(f"GET {VOTES}/{{proposal}}", f"{A}/commons/{{hall}}/proposals/{{offered}}", 200),
    Ask(f"GET {VOTES}/{{proposal}}", f"{A}/commons/{{hall}}/proposals/{ABSENT}", 404, "unknown-proposal"),
    Ask(f"GET {VOTES}/{{proposal}}/comments", f"{A}/commons/{{hall}}/proposals/{{offered}}/comments", 200),
    Ask(f"GET {VOTES}/{{proposal}}/comments", f"{A}/commons/{{hall}}/proposals/{ABSENT}/comments", 404, "unknown-proposal"),
    Ask(f"POST {VOTES}/{{proposal}}/comments", f"{A}/commons/{{hall}}/proposals/{{offered}}/comments", 201, body={"text": "Et le puits ?"}),
    Ask(f"POST {VOTES}/{{proposal}}/comments", f"{A}/commons/{{hall}}/proposals/{{offered}}/comments", 404, "unknown-comment", None, {"text": "x", "on": ABSENT}),
    Ask(f"POST {VOTES}/{{proposal}}/amendments", f"{A}/commons/{{hall}}/proposals/{{amended}}/amendments", 201, body={"text": "Mieux"}),
    Ask(f"POST {VOTES}/{{proposal}}/amendments", f"{A}/commons/{{hall}}/proposals/{ABSENT}/amendments", 404, "unknown-proposal", None, {"text": "x"}),
    Ask(f"POST {A}/commons/{{id}}/amendments/{{amendment}}", f"{A}/commons/{{hall}}/amendments/{{amendment}}", 201, body={"take": True}),
    Ask(f"POST {A}/commons/{{id}}/amendments/{{amendment}}", f"{A}/commons/{{hall}}/amendments/{ABSENT}", 404, "unknown-amendment", None, {"take": True}),
    Ask(f"POST {VOTES}/{{proposal}}/ballots", f"{A}/commons/{{hall}}/proposals/{{voted}}/ballots", 201, body={"choice": "for", "reason": "oui"}),
    Ask(f"POST {VOTES}/{{proposal}}/ballots", f"{A}/commons/{{hall}}/proposals/{{voted}}/ballots", 409, "bad-choice", None, {"choice": "consent"}),
    Ask(f"POST {VOTES}/{{proposal}}/ballots", f"{A}/commons/{{hall}}/proposals/{{voted}}/ballots", 409, "text-changed", None, {"choice": "for", "wording": ABSENT}),
    Ask(f"POST {VOTES}/{{proposal}}/closings", f"{A}/commons/{{hall}}/proposals/{{offered}}/closings", 409, "voting-open"),
    Ask(f"POST {VOTES}/{{proposal}}/closings", f"{A}/commons/{{hall}}/proposals/{{ripe}}/closings", 201),
    Ask(f"POST {VOTES}/{{proposal}}/closings", f"{A}/commons/{{hall}}/proposals/{{ripe}}/closings", 409, "closed", None, {"early": True}),
    Ask(f"GET {A}/commons/{{id}}/members", f"{A}/commons/{{commons}}/members", 200),
    Ask(f"GET {A}/commons/{{id}}/members", f"{A}/commons/{{waiting}}/members", 409, "commons-waiting"),
    Ask(f"GET {A}/commons/{{id}}/members", f"{A}/commons/{ABSENT}/members", 404, "unknown-commons"),
    Ask(f"POST {A}/commons/{{id}}/removals", f"{A}/commons/{{gens}}/removals", 201, body={"key": "{member}", "words": "all"}),
    Ask(f"POST {A}/commons/{{id}}/removals", f"{A}/commons/{{gens}}/removals", 409, "unknown-member", None, {"key": "{former}"}),
    Ask(f"POST {A}/commons/{{id}}/removals", f"{A}/commons/{{gens}}/removals", 400, "bad-field", "words", {"key": KEY, "words": "some"}),
    Ask(f"POST {A}/commons/{{id}}/removals", f"{A}/commons/{{waiting}}/removals", 409, "commons-waiting", None, {"key": KEY}),
    Ask(f"POST {A}/commons/{{id}}/kept", f"{A}/commons/{{gens}}/kept", 201, body={"key": "{former}"}),
    Ask(f"POST {A}/commons/{{id}}/kept", f"{A}/commons/{{gens}}/kept", 400, "nothing-named", None, {"key": "{former}", "entries": [ABSENT]}),
    Ask(f"POST {A}/commons/{{id}}/kept", f"{A}/commons/{{gens}}/kept", 409, "unknown-member", None, {"key": KEY}),
    Ask(f"POST {A}/commons/{{id}}/kept", f"{A}/commons/{{gens}}/kept", 400, "bad-field", "key", {}),
    Ask(f"POST {A}/commons/{{id}}/admissions", f"{A}/commons/{{commons}}/admissions", 201, body={"key": KEY}),
    Ask(f"POST {A}/commons/{{id}}/admissions", f"{A}/commons/{{waiting}}/admissions", 409, "commons-waiting", None, {"key": KEY}),
    Ask(f"POST {A}/commons/{{id}}/admissions", f"{A}/commons/{{commons}}/admissions", 400, "bad-field", "key", {}),
    Ask(f"POST {A}/commons/{{id}}/organisation", f"{A}/commons/{{league}}/organisation", 201, body={"people": ["{member}"], "needed": 1}),
    Ask(f"POST {A}/commons/{{id}}/organisation", f"{A}/commons/{{commons}}/organisation", 409, "unknown-member", None, {"people": [KEY], "needed": 1}),
    Ask(f"POST {A}/commons/{{id}}/organisation", f"{A}/commons/{{union}}/organisation", 409, "bad-organisation", None, {"people": ["{member}"], "needed": 1}),
    Ask(f"POST {A}/commons/{{id}}/organisation", f"{A}/commons/{{closed}}/organisation", 403, "not-a-member", None, {"people": [KEY], "needed": 1}),
    Ask(f"POST {A}/commons/{{id}}/organisation", f"{A}/commons/{{union}}/organisation", 400, "bad-field", "needed", {"people": ["{member}"], "needed": 0}),
    Ask(f"POST {A}/commons/{{id}}/name", f"{A}/commons/{{league}}/name", 201, body={"name": "Ana"}),
    Ask(f"POST {A}/commons/{{id}}/name", f"{A}/commons/{{league}}/name", 409, "bad-person-name", None, {"name": "A\u202ena"}),
    Ask(f"POST {A}/commons/{{id}}/name", f"{A}/commons/{{league}}/name", 400, "bad-field", "name", {}),
    Ask(f"POST {A}/commons/{{id}}/name", f"{A}/commons/{{closed}}/name", 403, "not-a-member", None, {"name": "Ana"}),
    Ask(f"GET {A}/commons/{{id}}/asked", f"{A}/commons/{{union}}/asked?limit=1", 200),
    Ask(f"GET {A}/commons/{{id}}/asked", f"{A}/commons/{{waiting}}/asked", 409, "commons-waiting"),
    Ask(f"POST {A}/commons/{{id}}/asked/{{act}}/approvals", f"{A}/commons/{{union}}/asked/{{asked}}/approvals", 201),
    Ask(f"POST {A}/commons/{{id}}/asked/{{act}}/approvals", f"{A}/commons/{{union}}/asked/{ABSENT}/approvals", 404, "unknown-act"),
    Ask(f"POST {A}/commons/{{id}}/leave", f"{A}/commons/{{partir}}/leave", 201),
    Ask(f"POST {A}/commons/{{id}}/leave", f"{A}/commons/{{commons}}/leave", 409, "too-few-stewards"),
    Ask(f"POST {A}/commons/{{id}}/leave", f"{A}/commons/{{closed}}/leave", 403, "not-a-member"),
    Ask(f"POST {A}/commons/{{id}}/purge", f"{A}/commons/{{commons}}/purge", 409, "unknown-member", body={"keys": [KEY]}),
    Ask(f"POST {A}/commons/{{id}}/purge", f"{A}/commons/{{commons}}/purge", 409, "unknown-entrance", body={"entrances": [ABSENT]}),
    Ask(f"POST {A}/commons/{{id}}/purge", f"{A}/commons/{{commons}}/purge", 400, "nothing-named", body={}),
    Ask(f"POST {A}/commons/{{id}}/purge", f"{A}/commons/{{commons}}/purge", 201, body={"entrances": ["{entrance}"]}),
    Ask(f"POST {A}/commons/{{id}}/purge", f"{A}/commons/{{closed}}/purge", 403, "not-a-steward", body={"keys": [KEY]}),
    Ask(f"POST {A}/commons/{{id}}/stewards", f"{A}/commons/{{commons}}/stewards", 201, body={"quorum": 1}),
    Ask(f"POST {A}/commons/{{id}}/stewards", f"{A}/commons/{{commons}}/stewards", 409, "too-few-stewards", body={"quorum": 9}),
    Ask(f"POST {A}/commons/{{id}}/stewards", f"{A}/commons/{{commons}}/stewards", 409, "unknown-member", body={"end": [KEY]}),
    Ask(f"POST {A}/commons/join", f"{A}/commons/join", 200, body={"invitation": "{invitation}"}),
    Ask(f"POST {A}/commons/join", f"{A}/commons/join", 400, "bad-invitation", None, {"invitation": "x"}),
    Ask(f"POST {A}/commons/join", f"{A}/commons/join", 400, "bad-field", "invitation", {}),
    Ask(f"GET {A}/commons/{{id}}/digest", f"{A}/commons/{{commons}}/digest", 200),
    Ask(f"GET {A}/commons/{{id}}/digest", f"{A}/commons/{ABSENT}/digest", 404, "unknown-commons"),
    Ask(f"GET {A}/entries", f"{A}/entries?commons={{commons}}&q=lav&type=place&sort=title&facets=type,licence&limit=2", 200),
    Ask(f"GET {A}/entries", f"{A}/entries?available=true&commons={{commons}}", 200),
    Ask(f"GET {A}/entries", f"{A}/entries?available=true&commons={ABSENT}", 404, "unknown-commons"),
    Ask(f"GET {A}/entries", f"{A}/entries?commons={ABSENT}", 404, "unknown-commons"),
    Ask(f"GET {A}/entries", f"{A}/entries?cursor=x", 400, "bad-parameter", "cursor"),
    Ask(f"GET {A}/entries", f"{A}/entries?tags=x", 400, "bad-parameter", "tags"),
    Ask(f"GET {A}/entries", f"{A}/entries?sort=size", 400, "bad-parameter", "sort"),
    Ask(f"GET {A}/entries", f"{A}/entries?facets=title", 400, "bad-parameter", "facets"),
    Ask(f"GET {A}/entries", f"{A}/entries?bbox=1,2,3", 400, "bad-parameter", "bbox"),
    Ask(f"GET {A}/entries", f"{A}/entries?bbox=0,10,0,-10", 400, "bad-parameter", "bbox"),
    Ask(f"GET {A}/entries", f"{A}/entries?near=91,0,1", 400, "bad-parameter", "near"),
    Ask(f"GET {A}/entries", f"{A}/entries?near=nan,0,1", 400, "bad-parameter", "near"),
    Ask(f"GET {A}/entries", f"{A}/entries?available=perhaps", 400, "bad-parameter", "available"),
    Ask(f"GET {A}/entries", f"{A}/entries?q=a&q=b", 400, "bad-parameter", "q"),
    Ask(f"GET {A}/entries", f"{A}/entries?q={'x' * 1001}", 400, "bad-parameter", "q"),
    Ask(f"GET {A}/entries", f"{A}/entries?commons=ABC", 400, "bad-parameter", "commons"),
    Ask(f"POST {A}/entries", f"{A}/entries?commons={{commons}}", 201, body={"type": "image", "title": "Ŷ 🌊"}),
    Ask(f"POST {A}/entries", f"{A}/entries?commons={{commons}}", 400, "unknown-field", None, {"type": "image", "titre": "x"}),
    Ask(f"POST {A}/entries", f"{A}/entries?commons={{commons}}", 400, "bad-field", None, {"type": "vaisseau", "title": "x"}),
    Ask(f"POST {A}/entries", f"{A}/entries", 400, "bad-parameter", "commons", {"title": "a"}),
    Ask(f"POST {A}/entries", f"{A}/entries?commons={ABSENT}", 404, "unknown-commons", None, {"type": "book", "title": "a"}),
    Ask(f"POST {A}/entries", f"{A}/entries?commons={{waiting}}", 409, "commons-waiting", None, {"type": "book", "title": "a"}),
    Ask(f"POST {A}/entries", f"{A}/entries?commons={{closed}}", 403, "not-a-member", None, {"type": "book", "title": "a"}),
    Ask(f"GET {A}/entries/{{id}}", f"{A}/entries/{{entry}}", 200),
    Ask(f"GET {A}/entries/{{id}}", f"{A}/entries/{{entry}}?commons={{commons}}", 200),
    Ask(f"GET {A}/entries/{{id}}", f"{A}/entries/{{entry}}?commons={{closed}}", 404, "unknown-entry"),
    Ask(f"GET {A}/entries/{{id}}", f"{A}/entries/{{gone}}", 410, "withdrawn"),
    Ask(f"GET {A}/entries/{{id}}", f"{A}/entries/{ABSENT}", 404, "unknown-entry"),
    Ask(f"GET {A}/entries/{{id}}", f"{A}/entries/ABC", 400, "bad-parameter", "id"),
    Ask(f"PATCH {A}/entries/{{id}}", f"{A}/entries/{{stale}}", 200, body={"description": "b"}),
    Ask(f"PATCH {A}/entries/{{id}}", f"{A}/entries/{{stale}}", 200, None, None, b"{}", {"Content-Type": "application/merge-patch+json"}),
    Ask(f"PATCH {A}/entries/{{id}}", f"{A}/entries/{{stale}}", 200, None, None, {}, {"If-Match": "*"}),
    Ask(f"PATCH {A}/entries/{{id}}", f"{A}/entries/{{stale}}", 412, "entry-changed", None, {"title": "x"}, {"If-Match": '"old"'}),
    Ask(f"PATCH {A}/entries/{{id}}", f"{A}/entries/{{stale}}", 400, "bad-parameter", "If-Match", {}, {"If-Match": "old"}),
    Ask(f"PATCH {A}/entries/{{id}}", f"{A}/entries/{{stale}}", 400, "unknown-field", None, {"titre": "x"}),
    Ask(f"PATCH {A}/entries/{{id}}", f"{A}/entries/{{stale}}", 400, "bad-body", None, []),
    Ask(f"PATCH {A}/entries/{{id}}", f"{A}/entries/{{stale}}", 415, "unsupported-media-type", None, b"{}", NDJSON),
    Ask(f"PATCH {A}/entries/{{id}}", f"{A}/entries/{{gone}}", 410, "withdrawn", None, {"title": "x"}),
    Ask(f"PATCH {A}/entries/{{id}}", f"{A}/entries/{ABSENT}", 404, "unknown-entry", None, {"title": "x"}),
    Ask(f"DELETE {A}/entries/{{id}}", f"{A}/entries/{{gone}}", 410, "withdrawn"),
    Ask(f"DELETE {A}/entries/{{id}}", f"{A}/entries/{{stale}}", 412, "entry-changed", None, None, {"If-Match": '"old"'}),
    Ask(f"DELETE {A}/entries/{{id}}", f"{A}/entries/{ABSENT}", 404, "unknown-entry"),
    Ask(f"DELETE {A}/entries/{{id}}", f"{A}/entries/{{stale}}?reason={'x' * 1001}", 400, "bad-parameter", "reason"),
    Ask(f"POST {A}/entries/{{id}}/restore", f"{A}/entries/{{restored}}/restore", 200),
    Ask(f"POST {A}/entries/{{id}}/restore", f"{A}/entries/{ABSENT}/restore", 404, "unknown-entry"),
    Ask(f"GET {A}/entries/{{id}}", f"{A}/entries/{{hidden}}", 403, "entry-hidden"),
    Ask(f"GET {A}/entries/{{id}}", f"{A}/entries/{{hidden}}?hidden=true", 200),
    Ask(f"GET {A}/entries/{{id}}", f"{A}/entries/{{hidden}}?hidden=perhaps", 400, "bad-parameter", "hidden"),
    Ask(f"POST {A}/entries/{{id}}/reports", f"{A}/entries/{{entry}}/reports", 201, body={"reason": "spam", "text": "Réclame"}),
    Ask(f"POST {A}/entries/{{id}}/reports", f"{A}/entries/{{entry}}/reports", 400, "bad-field", "reason", {"reason": "dull"}),
    Ask(f"POST {A}/entries/{{id}}/reports", f"{A}/entries/{{entry}}/reports", 400, "bad-field", "text", {"reason": "spam", "text": ""}),
    Ask(f"POST {A}/entries/{{id}}/reports", f"{A}/entries/{ABSENT}/reports", 404, "unknown-entry", None, {"reason": "spam"}),
    Ask(f"GET {A}/commons/{{id}}/reports", f"{A}/commons/{{commons}}/reports?limit=1", 200),
    Ask(f"GET {A}/commons/{{id}}/reports", f"{A}/commons/{ABSENT}/reports", 404, "unknown-commons"),
    Ask(f"GET {A}/commons/{{id}}/reports", f"{A}/commons/{{waiting}}/reports", 409, "commons-waiting"),
    Ask(f"GET {A}/commons/{{id}}/reports", f"{A}/commons/{{commons}}/reports?cursor=x", 400, "bad-parameter", "cursor"),
    Ask(f"POST {A}/entries/{{id}}/hide", f"{A}/entries/{{hiding}}/hide", 201, body={"reason": "personal"}),
    Ask(f"POST {A}/entries/{{id}}/hide", f"{A}/entries/{{hiding}}/hide", 400, "bad-field", "reason", {}),
    Ask(f"POST {A}/entries/{{id}}/hide", f"{A}/entries/{ABSENT}/hide", 404, "unknown-entry", None, {"reason": "spam"}),
    Ask(f"GET {A}/commons/{{id}}/hidden", f"{A}/commons/{{commons}}/hidden", 200),
    Ask(f"GET {A}/commons/{{id}}/hidden", f"{A}/commons/{ABSENT}/hidden", 404, "unknown-commons"),
    Ask(f"POST {A}/entries/{{id}}/unhide", f"{A}/entries/{{shown}}/unhide", 201),
    Ask(f"POST {A}/entries/{{id}}/unhide", f"{A}/entries/{{entry}}/unhide", 409, "not-hidden"),
    Ask(f"POST {A}/entries/{{id}}/unhide", f"{A}/entries/{ABSENT}/unhide", 404, "unknown-entry"),
    Ask(f"POST {A}/entries/{{id}}/review", f"{A}/entries/{{reported}}/review", 201),
    Ask(f"POST {A}/entries/{{id}}/review", f"{A}/entries/{{shown}}/review", 409, "nothing-reported"),
    Ask(f"POST {A}/entries/{{id}}/erase", f"{A}/entries/{{erased}}/erase?commons={{commons}}", 201),
    Ask(f"POST {A}/entries/{{id}}/erase", f"{A}/entries/{{erased}}/erase", 409, "nothing-of-yours"),
    Ask(f"GET {A}/entries/{{id}}", f"{A}/entries/{{down}}", 451, "withheld"),
    Ask(f"POST {A}/entries/{{id}}/takedown", f"{A}/entries/{{erased}}/takedown", 201, body={"reason": "a court"}),
    Ask(f"POST {A}/entries/{{id}}/takedown", f"{A}/entries/{{entry}}/takedown", 400, "bad-field", "reason", {"reason": " "}),
    Ask(f"DELETE {A}/entries/{{id}}/takedown", f"{A}/entries/{{released}}/takedown", 204),
    Ask(f"DELETE {A}/entries/{{id}}/takedown", f"{A}/entries/{{entry}}/takedown", 409, "not-withheld"),
    Ask(f"GET {A}/commons/{{id}}/withheld", f"{A}/commons/{{commons}}/withheld", 200),
    Ask(f"GET {A}/commons/{{id}}/withheld", f"{A}/commons/{ABSENT}/withheld", 404, "unknown-commons"),
    Ask(f"GET {A}/commons/{{id}}/block-lists", f"{A}/commons/{{commons}}/block-lists", 200),
    Ask(f"GET {A}/commons/{{id}}/block-lists", f"{A}/commons/{{waiting}}/block-lists", 409, "commons-waiting"),
    Ask(f"POST {A}/commons/{{id}}/block-lists", f"{A}/commons/{{commons}}/block-lists", 201, body={"add": [KEY], "reason": "spam"}),
    Ask(f"POST {A}/commons/{{id}}/block-lists", f"{A}/commons/{{commons}}/block-lists", 201, body={"remove": [KEY]}),
    Ask(f"POST {A}/commons/{{id}}/block-lists", f"{A}/commons/{{commons}}/block-lists", 409, "nothing-named", None, {}),
    Ask(f"POST {A}/commons/{{id}}/block-lists", f"{A}/commons/{{commons}}/block-lists", 400, "bad-field", "add", {"add": ["z6Mk"]}),
    Ask(f"POST {A}/commons/{{id}}/block-lists/follow", f"{A}/commons/{{commons}}/block-lists/follow", 200, body={"person": KEY}),
    Ask(f"POST {A}/commons/{{id}}/block-lists/follow", f"{A}/commons/{{commons}}/block-lists/follow", 400, "bad-field", "person", {}),
    Ask(f"POST {VOTES}", f"{A}/commons/{{commons}}/proposals", 409, "unknown-entry", None, {"text": "x", "matter": "hide", "entry": ABSENT}),
    Ask(f"GET {A}/entries/{{id}}/history", f"{A}/entries/{{entry}}/history?limit=1", 200),
    Ask(f"GET {A}/entries/{{id}}/history", f"{A}/entries/{{gone}}/history", 200),
    Ask(f"GET {A}/entries/{{id}}/history", f"{A}/entries/{{entry}}/history?cursor=x", 400, "bad-parameter", "cursor"),
    Ask(f"GET {A}/entries/{{id}}/history", f"{A}/entries/{ABSENT}/history", 404, "unknown-entry"),
    Ask(f"GET {A}/entries/{{id}}/records", f"{A}/entries/{{entry}}/records", 200),
    Ask(f"GET {A}/entries/{{id}}/records", f"{A}/entries/{ABSENT}/records", 404, "unknown-entry"),
    Ask(f"GET {A}/conflicts", f"{A}/conflicts?commons={{commons}}", 200),
    Ask(f"GET {A}/conflicts", f"{A}/conflicts?commons={ABSENT}", 404, "unknown-commons"),
    Ask(f"GET {A}/conflicts", f"{A}/conflicts?cursor=x", 400, "bad-parameter", "cursor"),
    Ask(f"POST {A}/entries:batch", f"{A}/entries:batch?commons={{commons}}", 200, None, None, b'{"type": "book", "title": "a"}\n', NDJSON),
    Ask(f"POST {A}/entries:batch", f"{A}/entries:batch?commons={ABSENT}", 404, "unknown-commons", None, b"{}\n", NDJSON),
    Ask(f"POST {A}/entries:batch", f"{A}/entries:batch", 400, "bad-parameter", "commons", b"{}\n", NDJSON),
    Ask(f"POST {A}/entries:batch", f"{A}/entries:batch?commons={{commons}}", 415, "unsupported-media-type", None, b"{}", JSON),
    Ask(f"POST {A}/entries:batch", f"{A}/entries:batch?commons={{waiting}}", 409, "commons-waiting", None, b"{}", NDJSON),
    Ask(f"POST {A}/entries:batch", f"{A}/entries:batch?commons={{closed}}", 403, "not-a-member", None, b"{}", NDJSON),
    Ask(f"GET {A}/changes", f"{A}/changes?since=1&limit=1", 200),
    Ask(f"GET {A}/changes", f"{A}/changes?since=later", 400, "bad-parameter", "since"),
    Ask(f"GET {A}/changes", f"{A}/changes?since=999999999", 404, "bad-cursor"),
    Ask(f"GET {A}/changes/stream", f"{A}/changes/stream", 400, "bad-parameter", "Last-Event-ID", None, {"Last-Event-ID": "x"}),
    Ask(f"GET {A}/changes/stream", f"{A}/changes/stream?since=999999999", 404, "bad-cursor"),
    Ask(f"GET {A}/peers", f"{A}/peers", 200),
    Ask(f"GET {A}/peers", f"{A}/peers?limit=x", 400, "bad-parameter", "limit"),
    Ask(f"POST {A}/peers", f"{A}/peers", 201, body={"address": "127.0.0.1:19"}),
    Ask(f"POST {A}/peers", f"{A}/peers", 400, "bad-address", None, {"address": "nowhere"}),
    Ask(f"POST {A}/peers", f"{A}/peers", 400, "bad-key", None, {"address": "z6Mk@127.0.0.1:19"}),
    Ask(f"POST {A}/peers", f"{A}/peers", 400, "bad-field", "address", {"address": 7}),
    Ask(f"DELETE {A}/peers", f"{A}/peers?address=127.0.0.1:39", 204),
    Ask(f"DELETE {A}/peers", f"{A}/peers?address=127.0.0.1:49", 404, "unknown-peer"),
    Ask(f"DELETE {A}/peers", f"{A}/peers", 400, "bad-parameter", "address"),
    Ask(f"POST {A}/peers/block", f"{A}/peers/block", 204, body={"key": KEY}),
    Ask(f"POST {A}/peers/block", f"{A}/peers/block", 400, "bad-field", "key", {"key": "z6Mk"}),
    Ask(f"POST {A}/peers/unblock", f"{A}/peers/unblock", 204, body={"key": KEY}),
    Ask(f"POST {A}/peers/unblock", f"{A}/peers/unblock", 404, "unknown-peer", body={"key": KEY}),
    Ask(f"POST {A}/peers/unblock", f"{A}/peers/unblock", 400, "bad-field", "key", {"key": "z6Mk"}),
    Ask(f"GET {A}/export", f"{A}/export?format=jsonl&commons={{commons}}&type=place", 200),
    Ask(f"GET {A}/export", f"{A}/export?format=csv&q=lavoir", 200),
    Ask(f"GET {A}/export", f"{A}/export?format=pdf", 400, "unknown-format"),
    Ask(f"GET {A}/export", f"{A}/export", 400, "bad-parameter", "format"),
    Ask(f"GET {A}/export", f"{A}/export?format=jsonl&commons={ABSENT}", 404, "unknown-commons"),
    Ask(f"GET {A}/pack", f"{A}/pack?commons={{commons}}", 200),
    Ask(f"GET {A}/pack", f"{A}/pack?commons={ABSENT}", 404, "unknown-commons"),
    Ask(f"POST {A}/unpack", f"{A}/unpack", 400, "not-a-pack-file", None, b"x", BYTES),
    Ask(f"POST {A}/unpack", f"{A}/unpack", 400, "not-a-pack-file", None, b"", BYTES),
    Ask(f"POST {A}/unpack", f"{A}/unpack", 415, "unsupported-media-type", None, b"x", JSON),
    Ask(f"GET {A}/backup", f"{A}/backup", 200),
    Ask(f"GET {A}/backup", f"{A}/backup?path=/etc", 400, "bad-parameter", "path"),
    Ask(f"POST {A}/verify", f"{A}/verify", 200),
    Ask(f"POST {A}/verify", f"{A}/verify?x=1", 400, "bad-parameter", "x"),
    Ask(f"POST {A}/rebuild", f"{A}/rebuild", 200),
    Ask(f"POST {A}/rebuild", f"{A}/rebuild?x=1", 400, "bad-parameter", "x"),
    Ask(f"GET {A}/doctor", f"{A}/doctor", 200),
    Ask(f"GET {A}/doctor", f"{A}/doctor?x=1", 400, "bad-parameter", "x"),
]  # fmt: skip
OWN_TESTS = {
    f"GET {A}/changes/stream",
    f"POST {A}/unpack",
    f"DELETE {A}/commons/{{id}}/follow",
    f"DELETE {A}/entries/{{id}}",
}


class World(NamedTuple):
    """A running node and the names of what is in it."""

    node: NodeProcess
    names: dict[str, str]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    place = tmp_path_factory.mktemp("routes")
    node = NodeProcess(place / "alice").start()
    try:
        yield World(node, asyncio.run(furnish(node, place)))
        assert node.stop() == 0
        quiet(node.log())
    finally:
        node.kill()


async def operations(ask: Http) -> dict[str, dict[str, Any]]:
    document = await ask.get("/openapi.json")
    assert document["openapi"].startswith("3.1")
    return {
        f"{method.upper()} {path}": said for path, them in document["paths"].items() for method, said in them.items()
    }


async def test_the_table_knows_every_operation_of_the_running_node(world: World) -> None:
    async with http(world.node) as ask:
        described = await operations(ask)
    rightly = {one.operation for one in TABLE if one.status < 300}
    wrongly = {one.operation for one in TABLE if one.status >= 400}
    assert rightly | OWN_TESTS == set(described) and wrongly == set(described)


@pytest.mark.parametrize("one", TABLE, ids=lambda one: f"{one.operation} {one.status} {one.code or ''}")
async def test_a_route_answers_as_it_says(one: Ask, world: World) -> None:
    body = one.body
    if isinstance(body, dict) and "key" in body:
        body = {**body, "key": body["key"].format(**world.names)}
    if isinstance(body, dict) and "invitation" in body:
        body = {"invitation": body["invitation"].format(**world.names)}
    if isinstance(body, dict) and "people" in body:
        body = {**body, "people": [key.format(**world.names) for key in body["people"]]}
    if isinstance(body, dict) and body.get("entrances") == ["{entrance}"]:
        body = {"entrances": [world.names["entrance"]]}
    async with http(world.node) as ask:
        method, target = one.operation.split()[0], one.target.format(**world.names)
        answered = await ask(method, target, body, one.headers)
        assert answered.status == one.status, answered
        if one.status >= 400:
            assert answered.headers["Content-Type"].split(";")[0] == PROBLEM
            problem = answered.json
            assert problem["code"] == one.code and problem["status"] == one.status and problem["type"] == "about:blank"
            assert len(problem["detail"]) > 10 and "Traceback" not in problem["detail"]
            assert one.names in (None, problem.get("parameter"), problem.get("field")), problem
            described = (await operations(ask))[one.operation]
            assert str(one.status) in described["responses"] or "default" in described["responses"], "not described"
        elif one.status == 204:
            assert answered.content == b""
        assert answered.headers["X-Content-Type-Options"] == "nosniff"


async def test_what_is_not_there_is_a_problem_too(world: World) -> None:
    async with http(world.node) as ask:
        assert (await ask("GET", f"{A}/nothing")).code == "unknown-route"
        wrong = await ask("PUT", f"{A}/status")
        assert (wrong.status, wrong.code) == (405, "method-not-allowed") and "GET" in wrong.headers["Allow"]
        for target in (f"{A}/status", f"{A}/commons", f"{A}/entries", "/healthz", "/metrics"):
            head, whole = await ask("HEAD", target), await ask("GET", target)
            assert (head.status, head.content) == (200, b"")
            assert head.headers["Content-Type"] == whole.headers["Content-Type"]


async def test_writing_needs_the_token_and_reading_ignores_a_wrong_one(world: World) -> None:
    async with http(world.node) as ask:
        for operation, described in (await operations(ask)).items():
            method, path = operation.split()
            target = re.sub(r"\{\w+\}", ABSENT, path)
            open_to_read = {} in described["security"]
            assert open_to_read or described["security"] == [{"token": []}]
            for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic eA=="}):
                if open_to_read:
                    if path.endswith("/stream") or "{id}" in path:
                        continue
                    assert (await ask(method, target, None, headers, own=False)).status in (200, 400), operation
                else:
                    answered = await ask(method, target, None, headers, own=False)
                    assert (answered.status, answered.code) == (401, "unauthorised"), operation
                    assert answered.headers["WWW-Authenticate"] == "Bearer" and "api-token" in answered.json["detail"]
        assert (await ask("GET", f"{A}/status", None, {"Authorization": "Bearer é"}, own=False)).status == 200
        as_parameter = await ask("POST", f"{A}/commons?token={ask.token}", {"name": "x"}, own=False)
        assert as_parameter.status == 401


async def test_only_names_of_this_node_are_answered_and_no_page_elsewhere_may_read(world: World) -> None:
    async with http(world.node) as ask:
        port = ask.base.rpartition(":")[2]
        for target in (f"{A}/status", "/healthz", "/metrics", f"{A}/openapi.json", "/", f"{A}/nothing"):
            for host in ("evil.example", f"evil.example:{port}", f"127.0.0.1.evil.example:{port}", "192.0.2.1", ""):
                answered = await ask("GET", target, None, {"Host": host})
                assert answered.status == 403 and answered.code == "host-not-allowed", (target, host)
        for host in ("localhost", f"localhost:{port}", "127.0.0.1", f"[::1]:{port}", "LOCALHOST"):
            assert (await ask("GET", f"{A}/status", None, {"Host": host})).status == 200, host
        strange = await ask("GET", f"{A}/status", None, {"Origin": "https://evil.example"})
        asked_first = await ask(
            "OPTIONS", f"{A}/commons", None, {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
        )
        for answered in (strange, asked_first):
            assert not [name for name in answered.headers if name.lower().startswith("access-control")]


async def test_an_etag_tells_whether_an_entry_changed(world: World) -> None:
    async with http(world.node) as ask:
        made = await ask("POST", f"{A}/entries?commons={world.names['commons']}", {"type": "place", "title": "Un"})
        where = made.headers["Location"]
        first = made.headers["ETag"]
        assert where == f"{A}/entries/{made.json['id']}" and first.startswith('"')
        assert (await ask("GET", where)).headers["ETag"] == first
        unchanged = await ask("GET", where, None, {"If-None-Match": first})
        assert (unchanged.status, unchanged.content) == (304, b"")
        nothing = await ask("PATCH", where, {"title": "Un"}, {"If-Match": first})
        assert nothing.headers["ETag"] == first
        second = await ask("PATCH", where, {"title": "Deux"}, {"If-Match": first})
        assert second.status == 200 and second.headers["ETag"] != first
        stale = await ask("PATCH", where, {"title": "Trois"}, {"If-Match": first})
        assert stale.status == 412 and stale.json["entry"]["title"] == "Deux"
        assert stale.headers["ETag"] == second.headers["ETag"]
        assert (await ask("DELETE", where, None, {"If-Match": first})).status == 412
        either = f"{first}, {second.headers['ETag']}"
        assert (await ask("DELETE", f"{where}?reason=un%20doublon", None, {"If-Match": either})).status == 200
        gone = await ask("GET", where)
        assert gone.status == 410 and gone.json["reason"] == "un doublon"
        assert gone.json["by"].startswith("did:key:") and gone.json["at"].endswith("Z")
        history = (await ask("GET", f"{where}/history")).json["items"]
        assert [item["kind"] for item in history] == ["entry.withdraw", "entry.edit", "entry.edit"]
        assert (await ask("POST", f"{where}/restore")).json["title"] == "Deux"


async def test_a_patch_is_a_merge_patch(world: World) -> None:
    async with http(world.node) as ask:
        entry = {
            "type": "place",
            "title": {"fr": "Lavoir", "en": "Wash-house"},
            "subjects": ["eau", "linge"],
            "description": "x",
        }
        made = (await ask("POST", f"{A}/entries?commons={world.names['commons']}", entry)).json
        assert {name: made[name] for name in entry} == entry
        where = f"{A}/entries/{made['id']}"
        patch = {
            "title": {"br": "Kanndi", "en": None},
            "subjects": ["eau", "pierre"],
            "description": None,
            "created": "1820",
        }
        changed = (await ask("PATCH", where, patch)).json
        assert changed["title"] == {"fr": "Lavoir", "br": "Kanndi"}
        assert sorted(changed["subjects"]) == ["eau", "pierre"]
        assert "description" not in changed and changed["created"] == "1820" and changed["type"] == "place"
        last = (await ask("GET", f"{where}/history")).json["items"][0]["body"]
        assert (last["add"], last["remove"]) == ({"subjects": ["pierre"]}, {"subjects": ["linge"]}), (
            "a list is sent as what it means"
        )
        assert (await ask("GET", where)).json == changed, "after the answer every read sees it"


async def test_a_source_makes_one_entry_of_two_imports_and_people_are_not_overruled(world: World) -> None:
    async with http(world.node) as ask:
        to = f"{A}/entries?commons={world.names['commons']}"
        first = await ask("POST", to, {"type": "image", "title": "Nuit", "source": "tate:A1"})
        again = await ask("POST", to, {"type": "image", "title": "Nuit d’été", "source": "TATE:A1"})
        assert again.json["id"] == first.json["id"] and again.json["title"] == "Nuit d’été"
        where = f"{A}/entries/{first.json['id']}"
        await ask("PATCH", where, {"title": "Nuit claire"})
        third = await ask("POST", to, {"type": "image", "title": "Nuit noire", "source": "tate:A1"})
        assert third.json["title"] == "Nuit claire" and third.json["offered"]["title"] == ["Nuit noire"]
        assert "conflicts" not in third.json


async def test_conflicts_are_listed_until_a_write_has_seen_both(world: World) -> None:
    async with http(world.node) as ask:
        name = world.names["disputed"]
        found = [entry for entry in (await ask.get("/conflicts"))["items"] if entry["id"] == name]
        assert {found[0]["title"], *found[0]["conflicts"]["title"]} == {"Lavoir d’Alice", "Lavoir de Bob"}
        assert len(found[0]["authors"]) == 2
        await ask("PATCH", f"{A}/entries/{name}", {"title": "Lavoir des deux"})
        assert name not in [entry["id"] for entry in (await ask.get("/conflicts"))["items"]]
        assert "conflicts" not in await ask.get(f"/entries/{name}")


async def test_raw_records_prove_themselves(world: World) -> None:
    async with http(world.node) as ask:
        items = await ask.items(f"/entries/{world.names['entry']}/records", 1)
        for item in items:
            header = b64decode(item["header"])
            assert record_id(header).hex() == item["id"]
            pack = read_pack(decode(b64decode(item["pack"]), bytes_max=1 << 20))
            (sealed,) = pack.records
            assert sealed.record.id.hex() == item["id"] and sealed.record.body == b64decode(item["body"])


async def test_a_digest_is_of_this_moment_and_zero_while_waiting(world: World) -> None:
    async with http(world.node) as ask:
        made = (await ask("POST", f"{A}/commons", {"name": "Compté"})).json
        digest = await ask.get(f"/commons/{made['id']}/digest")
        assert set(digest) == {"records", "fingerprint", "bodies_missing", "entries", "state"}
        assert (digest["records"], digest["entries"], digest["bodies_missing"]) == (1, 0, 0)
        entry = (await ask("POST", f"{A}/entries?commons={made['id']}", {"type": "book", "title": "x"})).json["id"]
        more = await ask.get(f"/commons/{made['id']}/digest")
        assert (more["records"], more["entries"]) == (2, 1)
        assert more["fingerprint"] != digest["fingerprint"] and more["state"] != digest["state"]
        await ask("DELETE", f"{A}/entries/{entry}")
        gone = await ask.get(f"/commons/{made['id']}/digest")
        assert (gone["records"], gone["entries"]) == (3, 0)
        found = await ask.get(f"/entries?commons={made['id']}")
        assert (found["total"], found["items"]) == (0, [])
        zeros = await ask.get(f"/commons/{world.names['waiting']}/digest")
        zero = "00" * 32
        assert zeros == {"records": 0, "fingerprint": zero, "bodies_missing": 0, "entries": 0, "state": zero}
        assert (await ask.get(f"/commons/{world.names['waiting']}"))["state"] == "waiting"
        assert (await ask("DELETE", f"{A}/commons/{made['id']}/follow")).status == 204
        assert (await ask("GET", f"{A}/commons/{made['id']}/digest")).code == "unknown-commons"


async def test_packs_travel_over_http(world: World, tmp_path: Path) -> None:
    async with http(world.node) as ask:
        packed = await ask("GET", f"{A}/pack?commons={world.names['commons']}", own=False)
        assert int(packed.headers["Content-Length"]) == len(packed.content)
        taken = await ask("POST", f"{A}/unpack", packed.content, BYTES)
        assert taken.status == 200 and taken.json["new"] == 0
        assert str(taken.json["records"]) == packed.headers["P2PCommons-Records"]
        exported = await ask("GET", f"{A}/export?format=jsonl&commons={world.names['commons']}", own=False)
        shown = (await ask.get(f"/commons/{world.names['commons']}/digest"))["entries"]
        assert exported.content.count(b"\n") == shown


async def test_metrics_are_readable_by_prometheus(world: World) -> None:
    async with http(world.node) as ask:
        text = (await ask("GET", "/metrics", own=False)).content.decode()
    sample = re.compile(r'[a-z_][a-z0-9_]*(\{[a-z_]+="([^"\\\n]|\\.)*"(,[a-z_]+="([^"\\\n]|\\.)*")*\})? [-+.eE0-9Na]+')
    lines = [line for line in text.splitlines() if not line.startswith("# ")]
    assert lines and all(sample.fullmatch(line) for line in lines), [
        line for line in lines if not sample.fullmatch(line)
    ]
    assert all(line.startswith("p2pcommons_") for line in lines) and text.endswith("\n")
