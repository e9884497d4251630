"""`Client`: the verbs of a node over HTTP, typed and asynchronous.

    async with Client("http://127.0.0.1:7420", token=…) as node:
        page = await node.search(Query(text="lavoir"))

It takes and gives the same values as the node's own `Commons`, and raises the same refusals; `NoAnswer` where
nothing answers. `Client.of_folder(data)` finds the node that runs on a data folder.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from p2pcommons.api.assembly_client import AssemblyClient
from p2pcommons.api.batch import NDJSON, BatchStopped
from p2pcommons.api.batch import parse as parse_answer
from p2pcommons.api.connection import Connection, NoAnswer, Parameters, etag_of
from p2pcommons.api.moderation_client import ModerationClient
from p2pcommons.api.organisation_client import OrganisationClient
from p2pcommons.api.searching import query_parameters
from p2pcommons.api.serving import PACK_TYPE, RECORDS_HEADER
from p2pcommons.api.wire import dump, from_json, load, parse_hex32
from p2pcommons.commons.query import Query
from p2pcommons.core.identity import PublicKey, did_key
from p2pcommons.core.limits import PAGE_ITEMS_MAX
from p2pcommons.core.record import CommonsId, Subject
from p2pcommons.errors import FormError, Refused
from p2pcommons.node.folder import API_TOKEN, running_node
from p2pcommons.node.values import (
    ActInfo,
    BatchAnswer,
    Change,
    CharterInfo,
    Check,
    CommonsInfo,
    CriteriaInfo,
    DigestInfo,
    EntryAnswer,
    EntryJson,
    EntryPage,
    Export,
    FacetCount,
    ForkInfo,
    Health,
    HistoryItem,
    IdentityInfo,
    Invitation,
    LineageInfo,
    MembersInfo,
    Metric,
    NearbyCommons,
    PackInfo,
    Page,
    PeerInfo,
    Progress,
    RawRecord,
    Rebuilt,
    RecipeFile,
    Status,
    UnpackInfo,
    VerifyInfo,
    Withdrawal,
)

if TYPE_CHECKING:
    from p2pcommons.api.verbs import Verbs

__all__ = ["Client", "NoAnswer"]

ADDRESS_DEFAULT: Final = "http://127.0.0.1:7420"

T = TypeVar("T")


class Client(AssemblyClient, ModerationClient, OrganisationClient):
    """A node's verbs (`p2pcommons.api.verbs.Verbs`) at an address, within `async with`."""

    def __init__(self, address: str = ADDRESS_DEFAULT, token: str | None = None) -> None:
        self._connection = Connection(address, token)

    @classmethod
    def of_folder(cls, data: Path) -> Client:
        """The client of the node that runs on this data folder. Refused `no-node` where none does."""
        note = running_node(data)
        if note is None or not note.get("api"):
            raise Refused("no-node", f"No node runs on {data}. Start one: p2pcommons up")
        return cls(str(note["api"]), (data / API_TOKEN).read_text().strip())

    async def __aenter__(self) -> Client:
        self._connection.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._connection.close()

    # -- status

    async def health(self) -> Health:
        """Whether every verb works now."""
        return from_json(Health, (await self._connection.send("GET", "/healthz", also=(503,))).value)

    async def status(self) -> Status:
        """The whole picture."""
        return from_json(Status, await self._connection.get("/status"))

    async def metrics(self) -> Sequence[Metric]:
        """None: the node tells its numbers at `/metrics`, as text."""
        return ()

    async def identity(self) -> IdentityInfo:
        """Who writes there."""
        return from_json(IdentityInfo, await self._connection.get("/identity"))

    async def add_device(self) -> str:
        """Let a new device of this person in; its line."""
        return str((await self._connection.send("POST", "/identity/devices", {})).value["line"])

    async def trust_clock(self) -> None:
        """Say that its clock is right as it is now."""
        await self._connection.send("POST", "/clock/trust", {})

    async def recovery_words(self, language: str = "en") -> tuple[str, ...]:
        """The 12 recovery words."""
        return tuple((await self._connection.get("/identity/words", [("language", language)]))["words"])

    # -- peers

    async def peers(self) -> tuple[PeerInfo, ...]:
        """Peers kept, met and connected."""
        return await self._all(PeerInfo, "/peers")

    async def add_peer(self, address: str) -> PeerInfo:
        """Keep and dial an address."""
        return from_json(PeerInfo, (await self._connection.send("POST", "/peers", {"address": address})).value)

    async def remove_peer(self, address: str) -> None:
        """Forget a kept address."""
        await self._connection.send("DELETE", "/peers", None, [("address", address)])

    async def block_peer(self, key: PublicKey) -> None:
        """End a key's sessions and refuse new ones."""
        await self._connection.send("POST", "/peers/block", {"key": did_key(key)})

    async def unblock_peer(self, key: PublicKey) -> None:
        """Meet a node again."""
        await self._connection.send("POST", "/peers/unblock", {"key": did_key(key)})

    # -- commons

    async def list_commons(self) -> tuple[CommonsInfo, ...]:
        """All followed commons."""
        return await self._all(CommonsInfo, "/commons")

    async def nearby(self) -> tuple[NearbyCommons, ...]:
        """Announced commons of neighbours."""
        return await self._all(NearbyCommons, "/commons/nearby")

    async def create_commons(
        self,
        name: str,
        *,
        join: str | None = None,
        languages: Sequence[str] = (),
        territory: str | None = None,
        charter: str | None = None,
        recipe: bytes | None = None,
    ) -> CommonsInfo:
        """Found a commons."""
        packed = None if recipe is None else b64encode(recipe).decode()
        chosen = {"join": join, "territory": territory, "charter": charter, "recipe": packed}
        body: dict[str, Any] = {"name": name, "languages": list(languages)}
        body |= {field: value for field, value in chosen.items() if value is not None}
        return from_json(CommonsInfo, (await self._connection.send("POST", "/commons", body)).value)

    async def recipe(self, commons: CommonsId) -> RecipeFile:
        """Its rules as a signed file."""
        return from_json(RecipeFile, await self._connection.get(f"/commons/{commons.hex()}/recipe"))

    async def lineage(self, commons: CommonsId) -> LineageInfo:
        """Where a commons came from, and what came from it."""
        return from_json(LineageInfo, await self._connection.get(f"/commons/{commons.hex()}/lineage"))

    async def fork(self, commons: CommonsId, name: str, progress: Progress | None = None) -> ForkInfo:
        """Found another commons from the state of this one."""
        return from_json(ForkInfo, await self._long(f"/commons/{commons.hex()}/fork", progress, {"name": name}))

    async def criteria(self, commons: CommonsId) -> CriteriaInfo:
        """The four criteria of a commons."""
        return from_json(CriteriaInfo, await self._connection.get(f"/commons/{commons.hex()}/criteria"))

    async def get_commons(self, commons: CommonsId) -> CommonsInfo:
        """One followed commons."""
        return from_json(CommonsInfo, await self._connection.get(f"/commons/{commons.hex()}"))

    async def follow(self, commons: CommonsId, addresses: Sequence[str] = ()) -> CommonsInfo:
        """Follow a commons."""
        path, body = f"/commons/{commons.hex()}/follow", {"addresses": list(addresses)}
        return from_json(CommonsInfo, (await self._connection.send("POST", path, body)).value)

    async def unfollow(self, commons: CommonsId) -> None:
        """Forget a commons."""
        await self._connection.send("DELETE", f"/commons/{commons.hex()}/follow")

    async def invite(self, commons: CommonsId, *, uses: int = 1, days: int = 30) -> Invitation:
        """Make an invitation."""
        path, body = f"/commons/{commons.hex()}/invitations", {"uses": uses, "days": days}
        return from_json(Invitation, (await self._connection.send("POST", path, body)).value)

    async def join(self, invitation: str) -> CommonsInfo:
        """Join by an invitation line."""
        answered = await self._connection.send("POST", "/commons/join", {"invitation": invitation})
        return from_json(CommonsInfo, answered.value)

    async def charter(self, commons: CommonsId, language: str = "en") -> CharterInfo:
        """The rules of a commons in words."""
        found = await self._connection.get(f"/commons/{commons.hex()}/charter", [("language", language)])
        return from_json(CharterInfo, found)

    async def members(self, commons: CommonsId) -> MembersInfo:
        """Who is in, and by which ways one comes in."""
        return from_json(MembersInfo, await self._connection.get(f"/commons/{commons.hex()}/members"))

    async def purge(
        self, commons: CommonsId, *, keys: Sequence[PublicKey] = (), entrances: Sequence[bytes] = ()
    ) -> ActInfo:
        """Take keys out for good, and close ways in."""
        body = {"keys": [did_key(key) for key in keys], "entrances": [one.hex() for one in entrances]}
        return from_json(ActInfo, (await self._connection.send("POST", f"/commons/{commons.hex()}/purge", body)).value)

    async def leave(self, commons: CommonsId) -> ActInfo:
        """Be a member no more."""
        return from_json(ActInfo, (await self._connection.send("POST", f"/commons/{commons.hex()}/leave")).value)

    async def remove_member(self, commons: CommonsId, key: PublicKey, *, words: str = "seen") -> ActInfo:
        """Take a person off the members."""
        body = {"key": did_key(key), "words": words}
        return from_json(
            ActInfo, (await self._connection.send("POST", f"/commons/{commons.hex()}/removals", body)).value
        )

    async def admit(self, commons: CommonsId, key: PublicKey) -> ActInfo:
        """Let this key in."""
        body = {"key": did_key(key)}
        return from_json(
            ActInfo, (await self._connection.send("POST", f"/commons/{commons.hex()}/admissions", body)).value
        )

    async def keep_words(self, commons: CommonsId, key: PublicKey, *, entries: Sequence[Subject] = ()) -> ActInfo:
        """Let what a former member wrote count after all."""
        body = {"key": did_key(key), "entries": [one.hex() for one in entries]}
        return from_json(ActInfo, (await self._connection.send("POST", f"/commons/{commons.hex()}/kept", body)).value)

    async def name_stewards(
        self,
        commons: CommonsId,
        *,
        add: Sequence[PublicKey] = (),
        end: Sequence[PublicKey] = (),
        quorum: int | None = None,
    ) -> ActInfo:
        """Make and unmake stewards."""
        body: dict[str, Any] = {"add": [did_key(key) for key in add], "end": [did_key(key) for key in end]}
        if quorum is not None:
            body["quorum"] = quorum
        path = f"/commons/{commons.hex()}/stewards"
        return from_json(ActInfo, (await self._connection.send("POST", path, body)).value)

    async def digest(self, commons: CommonsId) -> DigestInfo:
        """One consistent moment of a commons."""
        return from_json(DigestInfo, await self._connection.get(f"/commons/{commons.hex()}/digest"))

    # -- entries

    async def search(self, query: Query) -> EntryPage:
        """Shown entries."""
        found = await self._connection.get("/entries", query_parameters(query))
        facets = {
            field: tuple(from_json(FacetCount, count) for count in counts) for field, counts in found["facets"].items()
        }
        return EntryPage(tuple(found["items"]), found["total"], found["order"], found["next"], facets)

    async def get_entry(self, entry: Subject, commons: CommonsId | None = None, *, hidden: bool = False) -> EntryAnswer:
        """One shown entry, or a hidden one."""
        asked = _of(commons) + ([("hidden", "true")] if hidden else [])
        answered = await self._connection.send("GET", f"/entries/{entry.hex()}", None, asked)
        return EntryAnswer(answered.value, etag_of(answered.headers))

    async def add_entry(self, commons: CommonsId, entry: EntryJson) -> EntryAnswer:
        """A new entry."""
        return await self._entry("POST", "/entries", entry, commons)

    async def patch_entry(
        self,
        entry: Subject,
        patch: dict[str, Any],
        *,
        commons: CommonsId | None = None,
        if_match: Sequence[str] | None = None,
    ) -> EntryAnswer:
        """A human write: JSON Merge Patch."""
        return await self._entry("PATCH", f"/entries/{entry.hex()}", patch, commons, if_match)

    async def withdraw_entry(
        self,
        entry: Subject,
        reason: str | None = None,
        *,
        commons: CommonsId | None = None,
        if_match: Sequence[str] | None = None,
    ) -> Withdrawal:
        """Withdraw an entry."""
        parameters = _of(commons) + ([] if reason is None else [("reason", reason)])
        answered = await self._connection.send(
            "DELETE", f"/entries/{entry.hex()}", None, parameters, headers=_matching(if_match)
        )
        return from_json(Withdrawal, answered.value)

    async def restore_entry(self, entry: Subject, *, commons: CommonsId | None = None) -> EntryAnswer:
        """Show a withdrawn entry again."""
        return await self._entry("POST", f"/entries/{entry.hex()}/restore", None, commons)

    async def history(
        self, entry: Subject, *, commons: CommonsId | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page[HistoryItem]:
        """What was written about an entry."""
        return await self._page(HistoryItem, f"/entries/{entry.hex()}/history", _of(commons) + _at(limit, cursor))

    async def raw_records(
        self, entry: Subject, *, commons: CommonsId | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page[RawRecord]:
        """The signed bytes themselves."""
        return await self._page(RawRecord, f"/entries/{entry.hex()}/records", _of(commons) + _at(limit, cursor))

    async def conflicts(
        self, commons: CommonsId | None = None, *, limit: int = 50, cursor: str | None = None
    ) -> Page[EntryJson]:
        """Entries of which concurrent writes disagree."""
        answered = await self._connection.get("/conflicts", _of(commons) + _at(limit, cursor))
        return Page(tuple(answered["items"]), answered["next"])

    async def batch(
        self, commons: CommonsId, lines: AsyncIterator[Sequence[bytes]]
    ) -> AsyncIterator[Sequence[BatchAnswer]]:
        """Add many entries; see `Verbs.batch`. NoAnswer where the node ends in the middle; BatchStopped where it says why."""
        response = await self._connection.begin(
            "POST", "/entries:batch", _of(commons), data=_joined(lines), headers={"Content-Type": NDJSON}, lasting=True
        )

        async def answers() -> AsyncIterator[Sequence[BatchAnswer]]:
            async with response:
                async for group in self._connection.lines(response):
                    taken: list[BatchAnswer] = []
                    try:
                        taken.extend(map(parse_answer, group))
                    except BatchStopped:  # what it had taken before counts
                        yield taken
                        raise
                    yield taken

        return answers()

    # -- changes

    async def changes(self, since: int, limit: int) -> Sequence[Change]:
        """Changes behind a position."""
        answered = await self._connection.get("/changes", [("since", str(since)), ("limit", str(limit))])
        return [_change(item) for item in answered["items"]]

    async def latest_change(self) -> int:
        """The greatest position given so far."""
        return (await self.status()).latest_change

    async def wait_change(self, since: int, timeout_s: float) -> bool:
        """Wait until there is a change behind a position."""
        try:
            async with asyncio.timeout(timeout_s):
                async for _ in self.stream_changes(since):
                    return True
        except TimeoutError:
            pass
        return False

    async def stream_changes(self, since: int | None = None) -> AsyncIterator[Change]:
        """Changes as they come, from a position or from now on, until the node stops."""
        parameters = () if since is None else (("since", str(since)),)
        async with self._connection.opened("GET", "/changes/stream", parameters, lasting=True) as response:
            async for line in _each(self._connection.lines(response)):
                if line.startswith(b"data:"):
                    yield _change(load(line[5:]))

    # -- exchange and upkeep

    async def export(self, format: str, query: Query) -> Export:
        """All entries a query finds, in an outside format."""
        where = [pair for pair in query_parameters(query) if pair[0] not in ("limit", "cursor", "sort", "facets")]
        response = await self._connection.begin("GET", "/export", [("format", format), *where], lasting=True)

        async def chunks() -> AsyncIterator[bytes]:
            async with response:
                with self._connection.answering():
                    async for chunk in response.content.iter_any():
                        yield chunk

        disposition = response.content_disposition
        name = (disposition.filename if disposition is not None else None) or f"export.{format}"
        return Export(response.headers.get("Content-Type", ""), name, chunks())

    async def pack(self, path: Path, commons: CommonsId | None = None) -> PackInfo:
        """Fetch a pack file."""
        headers, size = await self._connection.fetch("/pack", _of(commons), path)
        return PackInfo(int(headers.get(RECORDS_HEADER, 0)), size)

    async def unpack(self, path: Path) -> UnpackInfo:
        """Send a pack file."""
        file = await asyncio.to_thread(path.open, "rb")
        try:
            async with self._connection.opened(
                "POST", "/unpack", data=file, headers={"Content-Type": PACK_TYPE}, lasting=True
            ) as response:
                return from_json(UnpackInfo, load(await response.read()))
        finally:
            file.close()

    async def backup(self, path: Path) -> int:
        """Fetch a backup."""
        return (await self._connection.fetch("/backup", (), path))[1]

    async def verify(self, progress: Progress | None = None) -> VerifyInfo:
        """Check every hash and signature."""
        return from_json(VerifyInfo, await self._long("/verify", progress))

    async def rebuild(self, progress: Progress | None = None) -> tuple[Rebuilt, ...]:
        """Make all views anew."""
        return tuple(from_json(Rebuilt, item) for item in (await self._long("/rebuild", progress))["items"])

    async def doctor(self) -> tuple[Check, ...]:
        """Look at what commonly goes wrong."""
        return tuple(from_json(Check, item) for item in (await self._connection.get("/doctor"))["items"])

    # -- shapes that several verbs share

    async def _entry(
        self, method: str, path: str, body: Any, commons: CommonsId | None, if_match: Sequence[str] | None = None
    ) -> EntryAnswer:
        answered = await self._connection.send(method, path, body, _of(commons), headers=_matching(if_match))
        return EntryAnswer(answered.value, etag_of(answered.headers))

    async def _page(self, kind: type[T], path: str, parameters: Parameters) -> Page[T]:
        answered = await self._connection.get(path, parameters)
        return Page(tuple(from_json(kind, item) for item in answered["items"]), answered["next"])

    async def _all(self, kind: type[T], path: str) -> tuple[T, ...]:
        items: tuple[T, ...] = ()
        cursor: str | None = None
        while True:
            page = await self._page(kind, path, _at(PAGE_ITEMS_MAX, cursor))
            items, cursor = items + page.items, page.next
            if cursor is None:
                return items

    async def _long(self, path: str, progress: Progress | None, body: Any = None) -> Any:
        headers = {"Accept": NDJSON} | ({} if body is None else {"Content-Type": "application/json"})
        data = None if body is None else dump(body)
        async with self._connection.opened("POST", path, data=data, headers=headers, lasting=True) as response:
            async for line in _each(self._connection.lines(response)):
                match load(line):
                    case {"progress": {"done": int(done), "total": int(total)}}:
                        if progress is not None:
                            progress(done, total)
                    case {"error": {"code": str(code), "detail": str(detail)}}:
                        raise Refused(code, detail)
                    case {"result": result}:
                        return result
        raise NoAnswer("no-answer", f"The node at {self._connection.base} stopped before it was done.")


async def _each(groups: AsyncIterator[Sequence[bytes]]) -> AsyncIterator[bytes]:
    async for group in groups:
        for line in group:
            yield line


async def _joined(lines: AsyncIterator[Sequence[bytes]]) -> AsyncIterator[bytes]:
    async for group in lines:
        if group:
            yield b"\n".join(group) + b"\n"


def _of(commons: CommonsId | None) -> list[tuple[str, str]]:
    return [] if commons is None else [("commons", commons.hex())]


def _at(limit: int, cursor: str | None) -> list[tuple[str, str]]:
    return [("limit", str(limit))] + ([] if cursor is None else [("cursor", cursor)])


def _matching(if_match: Sequence[str] | None) -> dict[str, str]:
    return {} if if_match is None else {"If-Match": ", ".join(f'"{tag}"' for tag in if_match)}


def _change(item: Any) -> Change:
    match item:
        case {"cursor": str(cursor), "commons": str(commons), "id": str(name)} if cursor.isdigit():
            return Change(int(cursor), CommonsId(parse_hex32(commons)), Subject(parse_hex32(name)))
    raise FormError("bad_answer", f"{item!r:.80} is no change")


if TYPE_CHECKING:

    def _speaks_all_verbs(client: Client) -> Verbs:
        return client
