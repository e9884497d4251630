"""What is damaged, full, forbidden or foreign: each is one clear error, and nothing that was answered is lost."""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import zipfile
from pathlib import Path

import pytest

from p2pcommons.core.record import CommonsId
from p2pcommons.errors import P2PCommonsError
from tests.e2e.judging import quiet, refused, told, unusable
from tests.e2e.processes import NodeProcess, answer, command, made_up

SEED = int(os.environ.get("P2PCOMMONS_SEED", "0")) or random.SystemRandom().randrange(1, 2**32)
DATABASE = "catalogue.sqlite"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with some hundred entries and no node running: to be copied."""
    data = tmp_path_factory.mktemp("original") / "node"
    lines = data.parent / "lines.jsonl"
    lines.write_bytes(b"".join(made_up(700)))
    command(data, "commons", "create", "Modèle", "--join", "open")
    assert answer(data, "import", str(lines))["added"] == 700
    return data


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    shutil.copytree(original, tmp_path / "node")
    return tmp_path / "node"


# -- databases


def test_a_database_of_a_newer_version_is_refused_unharmed(folder: Path) -> None:
    database = sqlite3.connect(folder / DATABASE)
    (version,) = database.execute("PRAGMA user_version").fetchone()
    database.execute(f"PRAGMA user_version={version + 1}")
    database.close()
    before = (folder / DATABASE).read_bytes()
    unusable(folder, "newer", "update p2pcommons")
    assert (folder / DATABASE).read_bytes() == before
    database = sqlite3.connect(folder / DATABASE)
    database.execute(f"PRAGMA user_version={version}")
    database.close()
    assert answer(folder, "commons", "show")["entries"] == 700


def test_a_file_that_is_no_database_is_refused_unharmed(folder: Path) -> None:
    for content in (b"Ceci n'est pas une base.\n" * 500, b"\x00" * 8192, os.urandom(20_000)):
        (folder / DATABASE).write_bytes(content)
        refused(command(folder, "search", "cahier", check=False), DATABASE)
        assert (folder / DATABASE).read_bytes() == content


def test_a_database_of_another_program_is_refused_unharmed(folder: Path) -> None:
    (folder / DATABASE).unlink()
    database = sqlite3.connect(folder / DATABASE)
    database.execute("CREATE TABLE photos (name TEXT)")
    database.commit()
    database.close()
    before = (folder / DATABASE).read_bytes()
    unusable(folder, "another program", "another data folder")
    assert (folder / DATABASE).read_bytes() == before


@pytest.mark.parametrize("part", [0.02, 0.5, 0.98])
def test_a_truncated_database_is_one_clear_error_and_a_backup_brings_it_back(
    part: float, folder: Path, tmp_path: Path
) -> None:
    backup = tmp_path / "backup"
    command(folder, "backup", str(backup))
    whole = (folder / DATABASE).stat().st_size
    with (folder / DATABASE).open("r+b") as file:
        file.truncate(int(whole * part) // 512 * 512)
    done = command(folder, "verify", check=False)
    assert done.returncode == 1 and "Traceback" not in done.stderr and "restore a backup" in done.stderr, done.stderr
    done = command(folder, "search", "cahier", check=False)
    if done.returncode:
        refused(done, "restore a backup")
    command(tmp_path / "restored", "restore", str(backup))
    assert answer(tmp_path / "restored", "verify")["faults"] == []
    assert answer(tmp_path / "restored", "commons", "show")["entries"] == 700


def test_bits_that_flip_in_a_database_are_found_or_do_no_harm(folder: Path, original: Path) -> None:
    dice = random.Random(SEED)
    print(f"seed {SEED}: set P2PCOMMONS_SEED to see it again")
    whole = (original / DATABASE).read_bytes()
    found = 0
    for _ in range(6):
        damaged = bytearray(whole)
        for _ in range(20):
            damaged[dice.randrange(4096, len(damaged))] ^= 1 << dice.randrange(8)
        (folder / DATABASE).write_bytes(damaged)
        done = command(folder, "verify", check=False)
        assert "Traceback" not in done.stderr and done.returncode in (0, 1), done.stderr
        assert len(done.stderr.splitlines()) <= 1, done.stderr
        found += done.returncode
    assert found >= 5, "damage goes unseen"  # what hits free pages hurts nobody


def test_a_wrong_hash_in_a_record_is_named_by_verify_and_the_node_still_serves(folder: Path) -> None:
    database = sqlite3.connect(folder / DATABASE)
    rows = database.execute("SELECT rowid, body FROM record WHERE body IS NOT NULL ORDER BY rowid DESC LIMIT 1")
    ((row, body),) = rows.fetchall()
    database.execute("UPDATE record SET body=? WHERE rowid=?", (body[:-1] + bytes([body[-1] ^ 1]), row))
    database.commit()
    database.close()
    done = command(folder, "--json", "verify", check=False)
    assert done.returncode == 1
    told(done.stderr, "1 faults", "backup")
    assert len(json.loads(done.stdout)["faults"]) == 1
    node = NodeProcess(folder).start()
    assert answer(folder, "commons", "show")["digest"]["bodies_missing"] == 1
    assert node.stop() == 0
    quiet(node.log())


# -- files


@pytest.mark.parametrize(
    ("mapping", "says"),
    [
        ("not json", "line 1"),
        ("[]", "object"),
        ('{"fields": {"titel": "title"}}', "titel"),
        ('{"fields": {"title": 7}}', "title"),
        ('{"fields": {"title": "name"}}', "constants"),
        ('{"fields": {"title": "name"}, "surprise": 1}', "surprise"),
        ('{"fields": {"title": "nowhere"}, "constants": {"type": "book"}}', "nowhere"),
        ('{"fields": {"title": "name"}, "constants": {"type": "book"}, "source": "x:{nowhere}"}', "nowhere"),
        ('{"fields": {"title": "name"}, "constants": {"type": "spaceship"}}', "spaceship"),
        ("[" * 100_000, "nested"),
    ],
)
def test_a_bad_mapping_is_one_line_that_names_what_is_wrong(
    mapping: str, says: str, original: Path, tmp_path: Path
) -> None:
    (tmp_path / "map.json").write_text(mapping)
    (tmp_path / "c.csv").write_text("name,year\nLavoir,1820\n")
    done = command(
        original, "import", str(tmp_path / "c.csv"), "--map", str(tmp_path / "map.json"), "--dry-run", check=False
    )
    refused(done, says)


def test_lines_that_cannot_be_taken_are_named_and_the_others_are(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "mixed.jsonl"
    file.write_bytes(
        b'{"type": "book", "title": "Bon", "source": "m:1"}\n'
        b"{nonsense\n"
        b'{"type": "spaceship", "title": "Non"}\n'
        b'{"type": "book", "titre": "Non"}\n'
        b"\n"
        b'{"type": "book", "title": "' + b"x" * 300_000 + b'"}\n'
        b"\xff\xfe\n"
        b'{"type": "book", "title": "\\ud800"}\n'
        b'{"type": "book", "title": "Bon aussi", "source": "m:2"}'
    )
    done = command(folder, "--json", "import", str(file), check=False)
    assert done.returncode == 1
    summary = json.loads(done.stdout)
    assert (summary["added"], summary["complete"]) == (2, True)
    lines = done.stderr.splitlines()
    assert "Traceback" not in done.stderr
    said = {int(line.split()[1].rstrip(":")): line for line in lines[:-1]}
    assert sorted(said) == [2, 3, 4, 6, 7, 8] and len(said) == len(lines) - 1, done.stderr
    assert "spaceship" in said[3] and "titre" in said[4]
    codes = {"bad-json": 1, "bad-field": 2, "unknown-field": 1, "line-too-long": 1, "not-utf8": 1}
    assert summary["refusals"] == codes
    assert lines[-1].startswith("p2pcommons: ") and "6 lines were refused" in lines[-1]


def test_a_catalogue_that_is_no_catalogue_is_an_error(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.jsonl.gz").write_bytes(_gzip_cut())
    (tmp_path / "noise.csv").write_bytes(os.urandom(5000))
    (tmp_path / "empty.jsonl").write_bytes(b"")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + os.urandom(5000))
    for name in ("noise.csv", "picture.png", "empty.jsonl"):
        done = command(folder, "import", str(tmp_path / name), check=False)
        assert "Traceback" not in done.stderr
        assert done.returncode == (0 if name == "empty.jsonl" else 1), done.stderr
    done = command(folder, "--json", "import", str(tmp_path / "cut.jsonl.gz"), check=False)
    refused(done)
    assert json.loads(done.stdout)["complete"] is False


def _gzip_cut() -> bytes:
    import gzip

    whole = gzip.compress(b"".join(made_up(3000, "cut")))
    return whole[: len(whole) // 2]


async def test_a_pack_file_cut_or_with_flipped_bits_harms_nothing(original: Path, tmp_path: Path) -> None:
    dice = random.Random(SEED)
    print(f"seed {SEED}: set P2PCOMMONS_SEED to see it again")
    command(original, "pack", str(tmp_path / "pack"))
    whole = (tmp_path / "pack").read_bytes()
    wanted = answer(original, "commons", "show")
    node = NodeProcess(tmp_path / "node").start()
    try:
        commons = CommonsId(bytes.fromhex(wanted["id"]))
        async with node.client() as client:
            for number in range(60):
                damaged = bytearray(whole)
                if number % 3:
                    for _ in range(dice.choice((1, 1, 5))):
                        damaged[dice.randrange(len(damaged))] ^= 1 << dice.randrange(8)
                else:
                    del damaged[dice.randrange(len(damaged)) :]
                file = tmp_path / "damaged"
                file.write_bytes(damaged)
                try:
                    taken = await client.unpack(file)
                except P2PCommonsError as error:
                    assert error.code not in ("internal", "no-answer"), (number, error)
                    assert error.detail[0].isupper() or error.detail[0] in "0123456789`", error.detail
                else:
                    assert taken.records <= wanted["records"]
            report = await client.verify()
            assert report.faults == ()
            await client.unpack(tmp_path / "pack")
            digest = await client.digest(commons)
            assert (digest.fingerprint.hex(), digest.state.hex()) == (
                wanted["digest"]["fingerprint"],
                wanted["digest"]["state"],
            )
        assert node.stop() == 0
        quiet(node.log())
    finally:
        node.kill()
    (tmp_path / "damaged").write_bytes(whole[: len(whole) // 2])
    refused(command(tmp_path / "other", "unpack", str(tmp_path / "damaged"), check=False), "copy it again")
    refused(command(tmp_path / "other", "unpack", str(tmp_path / "nowhere"), check=False), "nowhere")
    (tmp_path / "damaged").write_bytes(b"x" * 100)
    refused(command(tmp_path / "other", "unpack", str(tmp_path / "damaged"), check=False), "pack")


@pytest.mark.slow
def test_packs_carried_by_hand_give_equal_digests(original: Path, tmp_path: Path) -> None:
    wanted = answer(original, "commons", "show")
    command(original, "pack", str(tmp_path / "pack"))
    taken = answer(tmp_path / "other", "unpack", str(tmp_path / "pack"))
    assert (taken["records"], taken["new"], taken["refused"]) == (wanted["records"], wanted["records"], {})
    assert answer(tmp_path / "other", "commons", "show")["digest"] == wanted["digest"]
    again = answer(tmp_path / "other", "unpack", str(tmp_path / "pack"))
    assert again["new"] == 0
    entry = answer(tmp_path / "other", "entry", "add", "--type", "place", "--title", "Ajouté là-bas")["id"]
    command(tmp_path / "other", "pack", str(tmp_path / "back"), "--commons", wanted["id"])
    here = tmp_path / "here"
    shutil.copytree(original, here)
    answer(here, "unpack", str(tmp_path / "back"))
    assert answer(here, "entry", "show", entry)["title"] == "Ajouté là-bas"
    both = [answer(data, "commons", "show")["digest"] for data in (here, tmp_path / "other")]
    assert both[0] == both[1] and both[0]["bodies_missing"] == 0


@pytest.mark.slow
def test_a_damaged_backup_is_refused_and_leaves_the_folder_as_it_was(original: Path, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    command(original, "backup", str(backup))
    assert backup.stat().st_mode & 0o077 == 0
    whole = backup.read_bytes()
    new = tmp_path / "new"
    with zipfile.ZipFile(backup) as archive:
        at = archive.getinfo(DATABASE).header_offset
    cut, flipped = whole[: len(whole) // 2], bytearray(whole)
    flipped[at + 5000] ^= 0x10
    for damaged in (cut, bytes(flipped), b"", b"nothing of the sort", (original / DATABASE).read_bytes()):
        (tmp_path / "damaged").write_bytes(damaged)
        refused(command(new, "restore", str(tmp_path / "damaged"), check=False), str(tmp_path / "damaged"), "backup")
        assert {path.name for path in new.iterdir()} <= {"lock"}, "something was left half restored"
    with zipfile.ZipFile(tmp_path / "strange", "w") as archive:
        archive.writestr("p2pcommons-backup-1", b"")
        archive.writestr(DATABASE, b"no database at all" * 100)
        archive.writestr("../escaped", b"x")
    refused(command(new, "restore", str(tmp_path / "strange"), check=False), "backup")
    assert {path.name for path in new.iterdir()} <= {"lock"} and not (tmp_path / "escaped").exists()
    refused(command(new, "restore", str(tmp_path / "nowhere"), check=False), "nowhere")
    command(new, "restore", str(backup))
    assert answer(new, "commons", "show")["digest"] == answer(original, "commons", "show")["digest"]
    refused(command(new, "restore", str(backup), check=False), "--data")
