"""A node in memory that speaks all verbs of the API, honestly and in the simplest way: for tests of the API alone."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from fake_assembly import FakeAssembly
from fake_moderation import DOWN, HIDDEN, FakeModeration, hidden_info
from fake_organisation import FakeOrganisation

from p2pcommons.api.wire import rfc3339
from p2pcommons.commons.query import Query
from p2pcommons.core.identity import PublicKey, SigningKey, did_key
from p2pcommons.core.limits import BATCH_LINE_BYTES_MAX
from p2pcommons.core.record import CommonsId, RecordId, Subject, entry_id
from p2pcommons.errors import Conflict, FormError, NotFound, Refused
from p2pcommons.node.moderation_values import EntryHidden, EntryWithheld, WithheldInfo
from p2pcommons.node.values import (
    ActInfo,
    Address,
    AncestorInfo,
    ArticleInfo,
    BaseInfo,
    BatchAnswer,
    Blob,
    Change,
    CharterInfo,
    CharterPart,
    Check,
    ChildInfo,
    CommonsInfo,
    CriteriaInfo,
    CriterionInfo,
    DigestInfo,
    EntranceInfo,
    EntryAnswer,
    EntryChanged,
    EntryJson,
    EntryPage,
    EntryWithdrawn,
    EvidenceInfo,
    Export,
    FacetCount,
    ForkInfo,
    Hash,
    Health,
    HistoryItem,
    IdentityInfo,
    Instant,
    Invitation,
    LineageInfo,
    MemberInfo,
    MembersInfo,
    Metric,
    NearbyCommons,
    PackInfo,
    Page,
    PeerCommons,
    PeerInfo,
    Progress,
    RawRecord,
    Rebuilt,
    RecipeFile,
    RecipeInfo,
    Sample,
    Status,
    UnpackInfo,
    VerifyInfo,
    Withdrawal,
)

ALICE = SigningKey(b"a" * 32).public
NODE = SigningKey(b"n" * 32).public
NOW = Instant(1_750_000_000_123)
PACK = b"a pack file of the fake\n"
RECIPE = b"a recipe of the fake"


def named(text: str) -> bytes:
    return sha256(text.encode()).digest()


class FakeNode(FakeAssembly, FakeModeration, FakeOrganisation):
    def __init__(self) -> None:
        super().__init__()
        self.ready = True
        self.known: dict[CommonsId, CommonsInfo] = {}
        self.entries: dict[Subject, EntryJson] = {}
        self.withdrawn: dict[Subject, Withdrawal] = {}
        self.gone: dict[Subject, EntryJson] = {}
        self.log: list[Change] = []
        self.kept_peers: dict[str, PeerInfo] = {}
        self.blocked: list[PublicKey] = []
        self.clock_trusted = False
        self.batch_limit: int | None = None  # stops with an error behind so many lines
        self.batch_lines: list[bytes] = []
        self.changes_told = 0
        self._news = asyncio.Event()

    # -- status

    async def health(self) -> Health:
        return Health(self.ready, "" if self.ready else "reading the catalogue")

    async def status(self) -> Status:
        return Status(
            ready=self.ready, version="0", person=ALICE, node=NODE, data="/data", started_at=NOW,
            latest_change=len(self.log), api="127.0.0.1:7420", listen=None,
            addresses=(Address("z6Mk@192.0.2.1:7421", "unknown", "nobody came in yet"),),
            commons=await self.list_commons(), peers=await self.peers(), lan=("eth0",), nearby=await self.nearby(),
        )  # fmt: skip

    async def metrics(self) -> Sequence[Metric]:
        return (Metric("sessions", "gauge", "Sessions.", (Sample((("peer", 'a"b\\c\n'),), 2),)),)

    async def identity(self) -> IdentityInfo:
        return IdentityInfo(ALICE, NODE, "/data")

    async def add_device(self) -> str:
        if not self.known:
            raise Refused("no-commons", "You are a member of no commons yet.")
        return "p2pcommons-device:AAAA"

    async def trust_clock(self) -> None:
        self.clock_trusted = True

    async def recovery_words(self, language: str = "en") -> tuple[str, ...]:
        if language not in ("en", "fr"):
            raise Refused("unknown-language", f"there are no words in {language}; there are en and fr")
        return tuple(f"{language}{number}" for number in range(12))

    # -- peers

    async def peers(self) -> tuple[PeerInfo, ...]:
        return tuple(self.kept_peers.values())

    async def add_peer(self, address: str) -> PeerInfo:
        if ":" not in address:
            raise Refused("bad-address", "an address is [KEY@]HOST:PORT")
        among = tuple(PeerCommons(one, "same", "", 3, 4) for one in self.known)
        self.kept_peers[address] = PeerInfo(address, None, "waiting", "no answer yet", True, True, commons=among)
        return self.kept_peers[address]

    async def remove_peer(self, address: str) -> None:
        if self.kept_peers.pop(address, None) is None:
            raise NotFound("unknown-peer", "no such address is kept")

    async def block_peer(self, key: PublicKey) -> None:
        self.blocked.append(key)

    async def unblock_peer(self, key: PublicKey) -> None:
        if key not in self.blocked:
            raise NotFound("unknown-peer", "that node is not blocked")
        self.blocked.remove(key)

    # -- commons

    def _check(self, commons: CommonsId | None) -> None:
        if commons is not None and commons not in self.known:
            raise NotFound("unknown-commons", "this commons is not followed here")

    async def list_commons(self) -> tuple[CommonsInfo, ...]:
        return tuple(self.known[one] for one in sorted(self.known))

    async def nearby(self) -> tuple[NearbyCommons, ...]:
        return tuple(
            NearbyCommons(CommonsId(named(name)), name, False, 2, ("z6Mk@192.0.2.7:7421",))
            for name in ("Fours", "Puits")
        )

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
        if recipe is not None and charter is not None:
            raise Refused("two-charters", "name one")
        if recipe is not None and recipe != RECIPE:
            raise FormError("bad_bundle", "this is no recipe")
        made, join = CommonsId(named(name)), join or "invite"
        self.known[made] = CommonsInfo(
            made, "here", name, join, tuple(languages), territory, member=True, may_write=True, members=1, records=1
        )
        return self.known[made]

    async def get_commons(self, commons: CommonsId) -> CommonsInfo:
        self._check(commons)
        return self.known[commons]

    async def follow(self, commons: CommonsId, addresses: Sequence[str] = ()) -> CommonsInfo:
        return self.known.setdefault(commons, CommonsInfo(commons, "waiting"))

    async def unfollow(self, commons: CommonsId) -> None:
        self._check(commons)
        del self.known[commons]

    async def invite(self, commons: CommonsId, *, uses: int = 1, days: int = 30) -> Invitation:
        self._check(commons)
        return Invitation("p2pcommons-invite", commons, uses, Instant(NOW + days * 86_400_000))

    async def join(self, invitation: str) -> CommonsInfo:
        if invitation != "p2pcommons-invite":
            raise Refused("bad-invitation", "this line is no invitation")
        return next(iter(self.known.values()))

    async def charter(self, commons: CommonsId, language: str = "en") -> CharterInfo:
        self._check(commons)
        article = ArticleInfo(
            "join", "Joining", f"By invitation ({language}).", {"policy": "invite"}, Hash(bytes(32)), None, False, NOW
        )
        return CharterInfo(commons, "x", "association", "Charter", "", (CharterPart("Who", "", (article,)),))

    async def recipe(self, commons: CommonsId) -> RecipeFile:
        self._check(commons)
        return RecipeFile(RecipeInfo(commons, "x", Hash(bytes(32)), ALICE, NOW, ("edit",)), Blob(RECIPE))

    async def lineage(self, commons: CommonsId) -> LineageInfo:
        self._check(commons)
        line = (AncestorInfo(CommonsId(named("elder")), Hash(bytes(32)), None),)
        return LineageInfo(commons, line, self._base(commons), (ChildInfo(CommonsId(named("y")), "y", "recipe"),))

    def _base(self, commons: CommonsId) -> BaseInfo:
        return BaseInfo(commons, 7, Hash(bytes(32)), Hash(bytes(32)), "x", "same", "/data/forks/x.pack")

    async def fork(self, commons: CommonsId, name: str, progress: Progress | None = None) -> ForkInfo:
        self._check(commons)
        if progress is not None:
            await asyncio.to_thread(progress, 1, 2)
        return ForkInfo(await self.create_commons(name), self._base(commons), 2, 1, {"bad-field": 1})

    async def criteria(self, commons: CommonsId) -> CriteriaInfo:
        self._check(commons)
        pieces = (EvidenceInfo("voters", "met", 2, 2), EvidenceInfo("deciders", "unknown"))
        return CriteriaInfo(commons, NOW, (CriterionInfo("governance", "met", pieces),))

    async def members(self, commons: CommonsId) -> MembersInfo:
        self._check(commons)
        founder = MemberInfo(ALICE, (ALICE,), NOW, None, True, True)
        way = EntranceInfo(RecordId(bytes(commons)), ALICE, True, 0)
        return MembersInfo(commons, 1, True, (founder,), (way,))

    async def purge(
        self, commons: CommonsId, *, keys: Sequence[PublicKey] = (), entrances: Sequence[bytes] = ()
    ) -> ActInfo:
        self._check(commons)
        return self._act([*keys, *entrances])

    async def name_stewards(
        self,
        commons: CommonsId,
        *,
        add: Sequence[PublicKey] = (),
        end: Sequence[PublicKey] = (),
        quorum: int | None = None,
    ) -> ActInfo:
        self._check(commons)
        return self._act([*add, *end, *([] if quorum is None else [bytes([quorum])])])

    async def leave(self, commons: CommonsId) -> ActInfo:
        self._check(commons)
        return ActInfo(True, 1, 1, RecordId(bytes(32)))

    async def remove_member(self, commons: CommonsId, key: PublicKey, *, words: str = "seen") -> ActInfo:
        self._check(commons)
        return self._act([key])

    async def admit(self, commons: CommonsId, key: PublicKey) -> ActInfo:
        self._check(commons)
        if key == ALICE:
            raise Conflict("already-a-member", "who has this key is a member")
        return ActInfo(True, 1, 1, None)

    async def keep_words(self, commons: CommonsId, key: PublicKey, *, entries: Sequence[Subject] = ()) -> ActInfo:
        self._check(commons)
        return self._act([key, *entries])

    def _act(self, names: Sequence[bytes]) -> ActInfo:
        if not names:
            raise Refused("nothing-named", "name something")
        if ALICE in names:
            raise Conflict("too-few-stewards", "nobody could act any more")
        if NODE in names:
            raise NotFound("unknown-member", "no member has this key")
        return ActInfo(True, 1, 1, RecordId(bytes(32)))

    async def digest(self, commons: CommonsId) -> DigestInfo:
        self._check(commons)
        zeros = Hash(bytes(32))
        return DigestInfo(0, zeros, 0, 0, zeros)

    # -- entries

    def _answer(self, entry: EntryJson) -> EntryAnswer:
        return EntryAnswer(entry, named(json.dumps(entry)).hex()[:16])

    def _find(self, entry: Subject) -> EntryJson:
        if entry in self.withdrawn:
            raise EntryWithdrawn(self.withdrawn[entry], "withdrawn by alice: a double")
        if entry not in self.entries:
            raise NotFound("unknown-entry", "there is no such entry here")
        return self.entries[entry]

    def _match(self, entry: EntryJson, if_match: Sequence[str] | None) -> None:
        present = self._answer(entry)
        if if_match is not None and present.etag not in if_match:
            raise EntryChanged(present, "somebody changed it meanwhile: look again")

    def _note(self, commons: CommonsId, entry: Subject) -> None:
        self.log.append(Change(len(self.log) + 1, commons, entry))
        self._news.set()
        self._news = asyncio.Event()

    async def search(self, query: Query) -> EntryPage:
        for commons in query.commons:
            self._check(commons)
        if query.cursor is not None and not query.cursor.isdigit():
            raise Refused("bad-cursor", "start again")
        found = [
            entry
            for entry in self.entries.values()
            if query.text in str(entry["title"])
            and all(entry.get(field) == value for field, value in query.filters)
            and (not query.commons or bytes.fromhex(entry["commons"]) in query.commons)
        ]
        start = int(query.cursor or 0)
        end = start + query.limit
        facets = {
            field: tuple(FacetCount(*pair) for pair in Counter(str(entry.get(field)) for entry in found).items())
            for field in query.facets
        }
        following = f"{end:016}" if end < len(found) else None
        return EntryPage(tuple(found[start:end]), len(found), query.sort or "updated", following, facets)

    def _there(self, entry: Subject, commons: CommonsId | None) -> CommonsId:
        return CommonsId(bytes.fromhex(self._find(entry)["commons"]))

    async def get_entry(self, entry: Subject, commons: CommonsId | None = None, *, hidden: bool = False) -> EntryAnswer:
        if entry == DOWN:
            raise EntryWithheld(WithheldInfo(entry, next(iter(self.known)), NOW, "a court"))
        if entry == HIDDEN:
            if not hidden:
                raise EntryHidden(hidden_info(entry, next(iter(self.known))), "it is hidden")
            first = next(iter(self.entries.values()))
            return self._answer({**first, "id": entry.hex(), "hidden": True})
        return self._answer(self._find(entry))

    async def add_entry(self, commons: CommonsId, entry: EntryJson) -> EntryAnswer:
        self._check(commons)
        if self.known[commons].state == "waiting":
            raise Conflict("commons-waiting", "nothing of it is here yet")
        if not self.known[commons].may_write:
            raise Refused("not-a-member", "ask for an invitation")
        if "title" not in entry:
            raise FormError("bad_field", "title: is missing")
        source = entry.get("source")
        name = entry_id(commons, source) if source else Subject(named(f"entry {len(self.log)}"))
        written = {
            **entry, "id": name.hex(), "commons": commons.hex(), "created_at": rfc3339(NOW),
            "updated_at": rfc3339(NOW + len(self.log)), "authors": [did_key(ALICE)],
        }  # fmt: skip
        self.entries[name] = written
        self._note(commons, name)
        return self._answer(written)

    async def patch_entry(
        self,
        entry: Subject,
        patch: dict[str, Any],
        *,
        commons: CommonsId | None = None,
        if_match: Sequence[str] | None = None,
    ) -> EntryAnswer:
        found = self._find(entry)
        self._match(found, if_match)
        merged = {name: value for name, value in {**found, **patch}.items() if value is not None}
        self.entries[entry] = merged
        self._note(CommonsId(bytes.fromhex(found["commons"])), entry)
        return self._answer(merged)

    async def withdraw_entry(
        self,
        entry: Subject,
        reason: str | None = None,
        *,
        commons: CommonsId | None = None,
        if_match: Sequence[str] | None = None,
    ) -> Withdrawal:
        found = self._find(entry)
        self._match(found, if_match)
        of = CommonsId(bytes.fromhex(found["commons"]))
        self.withdrawn[entry] = Withdrawal(entry, of, ALICE, NOW, reason)
        self.gone[entry] = self.entries.pop(entry)
        self._note(of, entry)
        return self.withdrawn[entry]

    async def restore_entry(self, entry: Subject, *, commons: CommonsId | None = None) -> EntryAnswer:
        if entry in self.withdrawn:
            del self.withdrawn[entry]
            self.entries[entry] = self.gone.pop(entry)
            self._note(CommonsId(bytes.fromhex(self.entries[entry]["commons"])), entry)
        return await self.get_entry(entry, commons)

    async def history(
        self, entry: Subject, *, commons: CommonsId | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page[HistoryItem]:
        if entry not in self.withdrawn:
            self._find(entry)
        item = HistoryItem(RecordId(bytes(32)), ALICE, NOW, "entry.edit", (), True, {"set": {"title": "a"}})
        erased = HistoryItem(RecordId(bytes(32)), ALICE, NOW, "entry.edit", (RecordId(bytes(32)),), False, None)
        return Page((item, erased)[:limit], None if limit > 1 else "1")

    async def raw_records(
        self, entry: Subject, *, commons: CommonsId | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page[RawRecord]:
        if entry not in self.withdrawn:
            self._find(entry)
        return Page((RawRecord(RecordId(bytes(32)), Blob(b"\xffh"), None, None, Blob(b"pack")),))

    async def conflicts(
        self, commons: CommonsId | None = None, *, limit: int = 50, cursor: str | None = None
    ) -> Page[EntryJson]:
        self._check(commons)
        return Page(tuple(entry | {"conflicts": {"title": ["b"]}} for entry in self.entries.values())[:limit])

    async def batch(
        self, commons: CommonsId, lines: AsyncIterator[Sequence[bytes]]
    ) -> AsyncIterator[Sequence[BatchAnswer]]:
        self._check(commons)
        if not self.known[commons].may_write:
            raise Refused("not-a-member", "ask for an invitation")
        return self._answers(lines)

    async def _answers(self, lines: AsyncIterator[Sequence[bytes]]) -> AsyncIterator[Sequence[BatchAnswer]]:
        number = 0
        async for group in lines:
            answers = []
            for line in group:
                number += 1
                if self.batch_limit is not None and number > self.batch_limit:
                    raise RuntimeError("a fault nobody foresaw")
                if line.strip():
                    self.batch_lines.append(line)
                    answers.append(self._taken(number, line))
            yield answers

    @staticmethod
    def _taken(number: int, line: bytes) -> BatchAnswer:
        if len(line) > BATCH_LINE_BYTES_MAX:
            return BatchAnswer(number, None, False, "line-too-long", "shorten it")
        if not line.startswith(b"{"):
            return BatchAnswer(number, None, False, "bad_json", "this is not JSON")
        return BatchAnswer(number, Subject(sha256(line).digest()), b"same" in line)

    # -- changes

    async def changes(self, since: int, limit: int) -> Sequence[Change]:
        found = self.log[since : since + limit]
        self.changes_told += len(found)
        return found

    async def latest_change(self) -> int:
        return len(self.log)

    async def wait_change(self, since: int, timeout_s: float) -> bool:
        try:
            async with asyncio.timeout(timeout_s):
                while len(self.log) <= since:
                    await self._news.wait()
        except TimeoutError:
            return False
        return True

    # -- exchange and upkeep

    async def export(self, format: str, query: Query) -> Export:
        if format != "jsonl":
            raise Refused("unknown-format", "there is jsonl")
        for commons in query.commons:
            self._check(commons)

        async def chunks() -> AsyncIterator[bytes]:
            for entry in self.entries.values():
                yield json.dumps(entry).encode() + b"\n"

        return Export("application/x-ndjson", 'entries"é.jsonl', chunks())

    async def pack(self, path: Path, commons: CommonsId | None = None) -> PackInfo:
        self._check(commons)
        await asyncio.to_thread(path.write_bytes, PACK * 40_000)
        return PackInfo(7, len(PACK) * 40_000)

    async def unpack(self, path: Path) -> UnpackInfo:
        content = await asyncio.to_thread(path.read_bytes)
        if not content.startswith(PACK):
            raise FormError("not_a_pack_file", "this is no pack file")
        return UnpackInfo(tuple(self.known), len(content) // len(PACK), 1, {"bad_seal": 2})

    async def backup(self, path: Path) -> int:
        await asyncio.to_thread(path.write_bytes, b"secret")
        return 6

    async def verify(self, progress: Progress | None = None) -> VerifyInfo:
        if progress is not None:
            await asyncio.to_thread(progress, 1, 2)
        return VerifyInfo(2, 1, ("record 00: its body is not the one named",))

    async def rebuild(self, progress: Progress | None = None) -> tuple[Rebuilt, ...]:
        return tuple([Rebuilt(one, await self.digest(one), await self.digest(one)) for one in self.known])

    async def doctor(self) -> tuple[Check, ...]:
        return (Check("clock", False, "ten minutes behind", "set it"),)
