"""Records, documents and rows for the tests of stores."""

from collections.abc import Sequence
from hashlib import sha256

from p2pcommons.core.encoding import encode
from p2pcommons.core.identity import SigningKey
from p2pcommons.core.record import ZEROS, CommonsId, Plane, Record, Subject, build
from p2pcommons.core.seal import Seal, Sealed, seal
from p2pcommons.store import MemoryStore, SqliteStore
from p2pcommons.sync.storage import Document, EntryRow

AnyStore = MemoryStore | SqliteStore
ALICE = SigningKey(b"a" * 32)
BOB = SigningKey(b"b" * 32)
OURS = CommonsId(sha256(b"ours").digest())
THEIRS = CommonsId(sha256(b"theirs").digest())


def subject(name: object) -> Subject:
    return Subject(sha256(f"subject {name}".encode()).digest())


def record(
    number: int,
    *,
    commons: bytes = OURS,
    plane: int = Plane.CATALOGUE,
    key: SigningKey = ALICE,
    about: bytes | None = None,
    time: int | None = None,
) -> Record:
    return build(
        commons=commons,
        plane=plane,
        author=key.public,
        after=ZEROS,
        time=1_700_000_000_000 << 16 | number if time is None else time,
        subject=subject(number) if about is None else about,
        prev=[],
        kind="entry.edit",
        body={"set": {"title": f"Entry {number}", "type": "image"}},
        salt=bytes([number % 256]) * 16,
    )


def sealed(records: Sequence[Record], key: SigningKey = ALICE) -> tuple[Seal, list[Sealed]]:
    return seal(key, records)


def put(store: AnyStore, records: Sequence[Record], key: SigningKey = ALICE, commons: CommonsId = OURS) -> list[Sealed]:
    _, made = sealed(records, key)
    with store.transaction():
        store.put_records(commons, made, {})
    return made


def document(title: str = "", **fields: object) -> Document:
    values: dict[str, object] = {
        "type": "image", "title": title, "creators": "", "subjects": "", "text": "", "facets": (("type", "image"),),
        "sort_title": title.casefold(), "created": 1, "updated": 1, "latitude": None, "longitude": None,
    }  # fmt: skip
    return Document(**(values | fields))  # type: ignore[arg-type]


def row(name: object, shown: Document | None, *, conflicts: bool = False) -> EntryRow:
    view = encode({"conflicts": {"title": ["x"]} if conflicts else {}, "name": str(name)})
    return EntryRow(subject(name), view, None, sha256(view).digest(), shown)


def show(store: AnyStore, rows: Sequence[EntryRow], commons: CommonsId = OURS) -> None:
    with store.transaction():
        store.follow(commons)
        store.put_entries(commons, rows)
