"""The command line: every command in the table, its exit codes, what it prints, and imports of any length."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommons.cli import connection
from p2pcommons.cli.importing import Import, LineNumbers, Summary
from p2pcommons.cli.main import COMMANDS, build_parser, main
from p2pcommons.cli.output import Output, printable
from p2pcommons.core.record import CommonsId, Subject
from p2pcommons.errors import NotFound, P2PCommonsError
from p2pcommons.formats import read
from p2pcommons.node.values import BatchAnswer, CommonsInfo, EntryAnswer, EntryPage

HERE = CommonsInfo(CommonsId(b"\x01" * 32), "here", name="Brest")
THERE = CommonsInfo(CommonsId(b"\x12" * 32), "waiting")
PROMISED = [
    "up",
    "status",
    "commons-create",
    "commons-list",
    "commons-nearby",
    "commons-show",
    "commons-follow",
    "commons-unfollow",
    "commons-invite",
    "commons-ask",
    "commons-join",
    "commons-recipe",
    "commons-fork",
    "commons-lineage",
    "commons-criteria",
    "charter-show",
    "charter-history",
    "charter-question",
    "member-list",
    "member-name",
    "member-admit",
    "member-leave",
    "member-remove",
    "member-keep",
    "member-purge",
    "member-steward",
    "organisation-declare",
    "organisation-list",
    "organisation-approve",
    "propose",
    "vote",
    "close",
    "outcome",
    "proposal-list",
    "proposal-show",
    "proposal-discuss",
    "proposal-comment",
    "proposal-amend",
    "proposal-answer",
    "entry-add",
    "entry-show",
    "entry-edit",
    "entry-withdraw",
    "entry-restore",
    "entry-erase",
    "entry-history",
    "report",
    "hide",
    "unhide",
    "review",
    "moderation-queue",
    "moderation-hidden",
    "block-list-show",
    "block-list-add",
    "block-list-remove",
    "block-list-follow",
    "block-list-unfollow",
    "entry-conflicts",
    "search",
    "import",
    "export",
    "pack",
    "unpack",
    "peer-add",
    "peer-list",
    "peer-remove",
    "peer-block",
    "peer-unblock",
    "trust-clock",
    "identity-show",
    "identity-words",
    "identity-device",
    "identity-adopt",
    "identity-restore",
    "backup",
    "restore",
    "verify",
    "rebuild",
    "doctor",
    "bench",
    "host-takedown",
    "host-release",
    "host-withheld",
    "host-unit",
    "host-container",
]


class FakeVerbs:
    """Verbs that remember what they were asked."""

    def __init__(
        self, followed: Sequence[CommonsInfo] = (HERE,), eager: bool = False, answers_max: int = 10**9
    ) -> None:
        self.answers_max = answers_max  # then it falls silent
        self.followed = tuple(followed)
        self.asked: list[Any] = []
        self.lines: list[bytes] = []
        self.eager = eager  # takes all lines before it answers one

    async def list_commons(self) -> tuple[CommonsInfo, ...]:
        return self.followed

    async def add_entry(self, commons: CommonsId, entry: dict[str, Any]) -> EntryAnswer:
        self.asked.append((commons, entry))
        return EntryAnswer({**entry, "id": "ab" * 32}, "tag")

    async def patch_entry(self, entry: Subject, patch: dict[str, Any], **_: Any) -> EntryAnswer:
        self.asked.append(patch)
        return EntryAnswer({"id": entry.hex(), "title": "new"}, "tag")

    async def get_entry(self, entry: Subject, commons: CommonsId | None = None, *, hidden: bool = False) -> EntryAnswer:
        raise NotFound("unknown-entry", "No entry\nof this id is here. Look for it: p2pcommons search")

    async def search(self, query: Any) -> EntryPage:
        self.asked.append(query)
        start = int(query.cursor or 0)
        items = tuple({"id": f"{n:064x}", "type": "text", "title": f"n{n}"} for n in range(start, start + query.limit))
        return EntryPage(items, 1200, "updated", str(start + query.limit))

    async def batch(
        self, commons: CommonsId, lines: AsyncIterator[Sequence[bytes]]
    ) -> AsyncIterator[Sequence[BatchAnswer]]:
        async def answers() -> AsyncIterator[Sequence[BatchAnswer]]:
            if self.eager:
                await asyncio.sleep(0)
                held = [list(group) async for group in lines]
                groups: list[list[bytes]] = held
                for group in groups:
                    yield [self._answer(line) for line in group]
            else:
                async for group in lines:
                    yield [self._answer(line) for line in group]
                    if len(self.lines) >= self.answers_max:
                        return

        return answers()

    def _answer(self, line: bytes) -> BatchAnswer:
        self.lines.append(line)
        entry = json.loads(line)
        if "title" not in entry:
            return BatchAnswer(len(self.lines), None, code="missing-field", detail="an entry needs a title")
        return BatchAnswer(len(self.lines), Subject(b"\0" * 32), unchanged=entry["title"] == "same")


@pytest.fixture
def verbs(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeVerbs]:
    fake = FakeVerbs()

    @asynccontextmanager
    async def connected(data: Path, *, live: bool = False) -> AsyncIterator[Any]:
        fake.asked.append(data)
        yield fake

    monkeypatch.setattr(connection, "connected", connected)
    yield fake


# -- the table


def test_every_promised_command_is_there_and_no_other() -> None:
    assert sorted(command.words.replace(" ", "-") for command in COMMANDS) == sorted(PROMISED)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.words)
@pytest.mark.parametrize("flag", ["--help", "--version"])
def test_every_command_answers_help_and_version(command: Any, flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([*command.words.split(), flag])
    assert stopped.value.code == 0
    assert ("--data" if flag == "--help" else "p2pcommons ") in capsys.readouterr().out


@pytest.mark.parametrize(
    "line",
    [
        "",
        "commons",
        "nonsense",
        "status --nonsense",
        "commons create",
        "commons create X --join friends",
        "commons follow notanid",
        "commons invite --uses 0",
        "entry add --title x",
        "entry show zz",
        "search x --near north",
        "search x --near 95,0",
        "search x --near 48,-4 --km -1",
        "search x --limit 0",
        "import",
        "up --api nonsense",
        "up --listen 127.0.0.1:70000",
        "up --api ::1:7420",
        "peer add",
    ],
)
def test_wrong_usage_exits_with_2_and_says_it_on_stderr(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code: Any = main(line.split())
    except SystemExit as stopped:
        code = stopped.code
    said = capsys.readouterr()
    assert code == 2 and said.out == "" and "usage: p2pcommons" in said.err


@pytest.mark.parametrize(
    ("said", "means"), [((), None), (("--introductions",), True), (("--no-introductions",), False)]
)
def test_introductions_are_told_yes_or_no_or_left_to_the_local_network(
    said: tuple[str, ...], means: bool | None
) -> None:
    assert build_parser().parse_args(["up", *said]).introductions is means


def test_help_loads_no_network_no_database_no_numerics() -> None:
    program = (
        "import sys; from p2pcommons.cli.main import build_parser; build_parser().format_help();"
        "print([m for m in ('aiohttp','numpy','apsw','cryptography','msgpack','zeroconf','jinja2','asyncio.sslproto')"
        " if m in sys.modules and '.' not in m])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("line", ["--data {} commons list", "commons --data {} list", "commons list --data {}"])
def test_the_data_folder_stands_before_or_after(line: str, verbs: FakeVerbs, tmp_path: Path) -> None:
    assert main(line.format(tmp_path).split()) == 0
    assert verbs.asked == [tmp_path]


def test_the_data_folder_is_named_by_the_environment_else(
    verbs: FakeVerbs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("P2PCOMMONS_DATA", str(tmp_path / "e"))
    main(["commons", "list"])
    main(["--data", str(tmp_path / "o"), "commons", "list"])
    assert verbs.asked == [tmp_path / "e", tmp_path / "o"]


# -- what is printed


def test_a_refusal_is_one_line_on_stderr_and_exit_code_1(verbs: FakeVerbs, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["entry", "show", "ab" * 32]) == 1
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1 and "p2pcommons search" in said.err


@pytest.mark.parametrize(
    "command", ["peer list", "peer add 127.0.0.1:1", "peer remove x", "peer block x", "peer unblock x"]
)
def test_peers_need_a_running_node_and_say_so(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command.split(), "--data", str(tmp_path)]) == 1
    assert "p2pcommons up" in capsys.readouterr().err


def test_lists_in_json_are_one_document_a_line(verbs: FakeVerbs, capsys: pytest.CaptureFixture[str]) -> None:
    verbs.followed = (HERE, THERE)
    assert main(["commons", "list", "--json"]) == 0
    documents = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["id"] for each in documents] == [HERE.id.hex(), THERE.id.hex()]


def test_a_search_goes_on_until_its_limit(verbs: FakeVerbs, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", "x", "--limit", "620", "--tag", "a", "--type", "text", "--near", "48,-4", "--json"]) == 0
    lines = [json.loads(line)["title"] for line in capsys.readouterr().out.splitlines()]
    assert lines == [f"n{n}" for n in range(620)]
    assert verbs.asked[1].filters == (("type", "text"), ("subjects", "a")) and verbs.asked[1].near == (48, -4, 5)


@given(st.text())
def test_no_text_commands_the_terminal(text: str) -> None:
    shown = printable(text)
    assert not any(
        ord(character) < 32 or 127 <= ord(character) < 160 or character in "\u202e\u2066" for character in shown
    )
    assert printable("Ar c'hoad é 海\u0301") == "Ar c'hoad é 海\u0301"


def test_a_pipe_gets_no_progress() -> None:
    out, err = io.StringIO(), io.StringIO()
    output = Output(out=out, err=err)
    output.progress("half")
    output.table(("a", "b"), [("1", "long\x1b[2J")])
    assert err.getvalue() == "" and out.getvalue() == "a  b\n1  long\\x1b[2J\n"


# -- which commons


@pytest.mark.parametrize(
    ("named", "found"),
    [("Brest", HERE), ("1212", THERE), ("12" * 32, THERE), ("34" * 32, None)],
)
def test_a_commons_is_named_by_id_beginning_or_name(
    named: str, found: CommonsInfo | None, verbs: FakeVerbs, capsys: pytest.CaptureFixture[str]
) -> None:
    verbs.followed = (HERE, THERE)
    assert main(["entry", "add", "--commons", named, "--type", "text", "--title", "a"]) == 0
    assert verbs.asked[-1][0] == (found.id if found else bytes.fromhex(named))
    assert main(["entry", "add", "--commons", "nowhere", "--type", "text", "--title", "a"]) == 1
    assert main(["entry", "add", "--type", "text", "--title", "a"]) == 1
    assert "beginning of its id" in capsys.readouterr().err


def test_fields_are_said_as_mapping_files_say_them(verbs: FakeVerbs, capsys: pytest.CaptureFixture[str]) -> None:
    fields = ["title.fr=Lavoir", "title.en=Wash house", "subjects=water", "subjects=stone", "place.lat=48,39",
              "place.lon=-4.49", "length_m=1200", "creators=[{\"name\": \"A\"}]", "source=x:1"]  # fmt: skip
    given = [word for field in fields for word in ("--field", field)]
    assert main(["entry", "add", "--type", "place", *given]) == 0
    assert verbs.asked[-1][1] == {
        "type": "place", "title": {"fr": "Lavoir", "en": "Wash house"}, "subjects": ["water", "stone"],
        "place": {"lat": 48.39, "lon": -4.49}, "length_m": 1200, "creators": [{"name": "A"}], "source": "x:1",
    }  # fmt: skip
    assert main(["entry", "edit", "ab" * 32, "--title", "new", "--clear", "place", "--clear", "description.fr"]) == 0
    assert verbs.asked[-1] == {"title": "new", "place": None, "description": {"fr": None}}
    assert main(["entry", "edit", "ab" * 32]) == 1
    assert main(["entry", "edit", "ab" * 32, "--field", "colour=red"]) == 1
    assert main(["entry", "edit", "ab" * 32, "--field", "url=a:b", "--field", "url=c:d"]) == 1
    assert "'colour' is no field" in capsys.readouterr().err


# -- import


def _run(data: bytes, verbs: FakeVerbs, name: str = "x.jsonl") -> tuple[Summary, list[tuple[int, str]]]:
    refused: list[tuple[int, str]] = []
    work = Import(
        read(io.BytesIO(data), name=name, into=HERE.id.hex()),
        lambda line, code, detail: refused.append((line, code)),
        lambda summary: None,
    )
    return asyncio.run(work.run(verbs, HERE.id)), refused  # type: ignore[arg-type]


@pytest.mark.parametrize("eager", [False, True], ids=["answers as it reads", "reads all before it answers"])
def test_an_import_names_refused_lines_by_their_place_in_the_file(eager: bool) -> None:
    lines = []
    for n in range(1, 5001):
        bad = {7: "{", 8: '{"type": "text"}', 3000: '{"type": "text"}', 4999: "[]", 20: "", 21: ""}
        lines.append(bad.get(n, json.dumps({"type": "text", "title": "same" if n % 10 == 0 else f"t{n}"})))
    summary, refused = _run("\n".join(lines).encode(), FakeVerbs(eager=eager))
    assert sorted(refused) == [(7, "bad-json"), (8, "missing-field"), (3000, "missing-field"), (4999, "not-an-object")]
    assert (summary.read, summary.refused, summary.unchanged) == (4998, 4, 498)
    assert summary.added == 4998 - 4 - 498
    assert summary.to_json()["refusals"] == {"bad-json": 1, "missing-field": 2, "not-an-object": 1}


def test_a_file_that_ends_in_the_middle_keeps_what_came_before() -> None:
    whole = gzip.compress(b"".join(b'{"type":"text","title":"%d"}\n' % n for n in range(20_000)))
    verbs = FakeVerbs()
    summary, _ = _run(whole[: len(whole) // 2], verbs, "x.jsonl.gz")
    assert isinstance(summary.broke_off, P2PCommonsError) and summary.broke_off.code == "truncated"
    assert summary.added == summary.read == len(verbs.lines) > 100


def test_a_node_that_falls_silent_is_no_success() -> None:
    data = b"".join(b'{"type":"text","title":"%d"}\n' % n for n in range(2000))
    verbs = FakeVerbs(answers_max=500)
    whole = FakeVerbs()
    assert _run(data, whole)[0].broke_off is None
    summary, _ = _run(data, verbs)
    assert summary.added == len(verbs.lines) < 2000
    assert summary.broke_off is not None and summary.broke_off.code == "cut_off"


@settings(deadline=None)
@given(st.lists(st.integers(1, 3), max_size=60), st.data())
def test_line_numbers_come_back_in_order(steps: list[int], data: st.DataObject) -> None:
    numbers, queue, taken = [sum(steps[: n + 1]) for n in range(len(steps))], LineNumbers(), []
    for n, number in enumerate(numbers):
        queue.put(number)
        while len(taken) <= n and data.draw(st.booleans()):
            taken.append(queue.take())
    taken += [queue.take() for _ in range(len(numbers) - len(taken))]
    assert taken == numbers


def test_an_import_prints_its_account_and_fails_where_lines_were_refused(
    verbs: FakeVerbs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.csv"
    file.write_text("type,title,colour\ntext,a,red\ntext,b\n")
    assert main(["import", str(file), "--json"]) == 0
    account = json.loads(capsys.readouterr().out)
    assert account.items() >= {"read": 2, "added": 2, "unchanged": 0, "refused": 0, "complete": True}.items()
    assert [(each["column"], each["lines"]) for each in account["dropped"]] == [("colour", 1)]
    assert len({json.loads(line)["source"] for line in verbs.lines}) == 2
    file.write_text("type,title\ntext,a\ntext,b,c\n")
    assert main(["import", str(file)]) == 1
    said = capsys.readouterr()
    assert "2 lines read: 1 added or changed, 0 unchanged, 1 refused" in said.out
    assert "line 3: " in said.err and said.err.count("\n") == 2


def test_a_terminal_is_told_the_first_refusals_of_a_sort_and_a_file_all(
    verbs: FakeVerbs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text("{\n" * 500 + "[]\n")
    assert main(["import", str(file)]) == 1
    assert capsys.readouterr().err.count("[bad-json]\n") == 500
    monkeypatch.setattr(Output, "on_terminal", True)
    assert main(["import", str(file)]) == 1
    said = capsys.readouterr().err
    assert (
        said.count("[bad-json]\n") == 20
        and "[not-an-object]\n" in said
        and "and 480 lines more: bad-json" in said
        and "501 lines were refused" in said
    )


def test_a_dry_run_checks_every_line_and_asks_no_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(connection, "connected", None)
    file = tmp_path / "a.jsonl"
    file.write_text('{"type":"text","title":"a"}\n{"type":"text","titel":"a"}\n{"type":"txet","title":"a"}\n')
    assert main(["import", str(file), "--dry-run", "--json"]) == 1
    said = capsys.readouterr()
    assert json.loads(said.out).items() >= {"read": 3, "added": 1, "refused": 2, "dry_run": True}.items()
    assert "line 2: 'titel'" in said.err and "line 3: type is one of" in said.err


def test_the_sample_is_imported_by_its_name(verbs: FakeVerbs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["import", "sample"]) == 0
    assert len(verbs.lines) >= 60


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.csv"], "nowhere.csv"),
        (["http://127.0.0.1:9/x.csv"], "127.0.0.1:9"),
        (["a.csv", "--map", "nowhere.json"], "nowhere.json"),
        (["a.csv", "--map", "a.csv"], "a.csv, line 1: not JSON"),
        (["a.csv", "--format", "marc"], "there are jsonl, csv"),
    ],
)
def test_what_cannot_be_read_is_one_line_with_its_name(
    arguments: list[str], words: str, verbs: FakeVerbs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text("type,title\n")
    assert main(["import", *arguments]) == 1
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1


@pytest.fixture
def web() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/moved"):
                self.send_response(302)
                self.send_header("Location", "/moved" if self.path == "/moved" else "ftp://127.0.0.1/etc/passwd")
                self.end_headers()
                return
            found = self.path == "/a.csv.gz"
            body = gzip.compress(b"type,title\ntext,a\n") if found else b"no"
            self.send_response(200 if found else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_catalogue_is_fetched_from_the_web_and_its_failures_are_said(
    web: str, verbs: FakeVerbs, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["import", f"{web}/a.csv.gz"]) == 0
    assert [json.loads(line)["title"] for line in verbs.lines] == ["a"]
    for path, words in (("/nothing.csv", "404"), ("/moved", "infinite loop"), ("/moved-away", "not on the web")):
        capsys.readouterr()
        assert main(["import", web + path]) == 1
        said = capsys.readouterr().err
        assert words in said and web in said
