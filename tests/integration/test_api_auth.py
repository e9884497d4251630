"""Who may ask the API what: token, session, loopback, and the names a node is called by."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import make_mocked_request
from api_table import TABLE, ask
from api_world import TOKEN, served, world
from fake_node import FakeNode

from p2pcommons.api.auth import Door, Grant
from p2pcommons.api.problems import Unauthorised
from p2pcommons.api.server import all_operations
from p2pcommons.api.serving import ApiSettings
from p2pcommons.errors import Refused

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
