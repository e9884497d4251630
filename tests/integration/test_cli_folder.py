"""The command line on a folder with no node running: everything that needs no network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cli_shell import Shell

from p2pcommons.commons.invitation import parse_invitation
from p2pcommons.core.address import parse_address

WORDS = "legal winner thank year wave sausage worth useful legal winner thank yellow"


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path / "node", capsys)


def test_an_import_run_twice_adds_nothing_and_an_export_goes_in_elsewhere(
    shell: Shell, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [made] = shell.json("commons", "create", "Brest", "--language", "fr", "--territory", "29019")
    [first] = shell.json("import", "sample", "--commons", "Brest")
    [second] = shell.json("import", "sample", "--commons", made["id"])
    assert first["added"] == first["read"] == second["unchanged"] >= 60 and second["added"] == 0
    shell("entry", "add", "--type", "place", "--title", "Lavoir", "--field", "subjects=eau")
    elsewhere = Shell(tmp_path / "elsewhere", capsys)
    elsewhere("commons", "create", "There")
    for format in ("csv", "jsonl"):
        file = tmp_path / f"out.{format}"
        shell("export", "--format", format, "-o", str(file))
        [again] = elsewhere.json("import", str(file))
        assert again["read"] == again["added"] + again["unchanged"] == first["added"] + 1
        [own] = shell.json("import", str(file))
        assert (own["own"], own["unchanged"], own["added"]) == (1, first["added"], 0)
    assert len(elsewhere.json("search", "", "--limit", "1000")) == first["added"] + 1

    def fields(entry: dict[str, Any]) -> dict[str, Any]:
        mine = ("id", "commons", "created_at", "updated_at", "authors", "source")
        return {name: value for name, value in entry.items() if name not in mine}

    here = {
        entry["source"]: fields(entry) for entry in shell.json("search", "", "--limit", "1000") if "source" in entry
    }
    there = {entry["source"]: fields(entry) for entry in elsewhere.json("search", "", "--limit", "1000")}
    assert here.items() <= there.items()


def test_an_entry_is_added_changed_and_withdrawn(shell: Shell) -> None:
    shell("commons", "create", "Brest")
    name = shell(
        "entry", "add", "--type", "place", "--title", "Lavoir", "--field", "place.lat=48,4", "--field", "place.lon=-4.5"
    ).strip()
    [found] = shell.json("search", "lav", "--near", "48.4,-4.5", "--km", "1")
    assert found["id"] == name
    [changed] = shell.json("entry", "edit", name, "--title", "Le lavoir", "--clear", "place")
    assert changed["title"] == "Le lavoir" and "place" not in changed
    assert [item["kind"] for item in shell.json("entry", "history", name)] == ["entry.edit", "entry.edit"]
    shell("entry", "withdraw", name, "--reason", "doublon")
    assert "doublon" in shell("entry", "show", name, code=1)
    assert shell.json("entry", "conflicts") == []


def test_records_travel_in_a_file_and_every_hash_is_checked(
    shell: Shell, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shell("commons", "create", "Brest")
    shell("import", "sample")
    shell("pack", str(tmp_path / "p"))
    elsewhere = Shell(tmp_path / "elsewhere", capsys)
    elsewhere("unpack", str(tmp_path / "p"))
    [mine], [other] = shell.json("commons", "show"), elsewhere.json("commons", "show")
    assert mine["digest"] == other["digest"]
    assert (
        elsewhere("verify").splitlines()[-1]
        == f"{mine['digest']['records']} records, {mine['digest']['records']} bodies, 0 faults"
    )
    [rebuilt] = elsewhere.json("rebuild")
    assert rebuilt["before"] == rebuilt["after"] == mine["digest"]
    shell("backup", str(tmp_path / "b"))
    restored = Shell(tmp_path / "restored", capsys)
    restored("restore", str(tmp_path / "b"))
    [back] = restored.json("commons", "show")
    assert back["digest"] == mine["digest"] and back["member"]
    assert "already holds" in restored("restore", str(tmp_path / "b"), code=1)


def test_status_without_a_node_says_so_and_makes_nothing(shell: Shell) -> None:
    assert "p2pcommons up" in shell("status", code=1)
    assert not shell.data.exists()
    shell("commons", "create", "Brest")
    [status] = shell.json("status", code=1)
    assert status["ready"] is False and [each["name"] for each in status["commons"]] == ["Brest"]


def test_addresses_given_with_no_node_running_are_kept_for_when_one_does(
    shell: Shell, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [made] = shell.json("commons", "create", "Brest")
    out, err = shell.both("commons", "invite")
    assert "names no address" in err
    node = shell.json("identity", "show")[0]["node"].removeprefix("did:key:")
    line = replace(parse_invitation(out.strip()), addresses=(parse_address(f"{node}@192.0.2.7:7421"),)).line()
    elsewhere = Shell(tmp_path / "else where", capsys)
    assert f"p2pcommons up --data '{elsewhere.data}'" in elsewhere("commons", "join", line)
    elsewhere("commons", "follow", "ab" * 32, "--peer", "192.0.2.8:7421")
    [status] = elsewhere.json("status", code=1)
    assert [(peer["address"], peer["state"], peer["kept"]) for peer in status["peers"]] == [
        ("192.0.2.7:7421", "waiting", True), ("192.0.2.8:7421", "waiting", True),
    ]  # fmt: skip
    assert "no port" in elsewhere("commons", "follow", "cd" * 32, "--peer", "nonsense", code=1)
    assert [each["id"] for each in elsewhere.json("commons", "list")] == sorted([made["id"], "ab" * 32])


def test_an_identity_starts_from_its_words_in_an_empty_folder_only(shell: Shell) -> None:
    assert "12" in shell("identity", "restore", "legal", "winner", code=1)
    shell("identity", "restore", *WORDS.split())
    assert shell("identity", "words").strip() == WORDS
    assert "already holds" in shell("identity", "restore", *WORDS.split(), code=1)


def test_an_invitation_is_used_when_a_file_brings_the_commons(
    shell: Shell, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shell("commons", "create", "Brest")
    line, file, other = shell("commons", "invite").strip(), str(tmp_path / "pack"), Shell(tmp_path / "other", capsys)
    other("commons", "join", line)
    shell("pack", file)
    other("unpack", file)
    assert other.json("commons", "show")[0]["member"]
