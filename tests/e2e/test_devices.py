"""One person, several devices: a second one by a line, and all lost but the words."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.processes import NodeProcess, answer, command, equal


async def test_a_second_device_writes_as_the_same_person(tmp_path: Path) -> None:
    one, two = NodeProcess(tmp_path / "one"), NodeProcess(tmp_path / "two")
    try:
        one.start()
        refused = command(one.data, "identity", "device", check=False)
        assert refused.returncode == 1 and "no commons yet" in refused.stderr
        commons = answer(one.data, "commons", "create", "À moi")["id"]
        line = answer(one.data, "identity", "device")["line"]
        adopted = answer(two.data, "identity", "adopt", line)
        assert adopted["person"] != answer(one.data, "identity", "show")["person"]
        two.start()
        await equal([one, two], bytes.fromhex(commons))
        answer(two.data, "entry", "add", "--commons", commons, "--type", "book", "--title", "Écrit ailleurs")
        await equal([one, two], bytes.fromhex(commons))
        shown = answer(one.data, "commons", "show", commons)
        assert (shown["members"], shown["entries"]) == (1, 1)
        words = [answer(node.data, "identity", "words") for node in (one, two)]
        assert words[0] == words[1]
        again = command(two.data, "identity", "adopt", line, check=False)
        assert again.returncode == 1
        damaged = command(tmp_path / "three", "identity", "adopt", line[:-3], check=False)
        assert damaged.returncode == 1 and "copy it again" in damaged.stderr
    finally:
        one.kill()
        two.kill()


async def test_words_bring_a_person_back_on_an_empty_machine(tmp_path: Path) -> None:
    alice, bob, again = (NodeProcess(tmp_path / name) for name in ("alice", "bob", "again"))
    try:
        bob.start()
        commons = answer(bob.data, "commons", "create", "À nous")["id"]
        invitation = answer(bob.data, "commons", "invite", commons)["invitation"]
        alice.start()
        words = answer(alice.data, "identity", "words", "--language", "fr")
        command(alice.data, "commons", "join", invitation)
        await equal([alice, bob], bytes.fromhex(commons))
        answer(alice.data, "entry", "add", "--commons", commons, "--type", "book", "--title", "Avant")
        await equal([alice, bob], bytes.fromhex(commons))
        lost = answer(alice.data, "identity", "show")["person"]
        alice.kill()  # her laptop is gone

        restored = answer(again.data, "identity", "restore", *words)
        again.start("--follow", commons, "--peer", bob.listen)
        await equal([again, bob], bytes.fromhex(commons))
        answer(again.data, "entry", "add", "--commons", commons, "--type", "book", "--title", "Après")
        digest = await equal([again, bob], bytes.fromhex(commons))
        assert digest.entries == 2
        shown = answer(bob.data, "commons", "show", commons)
        assert shown["members"] == 2  # bob and alice: nobody new
        assert restored["person"] != answer(bob.data, "identity", "show")["person"]
        (notice,) = answer(again.data, "status")["notices"]
        assert notice["code"] == "left-behind" and notice["about"] == [lost, "À nous"], "and what to ask the stewards"
        assert "Ask the stewards" in command(again.data, "status").stdout

        alice.start("--peer", bob.listen)  # whoever found the laptop
        answer(alice.data, "entry", "add", "--commons", commons, "--type", "book", "--title", "Pas d’elle")
        assert (await equal([again, bob, alice], bytes.fromhex(commons))).entries == 3, "so it is until they act"
    finally:
        for node in (alice, bob, again):
            node.kill()
