"""Write the data folders of this program's schema, to be opened by all later ones: once for each schema.

python -m tests.e2e.old.make [FOLDER]

`N` was stopped, `N-killed` was not (what it wrote last is in its log), and in `N-words` the words are kept as early
programs kept them, until a `rebuild`. People, keys and entries are made up. Who changes the schema runs this before.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any, Final
from unittest import mock

from p2pcommons.commons.query import Query
from p2pcommons.core.identity import SigningKey, did_key
from p2pcommons.core.record import CommonsId
from p2pcommons.node.local import local_client
from p2pcommons.node.watch import BUILT_MS
from p2pcommons.store import sqlite
from p2pcommons.store.database import SCHEMA_VERSION, schema
from tests.e2e.old.databases import HERE, Old
from tests.e2e.processes import NodeProcess, answer, command, equal, faults

KEPT: Final = ("catalogue.sqlite", "catalogue.sqlite-wal", "person.key", "recovery.entropy", "recovery.seen",
               "node.key", "node.place", "node.pem", "api-token")  # fmt: skip
SEARCHES: Final = ("cahier", "oeuvre", "œuvre", "lavoir", "aesop", "grenier")
LINES: Final = [
    {"type": "book", "title": f"Cahier {n}", "description": "Trouvé au grenier.", "subjects": ["grenier", f"n° {n}"],
     "source": f"grenier:{n}"} for n in range(12)
]  # fmt: skip


async def make(target: Path) -> None:
    """Write the three of them."""
    with tempfile.TemporaryDirectory() as place:
        alice, bob = NodeProcess(Path(place) / "alice"), NodeProcess(Path(place) / "bob")
        # Shortly after this program was made: no record is ahead of the clock of who opens it, ever.
        clock = faults(f"ahead={BUILT_MS + 3_600_000 - time.time_ns() // 1_000_000}")
        try:
            commons = await _live(alice, bob, clock)
            bob.kill()
            held = await _held(alice, commons)
            alice.kill()
            _write(target / f"{SCHEMA_VERSION}-killed", alice.data, held)
            alice.start(variables=clock)
            assert alice.stop() == 0
            _write(target / str(SCHEMA_VERSION), alice.data, held)
            await _with_early_words(alice.data)
            alice.start(variables=clock)
            early = await _held(alice, commons)
            assert alice.stop() == 0
            assert early["digest"] == held["digest"] and early["found"] != held["found"]
            _write(target / f"{SCHEMA_VERSION}-words", alice.data, {**early, "found_rebuilt": held["found"]})
        finally:
            alice.kill()
            bob.kill()


async def _live(alice: NodeProcess, bob: NodeProcess, clock: dict[str, str]) -> str:
    """A small commons with something of everything that this program writes."""
    alice.start(variables=clock)
    answer(alice.data, "identity", "words")
    commons = str(answer(alice.data, "commons", "create", "Vieux papiers")["id"])
    line = answer(alice.data, "commons", "invite", commons)["invitation"]
    bob.start(variables=clock)
    command(bob.data, "commons", "join", line)
    await equal([alice, bob], bytes.fromhex(commons))
    lines = alice.data.parent / "lines.jsonl"
    lines.write_text("".join(json.dumps(each) + "\n" for each in LINES))
    command(alice.data, "import", str(lines))
    made = [
        answer(alice.data, "entry", "add", "--type", kind, "--title", title)["id"]
        for kind, title in (("place", "Le lavoir"), ("book", "Œuvre complète"), ("text", "Fables d’Æsop"), ("text", "Perdu"))
    ]  # fmt: skip
    command(alice.data, "entry", "withdraw", made[3])
    await equal([alice, bob], bytes.fromhex(commons))
    bob.kill()
    command(alice.data, "entry", "edit", made[0], "--title", "Le lavoir du haut")
    alice_listens = alice.listen
    assert alice.stop() == 0
    bob.start(variables=clock)
    command(bob.data, "entry", "edit", made[0], "--title", "Le lavoir du bas")  # a conflict
    answer(bob.data, "entry", "add", "--type", "book", "--title", "De la main de Bob")
    alice.start(listen=alice_listens, variables=clock)
    command(bob.data, "peer", "add", alice_listens)
    await equal([alice, bob], bytes.fromhex(commons))
    command(alice.data, "peer", "block", did_key(SigningKey(bytes(32)).public))
    return commons


async def _held(node: NodeProcess, commons: str) -> dict[str, Any]:
    async with node.client() as client:
        everything = await client.search(Query(limit=100))
        return {
            "commons": commons,
            "person": did_key((await client.identity()).person),
            "digest": Old.told(await client.digest(CommonsId(bytes.fromhex(commons)))),
            "titles": sorted(str(entry["title"]) for entry in everything.items),
            "found": {text: (await client.search(Query(text))).total for text in SEARCHES},
        }


async def _with_early_words(data: Path) -> None:
    """The words as they were kept before they were found without ligatures, and before segments were merged later."""
    words = schema("words.sql").partition("INSERT INTO")[0]
    early = mock.patch.object(sqlite, "schema", lambda name: words if name == "words.sql" else schema(name))
    with early, mock.patch.object(sqlite, "unligated", lambda text: text):
        async with local_client(data) as commons:
            await commons.rebuild()


def _write(target: Path, data: Path, held: dict[str, Any]) -> None:
    with zipfile.ZipFile(target.with_suffix(".zip"), "x", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in KEPT:
            if (data / name).exists():
                archive.write(data / name, name)
    target.with_suffix(".json").write_text(json.dumps(held, indent=1, ensure_ascii=False) + "\n")
    print(f"{target}: {target.with_suffix('.zip').stat().st_size:,} bytes")


if __name__ == "__main__":
    asyncio.run(make(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE))
