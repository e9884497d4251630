"""A node that is always on: the files that start it, its guide, its log, its metrics, and what it does at little disk."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import ClientSession
from node_world import running

from p2pcommons.api.server import ApiServer, build_app
from p2pcommons.api.serving import ApiSettings
from p2pcommons.cli.host import closed_folder, containerfile, own_command
from p2pcommons.cli.main import build_parser, main
from p2pcommons.config import NODES_PATH, Endpoint
from p2pcommons.core.record import CommonsId
from p2pcommons.core.words import LANGUAGES
from p2pcommons.network.link import SUBPROTOCOL
from p2pcommons.node.daemon import Node
from p2pcommons.node.folder import running_node
from tests.e2e.judging import refused, until_async
from tests.e2e.processes import NodeProcess, answer, command

ROOT = Path(__file__).parents[2]
GUIDES = [ROOT / "docs" / "host.md", ROOT / "docs" / "hote.md"]
ANYWHERE = Endpoint("127.0.0.1", 0, asked_for=True)
OPTIONS = ["--api", "127.0.0.1:0", "--listen", "127.0.0.1:0", "--no-lan"]
GIB = 1024**3


# -- systemd


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["host", *words]) == 0
    return capsys.readouterr().out


def settings_of(unit: str) -> dict[str, list[str]]:
    """`Section.Name` to values, as systemd reads lines."""
    found: dict[str, list[str]] = {}
    section = ""
    for line in unit.splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            name, equals, value = line.partition("=")
            assert equals, f"not a line of a unit: {line!r}"
            found.setdefault(f"{section}.{name}", []).append(value)
    return found


def words_of(line: str) -> list[str]:
    """What systemd makes of a command line: quotes and backslashes as in a shell, then specifiers and variables."""
    return [word.replace("%%", "%").replace("$$", "$") for word in shlex.split(line)]


@pytest.mark.parametrize("kind", [[], ["--user"]], ids=["system", "user"])
@pytest.mark.parametrize("name", ["plain", "a b", "100%s", 'q"uote$HOME', "back\\slash", "'single'"])
def test_the_unit_starts_a_node_of_this_installation(
    kind: list[str], name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / name
    unit = settings_of(printed(capsys, "unit", *kind, "--data", str(data), *OPTIONS, "--log-json"))
    (line,) = unit["Service.ExecStart"]
    words = words_of(line)
    assert words == [*own_command(), "up", "--data", str(data), *OPTIONS, "--log-json"]
    assert Path(words[0]).is_absolute()
    if name not in ("plain", 'q"uote$HOME'):
        return
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/") as process:
        try:
            end = time.monotonic() + 60
            while running_node(data) is None:
                assert process.poll() is None and time.monotonic() < end
                time.sleep(0.02)
            process.terminate()
            out, log = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, out) == (0, b"")
    events = [json.loads(line)["event"] for line in log.splitlines()]
    assert events[0] == "node_started" and events[-1] == "node_stopped"


def test_the_systems_unit_gives_the_node_nothing_that_it_does_not_need(capsys: pytest.CaptureFixture[str]) -> None:
    unit = settings_of(printed(capsys, "unit"))
    for name in (
        "NoNewPrivileges", "PrivateTmp", "PrivateDevices", "ProtectHostname", "ProtectClock", "ProtectKernelTunables",
        "ProtectKernelModules", "ProtectKernelLogs", "ProtectControlGroups", "RestrictNamespaces", "RestrictRealtime",
        "RestrictSUIDSGID", "LockPersonality", "MemoryDenyWriteExecute",
    ):  # fmt: skip
        assert unit[f"Service.{name}"] == ["yes"], name
    assert unit["Service.ProtectSystem"] == ["strict"]
    assert unit["Service.CapabilityBoundingSet"] == unit["Service.AmbientCapabilities"] == [""]
    assert unit["Service.User"] == ["p2pcommons"] and unit["Service.UMask"] == ["0077"]
    assert "--data /var/lib/p2pcommons" in unit["Service.ExecStart"][0]
    assert unit["Service.StateDirectory"] == ["p2pcommons"]


def test_a_data_folder_elsewhere_can_be_written_and_is_all_that_can(capsys: pytest.CaptureFixture[str]) -> None:
    unit = settings_of(printed(capsys, "unit", "--data", "/srv/our commons"))
    assert unit["Service.ReadWritePaths"] == ['"/srv/our commons"'] and "Service.StateDirectory" not in unit
    assert unit["Service.ProtectHome"] == ["yes"]
    unit = settings_of(printed(capsys, "unit", "--data", "/home/alice/commons"))
    assert unit["Service.ProtectHome"] == ["read-only"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not on this machine")
def test_systemd_itself_finds_no_fault_in_the_unit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    unit = tmp_path / "p2pcommons.service"
    unit.write_text(printed(capsys, "unit", "--public-name", "commons.example.org", "--keep-free", "2G"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True)
    about = [line for line in (done.stdout + done.stderr).splitlines() if unit.name in line]
    assert about == [], about


@pytest.mark.parametrize(
    "words", [["unit", "--nonsense"], ["unit", "--api", "x"], ["container", "--log-level", "loud"]]
)
def test_options_that_up_does_not_take_are_not_written_into_a_file(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["host", *words])
    said = capsys.readouterr()
    assert stopped.value.code == 2 and said.out == "" and "usage: p2pcommons" in said.err


def test_an_installation_that_the_service_could_not_reach_is_told(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir(mode=0o700)
    assert closed_folder(tmp_path / "mine" / "bin" / "p2pcommons") is not None
    assert closed_folder(Path("/usr/bin/env")) is None


# -- the container


def test_the_container_starts_a_node_that_outlives_it() -> None:
    for source in (None, "/src of p2pcommons"):
        text = containerfile(source, [])
        lines = dict(line.split(" ", 1) for line in text.splitlines() if line and line[0].isupper())
        entry, more = json.loads(lines["ENTRYPOINT"]), json.loads(lines["CMD"])
        assert entry[0] == "p2pcommons"
        arguments = build_parser().parse_args([*entry[1:], *more])
        assert arguments.data == lines["VOLUME"] == "/data" and arguments.log_json
        assert lines["USER"] == "p2pcommons" and lines["STOPSIGNAL"] == "SIGTERM"
        assert "/" not in lines["FROM"], "no registry is named"
        assert ("COPY p2pcommons" in text) == (source is not None)
        health = json.loads(text.split("CMD ", 1)[1].splitlines()[0])
        build_parser().parse_args(health[1:])


# -- the guide


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[tuple[Node, str]]:
    async with running(tmp_path / "node") as node:
        token = node.runtime.folder.token()
        async with ApiServer(build_app(node.commons, ApiSettings(token)), "127.0.0.1", 0) as server:
            yield node, f"http://{server.address}"


async def asked(url: str) -> str:
    async with ClientSession() as session, session.get(url) as response:
        assert response.status == 200
        return await response.text()


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
async def test_the_guide_names_every_metric_there_is_and_no_other(guide: Path, served: tuple[Node, str]) -> None:
    node, url = served
    named = set(re.findall(r"`(p2pcommons_\w+)`", await asyncio.to_thread(guide.read_text)))
    await node.commons.create_commons("Lavoirs")
    text = await asked(url + "/metrics")
    given = set(re.findall(r"^# TYPE (p2pcommons_\w+)", text, re.MULTILINE))
    assert named == given
    for name in given:
        assert f"# HELP {name} " in text
        if not name.startswith("p2pcommons_api_request"):  # none was answered yet
            assert re.search(rf"^{name}({{.*}})? [0-9.e+]+$", text, re.MULTILINE), f"{name} has no number"


async def test_metrics_tell_no_id_of_a_commons_that_is_not_announced(served: tuple[Node, str]) -> None:
    node, url = served
    secret = await node.commons.create_commons("Discret")
    known = await node.commons.create_commons("Ouvert", join="open")
    text = await asked(url + "/metrics")
    assert secret.id.hex() not in text and known.id.hex() in text
    numbers = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert numbers['p2pcommons_records{commons="unannounced"}'] == "1"
    assert float(numbers["p2pcommons_database_bytes"]) >= (node.runtime.folder.database).stat().st_size
    assert float(numbers["p2pcommons_disk_free_bytes"]) > 0 and float(numbers["p2pcommons_uptime_seconds"]) >= 0


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
def test_every_command_and_option_of_the_guide_exists(guide: Path) -> None:
    text = guide.read_text()
    parser = build_parser()
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
        for line in block.splitlines():
            for part in re.split(r"&&|>|\|", line.split("#")[0].strip()):
                words = part.split()
                if words[:1] in (["p2p"], ["p2pcommons"]):
                    parser.parse_known_args(words[1:])
    known = parser.parse_args(["up", "--keep-free", "1G"])
    for option in re.findall(r"`(--[a-z-]+)", text):
        name = option[2:].replace("-", "_")
        assert hasattr(known, name) or hasattr(known, name.removeprefix("no_")) or option in ("--user",), option


def test_the_two_guides_give_the_same_files_and_commands() -> None:
    def files(guide: Path) -> list[str]:
        return re.findall(r"```nginx\n(.*?)```", guide.read_text(), re.DOTALL)

    assert files(GUIDES[0]) == files(GUIDES[1]) != []


# -- the log of a run


async def test_no_secret_is_in_the_log_of_a_run(tmp_path: Path) -> None:
    one, two = NodeProcess(tmp_path / "one"), NodeProcess(tmp_path / "two")
    try:
        one.start("--log-json", "--log-level", "debug")
        two.start("--log-level", "debug")
        commons = answer(one.data, "commons", "create", "Tenue secrète")["id"]
        line = answer(one.data, "commons", "invite", commons)["invitation"]
        answer(two.data, "commons", "join", line)

        async def member() -> bool:
            async with two.client() as client:
                return (await client.get_commons(CommonsId(bytes.fromhex(commons)))).member

        await until_async(member, "the invitation is used")
        query = "quête-très-privée"
        for node in (one, two):
            answer(node.data, "entry", "add", "--commons", commons, "--type", "text", "--title", "Un titre privé")
            command(node.data, "search", query)
            await knock(node, commons, query)
        secrets = {"line": line, "line's payload": line.split(":", 1)[1], "commons": commons, "query": query}
        secrets["title"] = "titre privé"
        for node in (one, two):
            secrets[f"token of {node.data.name}"] = (node.data / "api-token").read_text().strip()
            for language in LANGUAGES:
                said = answer(node.data, "identity", "words", "--language", language)
                secrets[f"words of {node.data.name} in {language}"] = " ".join(said)
            for name in ("person.key", "node.key", "recovery.entropy"):
                secrets[f"{name} of {node.data.name}"] = (node.data / name).read_bytes().hex()
        assert one.stop() == 0 and two.stop() == 0
    finally:
        one.kill()
        two.kill()
    logs = {"one": one.log(), "two": two.log()}
    for name, text in logs.items():
        assert text.strip()
        for what, secret in secrets.items():
            assert secret not in text and secret.upper() not in text, f"the {what} stands in the log of {name}"
    lines = [json.loads(line) for line in logs["one"].splitlines()]
    assert all(set(line) == {"time", "level", "event", "fields"} for line in lines)
    events = {line["event"] for line in lines}
    assert {"node_started", "session_began", "session_ended", "node_stopped"} <= events


async def knock(node: NodeProcess, commons: str, query: str) -> None:
    """Requests that go wrong in every way, secrets in their address."""
    note = running_node(node.data)
    assert note is not None
    base = f"http://{note['api']}"
    async with ClientSession() as session:
        for method, path in (
            ("GET", f"/api/v1/commons/{commons}x"),
            ("POST", f"/api/v1/commons/{commons}/invitations"),
            ("GET", f"/api/v1/entries?commons={commons}&q={query}&near=nowhere"),
            ("GET", f"/{query}/{commons}"),
            ("PUT", f"/search?q={query}"),
            ("GET", f"/search?q={query}&commons={commons}"),
        ):
            async with session.request(method, base + path, headers={"Authorization": "Bearer wrong"}) as response:
                await response.read()


# -- a public name


async def test_a_public_name_opens_the_way_in_for_nodes_and_nothing_else(tmp_path: Path) -> None:
    node = NodeProcess(tmp_path / "node")
    try:
        node.start("--public-name", "Commons.Example.org", "--public-name", "other.example:8443")
        note = running_node(node.data)
        assert note is not None
        base = f"http://{note['api']}"
        async with ClientSession() as session:

            async def status(path: str, host: str) -> int:
                async with session.get(base + path, headers={"Host": host}) as response:
                    return response.status

            assert await status(NODES_PATH, "commons.example.org") == 426
            assert await status(NODES_PATH, "other.example:8443") == 426
            assert await status(NODES_PATH, "elsewhere.example.org") == 403
            for path in ("/", "/api/v1/status", "/metrics", "/healthz", NODES_PATH + "/", "/p2p%2f..%2fmetrics"):
                assert await status(path, "commons.example.org") == 403, path
            async with AsyncExitStack() as stack:  # as many from one place as a listener takes, and one more
                answers = []
                for _ in range(17):
                    answers.append(await stack.enter_async_context(upgrade(session, base, "203.0.114.7")))
                assert [each.status for each in answers] == [101] * 16 + [503]
                elsewhere = await stack.enter_async_context(upgrade(session, base, "203.0.114.8"))
                assert elsewhere.status == 101
        addresses = [each["address"] for each in answer(node.data, "status")["addresses"]]
        assert any(re.fullmatch(r"z6Mk\w+@wss://commons\.example\.org/p2p", each) for each in addresses)
        assert any(each.endswith("@wss://other.example:8443/p2p") for each in addresses)
        assert node.stop() == 0
        node.start()
        note = running_node(node.data)
        assert note is not None
        async with ClientSession() as session, session.get(f"http://{note['api']}{NODES_PATH}") as response:
            assert response.status == 404, "without a public name there is no way in here"
        assert node.stop() == 0
    finally:
        node.kill()


@asynccontextmanager
async def upgrade(session: ClientSession, base: str, place: str) -> AsyncIterator[aiohttp.ClientResponse]:
    headers = {
        "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Protocol": SUBPROTOCOL, "X-Real-IP": place,
    }  # fmt: skip
    async with session.get(base + NODES_PATH, headers=headers) as response:
        yield response


@pytest.mark.parametrize("name", ["", "a b", "wss://x", "x/y", "user@x", "x:99999", "ex ample.org"])
def test_a_public_name_that_is_none_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    refused(command(tmp_path / "n", "up", *OPTIONS, "--public-name", name, check=False), "--public-name")


def test_the_log_never_goes_to_stdout(tmp_path: Path) -> None:
    more = ["--log-level", "info", "--keep-free", "9999T"]
    words = [*own_command(), "up", "--data", str(tmp_path / "n"), *OPTIONS, *more]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = ""
            while "Ctrl-C" not in said:
                said += process.stdout.readline()
                assert process.poll() is None
            process.terminate()
            more, log = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 0 and "Page:" in said and "nearly full" not in said + more
    assert re.search(r"^\S+Z warning the disk is nearly full", log, re.MULTILINE)
