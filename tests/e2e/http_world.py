"""A really running node with something of everything in it, and plain HTTP to it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp

from p2pcommons.api.client import Client
from p2pcommons.api.verbs import Verbs
from p2pcommons.commons.invitation import parse_invitation
from p2pcommons.core.identity import PublicKey, did_key, parse_did_key
from p2pcommons.core.record import CommonsId, Subject
from p2pcommons.errors import Conflict
from p2pcommons.node.folder import API_TOKEN, running_node
from p2pcommons.node.local import local_client
from tests.e2e.hall import furnish_hall
from tests.e2e.processes import NodeProcess

ABSENT = "ee" * 32
WAITING = "09" * 32
JSON = {"Content-Type": "application/json"}
NDJSON = {"Content-Type": "application/x-ndjson"}
BYTES = {"Content-Type": "application/octet-stream"}
PROBLEM = "application/problem+json"


class Answer(NamedTuple):
    """What came back, whole."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def code(self) -> str:
        return str(self.json["code"])


class Http:
    """Requests to one node; `own` brings the token."""

    def __init__(self, node: NodeProcess, session: aiohttp.ClientSession) -> None:
        note = running_node(node.data)
        assert note is not None
        self.base = f"http://{note['api']}"
        self.token = (node.data / API_TOKEN).read_text().strip()
        self.session = session

    async def __call__(
        self, method: str, target: str, body: Any = None, headers: Mapping[str, str] = {}, *, own: bool = True
    ) -> Answer:
        sent = dict(headers)
        if own:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        if body is not None and not isinstance(body, bytes):
            body, sent = json.dumps(body).encode(), {**JSON, **sent}
        async with self.session.request(
            method,
            self.base + target,
            data=None if body is None else BytesIO(body),
            headers=sent,
            allow_redirects=False,
        ) as answered:
            return Answer(answered.status, answered.headers.copy(), await answered.read())

    async def get(self, target: str) -> Any:
        """The JSON at a path of the API, asked without a token."""
        answered = await self("GET", f"/api/v1{target}", own=False)
        assert answered.status == 200, (target, answered)
        return answered.json

    async def items(self, target: str, limit: int) -> list[Any]:
        """A whole list, so many items at a time, with each page as promised."""
        found: list[Any] = []
        cursor: str | None = None
        while True:
            mark = "&" if "?" in target else "?"
            page = await self.get(f"{target}{mark}limit={limit}" + (f"&cursor={cursor}" if cursor else ""))
            assert len(page["items"]) <= limit
            assert page["items"] or not page["next"], "an empty page that is not the last"
            found += page["items"]
            cursor = page["next"]
            if cursor is None:
                return found


@asynccontextmanager
async def http(node: NodeProcess) -> AsyncIterator[Http]:
    """Requests to a running node."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=120)) as session:
        yield Http(node, session)


async def parted(alice: Client, place: Path) -> dict[str, str]:
    """A commons with a member who may be removed, and one who was; one that its founder may leave; and two for organisations."""
    names: dict[str, str] = {}
    gens, partir, league, union = [
        (await alice.create_commons(name)).id for name in ("Gens", "Partir", "Ligue", "Union")
    ]
    for person in ("member", "former"):
        async with local_client(place / person) as other:
            names[person] = did_key((await other.identity()).person)
            for commons in (gens, partir, league, union):
                line, file = (await alice.invite(commons)).invitation, place / f"{person}.pack"
                await other.join(line)
                await alice.pack(file, commons)
                await other.unpack(file)
                await other.settle()
                await other.add_entry(commons, {"type": "book", "title": f"Un livre, {person}"})
                await other.pack(file, commons)
                await alice.unpack(file)
    await alice.remove_member(gens, parse_did_key(names["former"]), words="none")
    await alice.name_stewards(partir, add=[parse_did_key(names["member"])])
    asked = await organised(alice, parse_did_key(names["former"]), union, place)
    return {
        **names, "gens": gens.hex(), "partir": partir.hex(), "league": league.hex(), "union": union.hex(), "asked": asked
    }  # fmt: skip


async def organised(alice: Client, former: PublicKey, commons: CommonsId, place: Path) -> str:
    """A member who is an organisation of two people, and asks them to leave; the id of what is asked."""
    file = place / "union.pack"
    await alice.pack(file, commons)
    async with local_client(place / "member") as other:
        await other.unpack(file)
        await other.declare_organisation(commons, [(await alice.identity()).person, former], needed=2)
        try:
            await other.leave(commons)
        except Conflict as asked:
            assert asked.code == "people-asked"
        await other.pack(file, commons)
    await alice.unpack(file)
    (one,) = await alice.asked_acts(commons)
    return one.id.hex()


async def moderated(alice: Verbs, commons: CommonsId) -> dict[str, str]:
    """Entries that are hidden, reported, and to be hidden or erased; the names of them."""
    names = {}
    for name in ("hidden", "shown", "reported", "hiding", "erased", "down", "released"):
        added = await alice.add_entry(commons, {"type": "text", "title": f"Mot {name}"})
        names[name] = str(added.entry["id"])
    for name in ("hidden", "shown"):
        await alice.hide_entry(Subject(bytes.fromhex(names[name])), "harm", "Une insulte.")
    await alice.report_entry(Subject(bytes.fromhex(names["reported"])), "false", "Ce n’est pas vrai.")
    for name in ("down", "released"):
        await alice.take_down(Subject(bytes.fromhex(names[name])), "Tribunal de Brest")
    return names


async def furnish(node: NodeProcess, place: Path) -> dict[str, str]:
    """Put something of everything into a node; the names of it."""
    async with node.client() as alice, local_client(place / "bob") as bob:
        commons = (await alice.create_commons("Lavoirs", join="open", languages=("fr", "br"))).id
        await alice.follow(CommonsId(bytes.fromhex(WAITING)))
        closed = (await bob.create_commons("Fermé")).id
        await bob.pack(place / "closed.pack", closed)
        await alice.unpack(place / "closed.pack")
        names = {"commons": commons.hex(), "waiting": WAITING, "closed": closed.hex(), "absent": ABSENT}
        for name in ("entry", "gone", "stale", "disputed", "restored", "doubled"):
            entry = {"type": "place", "title": f"Lavoir {name}", "source": f"test:{name}"}
            names[name] = str((await alice.add_entry(commons, entry)).entry["id"])
        await alice.withdraw_entry(Subject(bytes.fromhex(names["gone"])), "perdu")
        await alice.withdraw_entry(Subject(bytes.fromhex(names["restored"])))
        names |= await moderated(alice, commons)

        disputed = Subject(bytes.fromhex(names["disputed"]))
        line = (await alice.invite(commons)).invitation
        await bob.join(line)
        await alice.pack(place / "lavoirs.pack", commons)
        await bob.unpack(place / "lavoirs.pack")
        await bob.settle()
        await alice.patch_entry(disputed, {"title": "Lavoir d’Alice"})
        await bob.patch_entry(disputed, {"title": "Lavoir de Bob"})
        await bob.pack(place / "lavoirs.pack", commons)
        await alice.unpack(place / "lavoirs.pack")

        for port in (29, 39):
            await alice.add_peer(f"127.0.0.1:{port}")
        entrance = parse_invitation((await alice.invite(commons)).invitation).invite
        assert entrance is not None
        names["entrance"] = entrance.hex()
        other = await bob.create_commons("Ailleurs")
        names["invitation"] = (await bob.invite(other.id)).invitation
        names |= await furnish_hall(alice, bob, place)
        names |= await parted(alice, place)
    names["pack"] = str(place / "lavoirs.pack")
    return names
