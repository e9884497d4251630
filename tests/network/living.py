"""Nodes that live on hosts of the test bed: real processes, asked over their own API from within their namespace."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from bed import Host, connect

from p2pcommons.commons.invitation import parse_invitation
from p2pcommons.node.folder import API_TOKEN, running_node

COMMAND = (sys.executable, "-m", "p2pcommons.cli.main")
WAIT_S = 50.0  # how long anything may take before a test gives up: far above what it takes
LOOK_S = 0.05


class NodeOn:
    """A node on a host, with its data folder; ends with the `with` block."""

    def __init__(self, host: Host, folder: Path, *arguments: str) -> None:
        self.host = host
        self.data = folder / host.name
        self._log = folder / f"{host.name}.log"
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0
        self._token = ""

    def __enter__(self) -> NodeOn:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> NodeOn:
        words = ("--data", str(self.data), "up", "--api", "127.0.0.1:0", *self._arguments)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("P2PCOMMONS_")}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self.host.command(*COMMAND, *words), stdout=log, stderr=log, env=environment
            )
        until(lambda: (running_node(self.data) or {}).get("pid") == self.process.pid, self.log)
        note = running_node(self.data)
        assert note is not None
        self._port = int(str(note["api"]).rpartition(":")[2])
        self._token = (self.data / API_TOKEN).read_text().strip()
        return self

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            assert self._process.wait(timeout=WAIT_S) == 0, self.log()

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        assert self._process.poll() is None, f"the node ended: {self.log()[-2000:]}"
        return self._process

    def kill(self) -> None:
        """`kill -9`."""
        self.process.kill()
        assert self._process is not None
        self._process.wait()

    def log(self) -> str:
        return self._log.read_text()

    # -- its API

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self._port)
        connection.sock = connect(self.host.namespace, "127.0.0.1", self._port)
        try:
            headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
            connection.request(method, f"/api/v1{path}", None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            data = answer.read()
            assert answer.status < 300, (method, path, answer.status, data)
            return json.loads(data) if data else None
        finally:
            connection.close()

    def key(self) -> str:
        return str(self.ask("GET", "/status")["node"])

    def found(self, name: str, join: str = "invite") -> str:
        return str(self.ask("POST", "/commons", {"name": name, "join": join})["id"])

    def follow(self, commons: str) -> None:
        self.ask("POST", f"/commons/{commons}/follow", {"addresses": []})

    def welcome(self, commons: str, *others: NodeOn) -> None:
        """Let others join, by invitations that name no address: where this node is, they must find out."""
        for other in others:
            made = self.ask("POST", f"/commons/{commons}/invitations", {})
            line = replace(parse_invitation(made["invitation"]), addresses=()).line()
            other.ask("POST", "/commons/join", {"invitation": line})
        for other in others:
            until(lambda other=other: other.ask("GET", f"/commons/{commons}")["member"], other.peers)  # type: ignore[misc]

    def add(self, commons: str, *titles: str) -> None:
        for title in titles:
            self.ask("POST", f"/entries?commons={commons}", {"type": "book", "title": title})

    def digest(self, commons: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.ask("GET", f"/commons/{commons}/digest")
        return answer

    def peers(self) -> list[dict[str, Any]]:
        return list(self.ask("GET", "/peers")["items"])

    def connected(self) -> set[str]:
        """Keys of the nodes it has a session with."""
        return {peer["key"] for peer in self.peers() if peer["state"] == "connected"}

    def nearby(self) -> dict[str, dict[str, Any]]:
        """Commons that its neighbours announce, by name."""
        return {one["name"]: one for one in self.ask("GET", "/commons/nearby")["items"]}


def until(holds: Callable[[], Any], tell: Callable[[], object] = lambda: "") -> float:
    """Look until something holds; how long it took, in seconds."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < WAIT_S, f"not in {WAIT_S} s: {tell()}"
        time.sleep(LOOK_S)
    return time.monotonic() - began


def equal(commons: str, *nodes: NodeOn, entries: int | None = None) -> float:
    """Wait until all hold the same, and (where it is said) so many entries; how long it took."""

    def same() -> bool:
        digests = [node.digest(commons) for node in nodes]
        first = digests[0]
        return first["records"] > 0 and entries in (None, first["entries"]) and all(one == first for one in digests)

    return until(same, lambda: [node.digest(commons) for node in nodes])
