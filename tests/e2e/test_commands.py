"""Every command through a real process: with a node running and with none, with right input and with wrong."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from p2pcommons.cli.main import COMMANDS, main
from p2pcommons.commons.invitation import parse_invitation
from p2pcommons.core.record import CommonsId, Subject
from p2pcommons.node.local import local_client
from tests.e2e.hall import furnish_hall
from tests.e2e.http_world import moderated, parted
from tests.e2e.judging import quiet, refused, started
from tests.e2e.processes import COMMAND, NodeProcess, answer, command, made_up

NOBODY = "ab" * 32
KEY = "did:key:z6MkpTHR8VNsBxYAAWHut2Geadd9jSwuBV8xRoAnwWsdvktH"
OTHER = "did:key:z6MkswdzRuwBpKoGUL2YPre4WfbTA8fGDVmNPqXWzoZqXf8J"
WORDS = "legal winner thank year wave sausage worth useful legal winner thank yellow"
BY_NAME = {each.words: each for each in COMMANDS}
OWN_TESTS = {"up", "bench"}  # they go on by themselves: see the end


class Way(NamedTuple):
    """One way to call a command. `{names}` are filled in from the world."""

    command: str
    arguments: str = ""
    says: str = ""  # a pattern in what it prints for people
    where: str = "live stopped"  # or "new": a folder of its own, with no node
    documents: int | None = 1  # how many with --json; None: a list of any length


RIGHT = [
    Way("status", "", r"here\s+\d+", "live"),
    Way(
        "commons create", "'Fours à pain' --join open --territory 29019 --language fr --language br", r"^[0-9a-f]{64}$"
    ),
    Way("commons create", "'À voter' --join vote --territory FR-29", r"^[0-9a-f]{64}$", "new"),
    Way("commons list", "", r"Brest\s+here", documents=None),
    Way("commons nearby", "", "No neighbour announces", "live", documents=0),
    Way("commons show", "Brest", r"fingerprint\s+[0-9a-f]{64}"),
    Way("commons show", "{commons}", r"name\s+Brest"),
    Way("commons follow", f"{NOBODY} --peer 127.0.0.1:9", "comes when a peer has it"),
    Way("commons unfollow", "'À quitter'", "No longer following"),
    Way("commons invite", "Brest --uses 3 --days 7", r"^p2pcommons:[\w-]+$"),
    Way("commons join", "{invitation}", "Following"),
    Way("commons create", "Photos --charter collection", r"^[0-9a-f]{64}$", "new"),
    Way("commons recipe", "Brest --out {out}", r"signed by you"),
    Way("commons create", "Puits --recipe {recipe}", r"^[0-9a-f]{64}$"),
    Way("commons fork", "Brest 'Brest libre'", r"^[0-9a-f]{64}$"),
    Way("commons lineage", "Brest", "those that you follow"),
    Way("commons criteria", "Brest", "Governed by all its users: "),
    Way("charter show", "--commons Brest --language fr", "Devenir membre"),
    Way("charter show", "--commons Brest --exact --language en", r"join: policy open; set by", "live"),
    Way("charter history", "join --commons Brest", r"join\s+[0-9a-f]{8}\s+in force", documents=None),
    Way("charter question", "review 'Plus souvent' --set months=6 --commons Brest", r"^[0-9a-f]{64}$"),
    Way("propose", "'Un banc' --commons Brest", r"^[0-9a-f]{64}$"),
    Way("vote", "{voted} for --reason 'Il en manque' --commons Halles", r"cast\. 1 of 1 have answered"),
    Way("close", "{ripe} --commons Halles", "Closed: passed"),
    Way("outcome", "{ripe} --commons Halles", r"answered\s+1 of 1"),
    Way("proposal list", "--commons Halles", r"a question\s+open\s+0 of 2\s+[0-9-]{10}\s+Un marché", documents=None),
    Way("proposal show", "{offered} --commons Halles", r"amendment +[0-9a-f]{8}(, by| \(taken\), by) z6Mk"),
    Way("proposal comment", "{offered} Et_le_puits --commons Halles", r"[0-9a-f]{64}"),
    Way("proposal discuss", "{offered} --commons Halles", r"Et_le_puits"),
    Way("proposal amend", "{amended} Mieux --commons Halles", "up to vote now"),
    Way("proposal answer", "{amendment} take --commons Halles", "Taken"),
    Way("member list", "--commons Brest", r"steward \(you\)"),
    Way("member steward", "--commons Brest --quorum 1", "Done"),
    Way("member purge", "--commons Brest --entrance {entrance} --yes", "for good"),
    Way("member remove", "--commons Gens {member} --yes", "a member no more"),
    Way("member list", "--commons Gens", r"removed 2\d{3}-.*not all they wrote counts"),
    Way("member keep", "--commons Gens {former}", "counts again"),
    Way("member admit", f"--commons Brest {KEY}", "no line to send"),
    Way("member leave", "--commons Partir --yes", "a member no more"),
    Way("organisation declare", "{member} --needed 1 --commons Ligue", r"an organisation of 1|are asked"),
    Way("member name", "Ana --commons Ligue", "You are called “Ana”"),
    Way("member list", "--commons Ligue", "“Ana”"),
    Way("organisation list", "--commons Union", r"leave.* (0|1) of 2", documents=None),
    Way("organisation approve", "{asked} --commons Union", "You have approved. 1 more to go"),
    Way("commons ask", "Brest", "a member of Brest already"),
    Way(
        "entry add",
        "--commons Brest --type place --title 'Le lavoir' --field place.lat=48,39 --field place.lon=-4.48 "
        "--field subjects=eau --field subjects=linge --field description.fr='Au bord de l’eau'",
        r"^[0-9a-f]{64}$",
    ),
    Way("entry show", "{entry}", r"title\s+Fontaine"),
    Way(
        "entry edit",
        '{edited} --title Puits --field subjects=\'["eau", "puits"]\' --clear description',
        r"title\s+Puits",
    ),
    Way("entry withdraw", "{doubled} --reason 'un doublon'", "Withdrawn"),
    Way("entry restore", "{restored}", "Shown again"),
    Way("entry show", "{hidden} --hidden", r"title\s+Mot hidden"),
    Way("entry erase", "{erased} --yes", "Erased: 1 record"),
    Way("report", "{entry} --reason spam --text 'De la réclame'", "waits for those who may hide"),
    Way("hide", "{hiding} --reason personal --commons Brest", "sees by whom and why"),
    Way("unhide", "{shown}", "Shown again"),
    Way("moderation queue", "--commons Brest", r"reported by 1: false 1"),
    Way("review", "{reported}", "1 report. The entry stays"),
    Way("moderation hidden", "--commons Brest", "Une insulte", documents=None),
    Way("host takedown", "{down} --reason 'Tribunal de Brest'", "keeps no text of it"),
    Way("host release", "{released}", "No longer withheld"),
    Way("host withheld", "--commons Brest", "Tribunal de Brest", documents=None),
    Way("block-list add", f"{KEY} --reason spam --commons Brest", "On your list"),
    Way("block-list show", "--commons Brest", r"Your list \(followed here\)", documents=None),
    Way("block-list remove", f"{KEY} --commons Brest", "Off your list"),
    Way("block-list follow", f"{OTHER} --commons Brest", "tells nobody"),
    Way("block-list unfollow", f"{OTHER} --commons Brest", "no more"),
    Way("propose", "'Trop privé' --hide {entry} --commons Brest", r"^[0-9a-f]{64}$"),
    Way("entry history", "{entry}", r"what\s+entry.edit", documents=None),
    Way("entry conflicts", "", "No conflicts", documents=None),
    Way("search", "fontai --commons {commons}", r"1 of 1 entries", documents=None),
    Way(
        "search",
        "'' --type place --tag eau --near 48.39,-4.48 --km 3 --sort title --limit 600",
        "entries",
        documents=None,
    ),
    Way("search", "nullepart", "Nothing found", documents=0),
    Way("search", "fontaine --type plase", "no type 'plase': there are collection", documents=0),
    Way("import", "sample --commons Brest", r"\d+ lines read: 0 added or changed, \d+ unchanged, 0 refused"),
    Way("import", "{csv} --map {map} --commons Brest --dry-run", "2 would be added"),
    Way("import", "{csv} --map {map} --commons Brest --format csv", "2 added or changed"),
    Way("export", "--format csv --commons Brest -o {out}", "bytes"),
    Way("export", "--format jsonl --commons Brest --query fontaine", '"Fontaine"', documents=None),
    Way("pack", "{out} --commons Brest", "records"),
    Way("unpack", "{pack}", "0 new"),
    Way("unpack", "{pack}", r"\d+ new", "new"),
    Way("peer add", "127.0.0.1:19", "dialled at every start", "live"),
    Way("peer list", "", r"127\.0\.0\.1:29", "live", documents=None),
    Way("peer remove", "127.0.0.1:39", "no longer dialled", "live"),
    Way("peer block", KEY, "Blocked", "live"),
    Way("peer unblock", KEY, "met again", "live"),
    Way("trust-clock", "", "right as it is now"),
    Way("identity show", "", r"person\s+did:key:z6Mk"),
    Way("identity words", "--language fr", r"^(\w+ ){11}\w+$"),
    Way("identity device", "", "^p2pcommons-device:"),
    Way("identity adopt", "{device}", "This device is yours now", "new"),
    Way("identity restore", WORDS, "Restored", "new"),
    Way("backup", "{out}", "private keys"),
    Way("restore", "{backup}", "Restored", "new"),
    Way("verify", "", r"^\d+ records, \d+ bodies, 0 faults$"),
    Way("rebuild", "", "the same", documents=None),
    Way("doctor", "", r"ok\s+database", "stopped", documents=None),
    Way("host unit", "--user --api 127.0.0.1:7500", r"^ExecStart=.* up .*127\.0\.0\.1:7500", "live"),
    Way("host container", "--no-lan", "^FROM ", "live"),
]

WRONG = [
    # command, arguments, what the one line names; exit code 1
    Way("status", "", "p2pcommons up", "new"),
    Way("commons create", "''", "name"),
    Way("commons create", "x --territory Bretagne", "INSEE"),
    Way("commons create", "x --language français", "fr or br"),
    Way("commons show", "nulle-part", "commons list"),
    Way("commons show", "", "beginning of its id"),
    Way("commons show", "12345678", "commons list"),
    Way("commons nearby", "", "p2pcommons up", "stopped"),
    Way("commons follow", f"{'cd' * 32} --peer nowhere", "nowhere:7421"),
    Way("commons unfollow", "nulle-part", "commons list"),
    Way("commons invite", "Brest --days 99999", "days"),
    Way("commons invite", "{waiting}", "connect to a node"),
    Way("commons join", "p2pcommons:rien", "invitation"),
    Way("commons join", "'{invitation_cut}'", "whole"),
    Way("commons recipe", "nulle-part --out {out}", "commons list"),
    Way("commons recipe", "Brest --out {folder}/no/where", "{folder}/no"),
    Way("commons recipe", "{waiting} --out {out}", "connect to a node"),
    Way("commons create", "x --recipe {csv}", "cannot be read"),
    Way("commons create", "x --recipe {folder}/nowhere", "{folder}/nowhere"),
    Way("commons create", "x --recipe {recipe} --charter collection", "not both"),
    Way("commons create", "x --recipe {recipe} --territory Bretagne", "INSEE"),
    Way("commons fork", "nulle-part Autre", "commons list"),
    Way("commons fork", "{waiting} Autre", "connect to a node"),
    Way("commons fork", "Brest ''", "name"),
    Way("commons lineage", "nulle-part", "commons list"),
    Way("commons lineage", "{waiting}", "connect to a node"),
    Way("commons criteria", "{waiting}", "connect to a node"),
    Way("charter show", "--commons nulle-part", "commons list"),
    Way("charter show", "--commons {waiting}", "connect to a node"),
    Way("charter history", "gravité --commons Brest", "charter show"),
    Way("charter question", "review x --set months=0 --commons Brest", "1 to 60"),
    Way("propose", "x --rule licence --set couleur=rouge --commons Brest", "expression"),
    Way("propose", "x --commons {waiting}", "connect to a node"),
    Way("vote", "{voted} --commons Halles", "--grade"),
    Way("vote", "{voted} consent --commons Halles", "against"),
    Way("vote", "99999999 for --commons Halles", "proposal list"),
    Way("close", f"{NOBODY} --commons Halles", "proposal list"),
    Way("outcome", "99999999 --commons Halles", "proposal list"),
    Way("proposal list", "--commons nulle-part", "commons list"),
    Way("proposal show", "99 --commons Halles", "proposal list"),
    Way("proposal comment", f"{NOBODY} x --commons Halles", "proposal list"),
    Way("proposal discuss", "99999999 --commons Halles", "proposal list"),
    Way("proposal amend", "{voted} x --set months=3 --commons Halles", "rule"),
    Way("proposal answer", f"{NOBODY} take --commons Halles", "proposal show"),
    Way("proposal answer", "99999999 take --commons Halles", "proposal show"),
    Way("vote", f"{'zz' * 32} for --commons Halles", "proposal list"),
    Way("member list", "--commons nulle-part", "commons list"),
    Way("member remove", f"--commons Brest {KEY}", "--yes"),
    Way("member remove", f"--commons Brest {KEY} --drop-words --yes", "member list"),
    Way("member remove", "--commons Brest z6Mkzzzzzzzz --yes", "member list"),
    Way("member keep", f"--commons Brest {KEY}", "member list"),
    Way("member admit", f"--commons nulle-part {KEY}", "commons list"),
    Way("commons ask", "nulle-part", "commons list"),
    Way("member leave", "--commons Brest", "--yes"),
    Way("member leave", "--commons Brest --yes", "steward"),
    Way("member name", "' Ana' --commons Ligue", "60 characters"),
    Way("organisation declare", f"{KEY} --commons Brest", "member list"),
    Way("organisation declare", "{member} --needed 2 --commons Union", "neither itself"),
    Way("organisation list", "--commons nulle-part", "commons list"),
    Way("organisation approve", "99999999 --commons Union", "organisation list"),
    Way("member purge", f"--commons Brest {KEY}", "--yes"),
    Way("member purge", f"--commons Brest {KEY} --yes", "member list"),
    Way("member steward", f"--commons Brest {KEY}", "member list"),
    Way("member steward", "--commons Brest --quorum 3", "stewards"),
    Way("entry add", "--commons Brest --type vaisseau --title x", "vaisseau"),
    Way("entry add", "--commons Brest --type place --title x --field titre=y", "titre"),
    Way("entry add", "--commons Brest --type place --title x --field place.lat=123", "lat"),
    Way("entry add", "--commons Brest --type sound --title x --field duration_s=longtemps", "duration_s"),
    Way("entry add", "--commons {waiting} --type place --title x", "connect to a node"),
    Way("entry add", "--type place --title x", "beginning of its id"),
    Way("entry show", NOBODY, "search"),
    Way("entry show", "{gone}", "perdue"),
    Way("entry edit", "{entry}", "--title"),
    Way("entry edit", "{entry} --field nulle=part", "nulle"),
    Way("entry edit", f"{NOBODY} --title x", "search"),
    Way("entry withdraw", "{gone}", "perdue"),
    Way("entry restore", NOBODY, "search"),
    Way("entry show", "{hidden}", "--restore"),
    Way("entry show", "{down}", "Tribunal de Brest"),
    Way("host takedown", f"{NOBODY} --reason x", "search"),
    Way("host release", "{entry}", "host withheld"),
    Way("host withheld", "--commons nulle-part", "commons list"),
    Way("entry erase", "{entry}", "--yes"),
    Way("entry erase", f"{NOBODY} --yes", "search"),
    Way("report", f"{NOBODY} --reason spam", "search"),
    Way("hide", f"{NOBODY} --reason spam", "search"),
    Way("unhide", "{entry}", "nothing to undo"),
    Way("review", "{edited}", "moderation queue"),
    Way("moderation queue", "--commons nulle-part", "commons list"),
    Way("moderation hidden", "--commons {waiting}", "connect to a node"),
    Way("block-list show", "--commons nulle-part", "commons list"),
    Way("block-list add", "quelqu’un --commons Brest", "key"),
    Way("block-list remove", "quelqu’un --commons Brest", "key"),
    Way("block-list follow", "quelqu’un --commons Brest", "key"),
    Way("block-list unfollow", f"{OTHER} --commons nulle-part", "commons list"),
    Way("propose", f"x --hide {NOBODY} --commons Brest", "search"),
    Way("entry history", NOBODY, "search"),
    Way("entry conflicts", "--commons nulle-part", "commons list"),
    Way("search", "x --commons nulle-part", "commons list"),
    Way("import", "{out}.csv --commons Brest", "out.csv"),
    Way("import", "{folder} --commons Brest", "irectory"),
    Way("import", "{csv} --commons Brest --format epub", "jsonl"),
    Way("import", "sample --commons nulle-part", "commons list"),
    Way("import", "http://127.0.0.1:9/x.csv --commons Brest", "127.0.0.1:9"),
    Way("export", "--format epub", "jsonl"),
    Way("export", "-o {folder}/no/where", "{folder}/no"),
    Way("export", "-o {folder}", "{folder}"),
    Way("pack", "{folder}/no/where", "{folder}/no"),
    Way("unpack", "{csv}", "pack"),
    Way("unpack", "{folder}/nowhere", "{folder}/nowhere"),
    Way("peer add", "nowhere", "nowhere:7421", "live"),
    Way("peer add", "127.0.0.1:0x50", "127.0.0.1:0x50", "live"),
    Way("peer add", "127.0.0.1:19", "p2pcommons up", "new"),
    Way("peer list", "", "p2pcommons up", "stopped"),
    Way("peer remove", "127.0.0.1:49", "peer list", "live"),
    Way("peer block", "quelqu’un", "key", "live"),
    Way("peer unblock", "quelqu’un", "key", "live"),
    Way("peer unblock", OTHER, "not blocked", "live"),
    Way("identity words", "--language xx", "fr"),
    Way("identity device", "", "no commons yet", "new"),
    Way("identity adopt", "{device}", "--data"),
    Way("identity adopt", "p2pcommons-device:rien", "copy it again", "new"),
    Way("identity adopt", "{invitation}", "p2pcommons-device:", "new"),
    Way("identity restore", WORDS, "--data"),
    Way("identity restore", "legal winner thank", "12", "new"),
    Way("identity restore", WORDS.replace("yellow", "wave"), "paper", "new"),
    Way("backup", "{folder}/no/where", "{folder}/no"),
    Way("restore", "{backup}", "--data", "stopped"),
    Way("restore", "{csv}", "backup", "new"),
    Way("restore", "{folder}/nowhere", "{folder}/nowhere", "new"),
    *(
        Way(name, "", "{csv}", "file")  # a data folder that is a file
        for name in ("commons list", "identity show", "trust-clock", "verify", "rebuild", "doctor")
    ),
]

USAGE = [
    "commons create",
    "commons create x --join jamais",
    "commons follow nulle-part",
    "commons follow",
    "commons invite --uses 0",
    "commons join",
    "commons recipe Brest",
    "member name",
    "organisation declare",
    "organisation approve",
    "member remove",
    f"member remove {KEY} --keep-words --drop-words",
    "member keep",
    "member admit",
    "commons fork Brest",
    "propose",
    "vote 1234 yes",
    "charter question review x --set months",
    "proposal answer 1234 perhaps",
    "entry add --title x",
    "entry show xyz",
    "report",
    f"hide {NOBODY}",
    f"hide {NOBODY} --reason ennui",
    "entry show",
    "search --near Brest",
    "search --near 48.39,-4.49 --km -1",
    "search --limit 0",
    "search --sort taille",
    "import",
    "pack",
    "restore",
    "up --api 7420",
    "up --api 127.0.0.1:99999",
    "up --listen ::1:7421",
    "peer add",
    "bench --entries beaucoup",
    "host unit --api 7420",
    "host container --listen x",
    "nonsense",
    "commons nonsense",
    "--data",
    "",
    "commons",
]


class World(NamedTuple):
    """Two folders that hold the same, one with a node running, and files to name."""

    live: NodeProcess
    stopped: Path
    names: dict[str, str]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    place = tmp_path_factory.mktemp("world")
    node = NodeProcess(place / "live").start()
    try:
        names = asyncio.run(_furnish(node, place))
        assert node.stop() == 0
        shutil.copytree(node.data, place / "stopped")
        node.start()
        yield World(node, place / "stopped", names)
        assert node.stop() == 0
        quiet(node.log())
    finally:
        node.kill()


async def _furnish(node: NodeProcess, place: Path) -> dict[str, str]:
    async with node.client() as client:
        async with local_client(place / "bob") as bob:
            hall = await furnish_hall(client, bob, place)
        other = await client.create_commons("Ailleurs")
        invitation = (await client.invite(other.id)).invitation
        await client.unfollow(other.id)
        await client.create_commons("À quitter")
        commons = (await client.create_commons("Brest", join="open")).id
        waiting = (await client.follow(CommonsId(b"\xee" * 32))).id

        async def add(title: str, **more: Any) -> str:
            entry = {
                "type": "place",
                "title": title,
                "place": {"lat": 48.39, "lon": -4.48},
                "subjects": ["eau"],
                **more,
            }
            return str((await client.add_entry(commons, entry)).entry["id"])

        names = {name: await add(name) for name in ("edited", "doubled", "gone", "restored")}
        names["entry"] = await add("Fontaine", description="Une fontaine")
        for name in ("gone", "restored"):
            await client.withdraw_entry(Subject(bytes.fromhex(names[name])), "perdue")
        for port in (29, 39):
            await client.add_peer(f"127.0.0.1:{port}")
        names |= await moderated(client, commons)
        names |= await parted(client, place)
        await client.recovery_words()
        device = await client.add_device()
        entrance = parse_invitation((await client.invite(commons)).invitation).invite
        assert entrance is not None
        await client.pack(place / "pack", commons)
        (place / "recipe.zip").write_bytes((await client.recipe(commons)).content)
        await client.backup(place / "backup")
    command(node.data, "import", "sample", "--commons", "Brest")
    (place / "c.csv").write_text("name,year\nCalvaire,1820\nCroix,1640\n")
    (place / "map.json").write_text(
        json.dumps(
            {"fields": {"title": "name", "created": "year"}, "constants": {"type": "place"}, "source": "croix:{name}"}
        )
    )
    names |= hall
    return names | {
        "commons": commons.hex(),
        "waiting": waiting.hex(),
        "entrance": entrance.hex(),
        "invitation": invitation,
        "device": device,
        "invitation_cut": invitation[: len(invitation) // 2],
        "pack": str(place / "pack"),
        "recipe": str(place / "recipe.zip"),
        "backup": str(place / "backup"),
        "csv": str(place / "c.csv"),
        "map": str(place / "map.json"),
        "folder": str(place),
    }


def called(*words: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "P2PCOMMONS_DATA"}
    return subprocess.run([*COMMAND, *words], capture_output=True, text=True, timeout=120, env=environment)


def cases(table: list[Way]) -> list[Any]:
    return [
        pytest.param(way, where, id=f"{way.command} {way.arguments[:30]} ({where})")
        for way in table
        for where in way.where.split()
    ]


def place_of(world: World, where: str, tmp_path: Path) -> Path:
    return {
        "live": world.live.data,
        "stopped": world.stopped,
        "new": tmp_path / "new",
        "file": Path(world.names["csv"]),
    }[where]


def filled(way: Way, world: World, tmp_path: Path) -> list[str]:
    names = {**world.names, "out": str(tmp_path / "out")}
    return [word.format(**names) if "{" in word and '"' not in word else word for word in shlex.split(way.arguments)]


def test_the_tables_know_every_command() -> None:
    assert {way.command for way in RIGHT} | OWN_TESTS == set(BY_NAME)
    wrong = {way.command for way in WRONG} | {" ".join(line.split()[:words]) for line in USAGE for words in (1, 2)}
    assert set(BY_NAME) <= wrong


@pytest.mark.parametrize(("way", "where"), cases(RIGHT))
def test_a_command_does_what_it_says(way: Way, where: str, world: World, tmp_path: Path) -> None:
    data = place_of(world, where, tmp_path)
    words = [*way.command.split(), *filled(way, world, tmp_path)]
    if where == "stopped":  # for programs, with the options behind the command
        done = called(*words, "--json", "--data", str(data))
        assert done.returncode == 0, done.stderr
        documents = [json.loads(line) for line in done.stdout.splitlines()]
        assert way.documents is None or len(documents) == way.documents, done.stdout
    else:  # for people, with the options before
        done = called("--data", str(data), *words)
        assert done.returncode == 0, done.stderr
        assert re.search(way.says, done.stdout, re.MULTILINE), done.stdout
    assert "Traceback" not in done.stderr and len(done.stderr.splitlines()) <= 1, done.stderr


@pytest.mark.parametrize(
    "way", [pytest.param(way, id=way.command) for way in RIGHT if way.where != "new" and "stopped" not in way.where]
)
def test_a_command_that_needs_a_node_prints_json_too(way: Way, world: World, tmp_path: Path) -> None:
    if way.command == "peer remove":
        command(world.live.data, "peer", "add", "127.0.0.1:39")
    done = called("--json", "--data", str(world.live.data), *way.command.split(), *filled(way, world, tmp_path))
    assert done.returncode == 0, done.stderr
    documents = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(documents) == way.documents or way.documents is None


@pytest.mark.parametrize(("way", "where"), cases(WRONG))
def test_a_command_that_cannot_be_done_says_why_in_one_line(way: Way, where: str, world: World, tmp_path: Path) -> None:
    data = place_of(world, where, tmp_path)
    words = [*way.command.split(), *filled(way, world, tmp_path)]
    done = called("--data", str(data), *words, *(["--json"] if where == "stopped" else []))
    refused(done, way.says.format(**world.names))
    assert done.stdout == "" and not (tmp_path / "out").exists()


@pytest.mark.parametrize("line", [*USAGE, *(f"{name} --unheard-of" for name in BY_NAME)])
def test_wrong_usage_is_exit_code_2_and_shows_the_usage(line: str, tmp_path: Path) -> None:
    environment = {**os.environ, "P2PCOMMONS_DATA": str(tmp_path / "never")}
    done = subprocess.run([*COMMAND, *line.split()], capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 2, done.stderr
    assert done.stdout == "" and done.stderr.startswith("usage: ") and "Traceback" not in done.stderr
    assert not (tmp_path / "never").exists()


def test_help_and_version_stand_everywhere_and_tell_of_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    def shown(*words: str) -> str:
        with pytest.raises(SystemExit) as ended:
            main(words)
        said = capsys.readouterr()
        assert (ended.value.code, said.err) == (0, ""), words
        return said.out

    whole = called("--help").stdout
    for name, each in BY_NAME.items():
        group = whole if " " not in name else shown(name.split()[0], "--help")
        assert re.search(rf"^ +{name.split()[-1]}( |$)", group, re.MULTILINE) and each.summary[:20] in group
        assert shown(*name.split(), "--help").startswith("usage: ")
        assert shown(*name.split(), "--version").startswith("p2pcommons ")
    assert called("search", "--version").stdout == called("--version").stdout
    for hidden in ("media", "loan", "ledger", "thank"):
        assert not re.search(rf"^ +{hidden} ", whole, re.MULTILINE), f"{hidden} is told of before it is there"


# -- what words in the table cannot say


def test_what_one_command_writes_another_reads(world: World, tmp_path: Path) -> None:
    data = world.live.data
    entry = answer(
        data, "entry", "add", "--commons", "Brest", "--type", "recipe", "--title", "Far", "--field", "title.br=Farz"
    )
    assert answer(data, "entry", "show", entry["id"])["title"] == entry["title"]
    answer(data, "entry", "edit", entry["id"], "--field", "title.br=Farz dindan", "--field", "licence=CC-BY-SA-4.0")
    changed = answer(data, "entry", "show", entry["id"])
    assert changed["title"]["br"] == "Farz dindan" and changed["licence"] == "CC-BY-SA-4.0"
    found = command(data, "--json", "search", '"farz dindan"', "--licence", "CC-BY-SA-4.0").stdout
    assert json.loads(found)["id"] == entry["id"]
    kinds = [
        json.loads(line)["body"]
        for line in command(data, "--json", "entry", "history", entry["id"]).stdout.splitlines()
    ]
    assert len(kinds) == 2 and kinds[0]["set"]["title.br"] == "Farz dindan"
    answer(data, "entry", "withdraw", entry["id"], "--reason", "essai")
    assert command(data, "--json", "search", '"farz dindan"').stdout == ""
    refused(command(data, "entry", "show", entry["id"], check=False), "essai", "did:key:")


@pytest.mark.slow
def test_what_is_exported_comes_in_elsewhere_and_twice_is_once(world: World, tmp_path: Path) -> None:
    there = tmp_path / "there"
    command(there, "commons", "create", "Copie")
    for format in ("jsonl", "csv"):
        out = tmp_path / f"out.{format}"
        written = answer(world.stopped, "export", "--format", format, "--commons", "Brest", "-o", str(out))
        assert written["bytes"] == out.stat().st_size and not list(tmp_path.glob("*.partial"))
        assert command(world.live.data, "import", str(out), "--commons", "Brest").returncode == 0
        first = answer(there, "import", str(out))
        again = answer(there, "import", str(out))
        assert (again["added"], again["refused"], again["read"]) == (0, 0, first["read"])
    piped = subprocess.run(
        [*COMMAND, "--data", str(there), "--json", "import", "-", "--format", "jsonl"],
        input=b"".join(made_up(3, "tube")),
        capture_output=True,
        timeout=120,
    )
    assert json.loads(piped.stdout)["added"] == 3, piped.stderr


def test_strange_texts_come_back_whole_and_never_command_the_terminal(world: World) -> None:
    title = "Évier \x1b[31m rouge\u202e ⛲ 水"
    entry = answer(world.live.data, "entry", "add", "--commons", "Brest", "--type", "place", "--title", title)
    assert answer(world.live.data, "entry", "show", entry["id"])["title"] == title
    shown = command(world.live.data, "entry", "show", entry["id"]).stdout
    assert "\x1b" not in shown and "\u202e" not in shown and "⛲ 水" in shown


def test_output_that_the_terminal_cannot_write_is_no_crash(world: World) -> None:
    environment = {**os.environ, "LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    for json_too in ([], ["--json"]):
        words = [*COMMAND, "--data", str(world.live.data), "commons", "list", *json_too]
        done = subprocess.run(words, capture_output=True, timeout=120, env=environment)
        assert (done.returncode, done.stderr) == (0, b"")
    names = [json.loads(line)["name"] for line in done.stdout.decode("ascii").splitlines()]
    assert "Fours à pain" in names or "Brest" in names


def test_up_says_where_it_is_and_ends_when_told(tmp_path: Path) -> None:
    words = (
        "up",
        "--api",
        "127.0.0.1:0",
        "--listen",
        "127.0.0.1:0",
        "--no-lan",
        "--peer",
        "127.0.0.1:9",
        "--follow",
        NOBODY,
    )
    with started(tmp_path / "n", *words) as process:
        assert process.stdout is not None
        said = ""
        while "Ctrl-C" not in said:
            line = process.stdout.readline()
            assert line, process.communicate()
            said += line
        assert re.search(r"http://127\.0\.0\.1:\d+/", said)
        assert [each["id"] for each in answer(tmp_path / "n", "status")["commons"]] == [NOBODY]
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
    for wrong, says in ((("--follow", "xyz"), "xyz"), (("--peer", "xyz"), "xyz:7421")):
        refused(command(tmp_path / "n", *words[:6], *wrong, check=False), says)


@pytest.mark.slow
def test_the_bench_measures_and_prints_a_table_or_json(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "P2PCOMMONS_DATASETS"}
    words = ("bench", "--entries", "300", "--runs", "1", "--json")
    done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, timeout=300, env=environment)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    told = json.loads(done.stdout)
    figures = {each["key"]: each["measured"] for each in told["figures"]}
    asked_for = (
        "import", "first-sync", "wire-plain", "wire-compressed", "first-sync-memory", "nothing-bytes", "nothing-trips",
        "handshake", "new-works", "new-written", "live-median", "live-p99", "start-300", "rest-300", "search-p99-300",
        "facets-p99-300", "disk-300", "difference-bytes-100-10000", "difference-cpu-1000-10000",
    )  # fmt: skip
    assert not [key for key in asked_for if not figures[key] > 0]
    # Of these nothing depends on how busy the machine is.
    assert figures["nothing-bytes"] <= 200 and figures["nothing-trips"] == 1
    assert figures["wire-plain"] <= 1.05 and figures["new-works"] <= 1.1
    assert {row[1] for row in told["choices"]} >= {"sketch", "ranges", "stream", "lists"}
