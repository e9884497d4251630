"""An assembly on the command line: what members read of it, and how they name people, proposals and amendments."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
from cli_shell import Shell

GRADES = ("charter", "question", "decide.text", "Let us grade", "--set", "mode=judgment")


class Village(NamedTuple):
    """Alice, who founded it, and Bob; they bring each other pack files."""

    alice: Shell
    bob: Shell
    file: Path

    def meet(self) -> None:
        """Both have all that the other has."""
        for giver, taker in ((self.alice, self.bob), (self.bob, self.alice)):
            giver("pack", str(self.file))
            taker("unpack", str(self.file))

    def decide(self, proposal: str, *choice: str) -> None:
        """Both vote the same and close it."""
        for each in (self.alice, self.bob):
            self.meet()
            each("vote", proposal, *choice)
        for each in (self.bob, self.alice):
            self.meet()
            each("close", proposal)
        self.meet()


@pytest.fixture
def village(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Village:
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")
    found = Village(Shell(tmp_path / "alice", capsys), Shell(tmp_path / "bob", capsys), tmp_path / "pack")
    found.alice("commons", "create", "Village", "--charter", "association")
    found.bob("commons", "join", found.alice("commons", "invite").strip())
    found.meet()
    return found


def proposed(shell: Shell, *words: str) -> str:
    """The id that a command prints, which is all of it: what follows is said beside it."""
    said, beside = shell.both(*words)
    assert len(said.strip()) == 64 and len(beside.splitlines()) == 1
    assert f"p2pcommons vote {said[:8]} " in beside
    return said.strip()


def key_of(shell: Shell) -> str:
    return str(shell.json("identity", "show")[0]["person"]).removeprefix("did:key:")


def test_a_proposal_on_a_rule_says_how_it_would_read_and_what_changes(village: Village) -> None:
    alice, bob = village.alice, village.bob
    proposal = proposed(alice, *GRADES)
    village.meet()
    shown = bob("proposal", "show", proposal[:8])
    assert "is decided by majority judgment: every member grades" in shown
    assert "mode from majority to judgment\n" in shown and "days from" not in shown
    assert "at least 2/3 of the votes for and against" in shown
    assert f"You have not voted: p2pcommons vote {proposal[:8]} for" in shown
    assert f"by           {key_of(alice)[:16]}\n" in shown and f"{key_of(bob)[:16]} (you)" in shown
    worded = proposed(alice, "charter", "question", "review", "Clearer", "--words", "We look again after {months}.")
    assert "We look again after 12." in alice("proposal", "show", worded)


def test_a_proposal_that_changes_nothing_of_its_rule_says_so(village: Village) -> None:
    for words in (("charter", "question", "review", "As it is"), ("propose", "As it is", "--rule", "review")):
        said, beside = village.alice.both(*words)
        assert beside.startswith("It keeps the rule as it is, as neither --set nor --words was given.")
        assert "nothing: it stays as it is" in village.alice("proposal", "show", said.strip())
    assert "keeps" not in village.alice.both(*GRADES)[1]


def test_amendments_are_named_by_a_beginning_and_ballots_before_them_lapse(village: Village) -> None:
    alice, bob = village.alice, village.bob
    proposal = proposed(alice, "propose", "A bench")
    alice("vote", proposal, "for")
    village.meet()
    offered, beside = bob.both("proposal", "amend", proposal, "Two benches")
    assert f"p2pcommons proposal answer {offered[:8]} take" in beside
    village.meet()
    assert f"p2pcommons proposal answer {offered[:8]} take" in alice("proposal", "show", proposal)
    assert "short" in alice("proposal", "answer", offered[:3], "take", code=1)
    assert "No amendment begins with '99999999'" in alice("proposal", "answer", "99999999", "take", code=1)
    proposed(bob, "propose", "Take it", "--amendment", offered[:8])
    assert "have lapsed" in alice("proposal", "answer", offered[:8].upper(), "take")
    shown = alice("proposal", "show", proposal)
    assert "none on this text: yours was on another, and has lapsed" in shown and "answer it" not in shown
    assert f"amendment {offered[:8]} (taken), by {key_of(bob)[:16]}: Two benches" in shown
    assert "no: it is on another text" in alice("outcome", proposal)


def test_people_are_named_by_the_beginning_of_their_key(village: Village) -> None:
    alice, bob = village.alice, village.bob
    key = key_of(bob)
    assert f"{key[:16]} will be a member no more" in alice("member", "remove", key[:12], code=1)
    assert "at least 8 characters" in alice("member", "remove", "z6Mk", "--yes", code=1)
    assert "member list" in alice("member", "remove", "z6Mkzzzzzzzz", "--yes", code=1)
    assert f"person       {key[:16]}\n" in alice(
        "proposal", "show", proposed(alice, "propose", "Out", "--remove", f"did:key:{key[:10]}")
    )
    alice("member", "remove", key[:16], "--yes")
    assert "removed" in alice("member", "list")
    assert "former member" in alice("member", "keep", key[:16], code=1)  # she saw all that he wrote


def test_what_is_no_id_is_refused_in_one_line_with_what_to_do(village: Village) -> None:
    for named, says in (("z" * 64, "proposal list"), ("abc", "at least 4 characters"), ("9999", "proposal list")):
        for words in (("vote", named, "for"), ("close", named), ("outcome", named), ("proposal", "show", named)):
            assert says in village.alice(*words, code=1)
    assert "proposal show" in village.alice("proposal", "answer", "z" * 64, "take", code=1)


def test_a_judgment_has_five_grades_by_default_and_shows_why_who_won(village: Village) -> None:
    alice, bob = village.alice, village.bob
    village.decide(proposed(alice, *GRADES), "for")
    assert "--option ONE" in bob("propose", "Where?", code=1)
    where = proposed(bob, "propose", "Where?", "--option", "quay", "--option", "the well", "--option", "hill")
    assert bob.json("proposal", "show", where)[0]["grades"] == 5
    shown = bob("proposal", "show", where)
    assert "--grade quay=2 --grade 'the well'=2 …" in shown and "from 0, the lowest, to 4" in shown
    alice_says = ("--grade", "quay=4", "--grade", "the well=2", "--grade", "hill=1")
    village.meet()
    alice("vote", where, *alice_says)
    village.meet()
    assert "closers close it now, by: p2pcommons close" in bob(
        "vote", where, "--grade", "quay=1", "--grade", "the well=2", "--grade", "hill=1"
    )
    out = bob("outcome", where)
    assert "it would pass: the well is the best" in out and "you are one of its closers" in out
    assert "quay is before hill: with 1 ballot of the middle grade set aside of each, its middle grade is 4" in out
    bob("close", where)
    village.meet()
    assert "Closed: passed, and in force." in alice("close", where)
    assert "passed    the well is the best" in alice("outcome", where)


def test_where_several_commons_fit_they_are_named(village: Village) -> None:
    village.alice("entry", "add", "--type", "place", "--title", "Slipway")
    fork = village.alice("commons", "fork", "Village", "Village, freely").strip()
    said = village.alice("proposal", "list", code=1)
    assert f"Village, freely ({fork[:8]})" in said and "Village (" in said
    assert "since the founding" in village.alice("charter", "history", "--commons", "Village, freely")
    assert "in force" in village.alice("charter", "history", "review", "--commons", fork[:8])
    found = village.alice("search", "slipway")
    assert found.startswith("id ") and found.splitlines()[0].endswith("commons")
    assert sorted(line.rpartition("  ")[2] for line in found.splitlines()[1:3]) == ["Village", "Village, freely"]
    assert village.alice("search", "slipway", "--commons", fork).splitlines()[0].endswith("place")
