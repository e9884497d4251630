"""A test bed of hosts in network namespaces: switches, cables, poor lines. Root makes it, and it leaves nothing behind.

One namespace holds the switches, each host is a namespace of its own, joined by `veth` pairs; nothing touches the
machine's own network. Poor lines are `tap` devices with this process between them, because not every kernel has netem.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import heapq
import os
import random
import select
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from itertools import count
from types import TracebackType

import pytest

_CLONE_NEWNET = 0x40000000
_TUNSETIFF = 0x400454CA
_IFF_TAP, _IFF_NO_PI = 0x2, 0x1000
_FRAME_BYTES_MAX = 65_536
_IP = shutil.which("ip", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") or ""
_libc = ctypes.CDLL(None, use_errno=True)
_numbers = count()


def require_namespaces() -> None:
    """Skip where namespaces cannot be made; in CI that is a failure."""
    why = ""
    if os.geteuid() != 0:
        why = "only root makes network namespaces"
    elif not _IP:
        why = "the command ip is missing: apt-get install iproute2"
    else:
        tried = subprocess.run([_IP, "netns", "add", f"p2pc-{os.getpid()}-try"], capture_output=True, text=True)
        if tried.returncode:
            why = f"network namespaces cannot be made here: {tried.stderr.strip()}"
        else:
            subprocess.run([_IP, "netns", "del", f"p2pc-{os.getpid()}-try"], check=True)
    if why and os.environ.get("CI") == "true":
        pytest.fail(why)
    elif why:
        pytest.skip(why)


def ip(*words: str) -> str:
    """One `ip` command."""
    done = subprocess.run([_IP, *words], capture_output=True, text=True)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"
    return done.stdout


@contextlib.contextmanager
def inside(namespace: str) -> Iterator[None]:
    """This thread in a network namespace: sockets made here stay there."""
    with open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{namespace}") as there:
        _enter(there.fileno())
        try:
            yield
        finally:
            _enter(home.fileno())


def _enter(descriptor: int) -> None:
    if _libc.setns(descriptor, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Host:
    """One machine: a namespace with interfaces."""

    def __init__(self, bed: Bed, name: str) -> None:
        self._bed = bed
        self.name = name
        self.namespace = f"{bed.prefix}-{name}"
        self.ports: dict[str, str] = {}  # interface: its other end, in the namespace of the switches

    def ip(self, *words: str) -> str:
        return ip("-n", self.namespace, *words)

    def plug(self, interface: str, switch: str, address: str | None) -> Host:
        """A cable from an interface of this host to a switch."""
        port = f"p{next(_numbers)}"
        ip("link", "add", interface, "netns", self.namespace, "type", "veth", "peer", "name", port,
           "netns", self._bed.switches)  # fmt: skip
        self._joined(interface, port, switch, address)
        return self

    def plug_poorly(self, interface: str, switch: str, address: str, *, loss: float, delay_s: float, seed: int) -> Host:
        """The same by a line that loses frames and is slow."""
        port = f"p{next(_numbers)}"
        line = PoorLine(loss, delay_s, seed)
        self._bed.lines.append(line)
        line.lay(interface, self.namespace, port, self._bed.switches)
        self._joined(interface, port, switch, address)
        return self

    def _joined(self, interface: str, port: str, switch: str, address: str | None) -> None:
        self.ports[interface] = port
        if address is not None:
            self.ip("addr", "add", address, "dev", interface)
        self.ip("link", "set", interface, "up")
        ip("-n", self._bed.switches, "link", "set", port, "master", switch, "up")

    def pull(self, interface: str) -> None:
        """Pull the cable: the interface sees it."""
        ip("-n", self._bed.switches, "link", "set", self.ports[interface], "down")

    def push(self, interface: str) -> None:
        """Put the cable in again."""
        ip("-n", self._bed.switches, "link", "set", self.ports[interface], "up")

    def command(self, *words: str) -> list[str]:
        """A command line that runs on this host."""
        return [_IP, "netns", "exec", self.namespace, *words]


class Uplink:
    """A cable between two switches, which can be cut where no host sees it."""

    def __init__(self, namespace: str, one: str, other: str) -> None:
        self._namespace = namespace
        first, second = f"p{next(_numbers)}", f"p{next(_numbers)}"
        self._ends = {first: one, second: other}
        ip("-n", namespace, "link", "add", first, "type", "veth", "peer", "name", second)
        self.heal()

    def cut(self) -> None:
        for end in self._ends:
            ip("-n", self._namespace, "link", "set", end, "nomaster", "down")

    def heal(self) -> None:
        for end, switch in self._ends.items():
            ip("-n", self._namespace, "link", "set", end, "master", switch, "up")


class Bed:
    """The whole of it, within `with`."""

    def __init__(self) -> None:
        self.prefix = f"p2pc-{os.getpid()}-{next(_numbers)}"
        self.switches = f"{self.prefix}-switches"
        self.lines: list[PoorLine] = []
        self._hosts: list[Host] = []

    def __enter__(self) -> Bed:
        ip("netns", "add", self.switches)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for line in self.lines:
            line.stop()
        for namespace in (*(host.namespace for host in self._hosts), self.switches):
            subprocess.run([_IP, "netns", "del", namespace], capture_output=True)

    def switch(self, name: str) -> str:
        """A switch, which joins what is plugged into it."""
        ip("-n", self.switches, "link", "add", name, "type", "bridge", "mcast_snooping", "0")
        ip("-n", self.switches, "link", "set", name, "up")
        return name

    def join(self, one: str, other: str) -> Uplink:
        """A cable between two switches."""
        return Uplink(self.switches, one, other)

    def host(self, name: str) -> Host:
        made = Host(self, name)
        ip("netns", "add", made.namespace)
        self._hosts.append(made)
        made.ip("link", "set", "lo", "up")
        return made


class PoorLine:
    """Two `tap` devices and a thread that carries frames between them, late, and not all of them."""

    def __init__(self, loss: float, delay_s: float, seed: int) -> None:
        self._loss, self._delay_s = loss, delay_s
        self._dice = random.Random(seed)
        self._ends: list[int] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self.carried = self.lost = 0

    def lay(self, one: str, its: str, other: str, theirs: str) -> None:
        for name, namespace in ((one, its), (other, theirs)):
            with inside(namespace):
                end = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
                fcntl.ioctl(end, _TUNSETIFF, struct.pack("16sH", name.encode(), _IFF_TAP | _IFF_NO_PI))
            self._ends.append(end)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
        for end in self._ends:
            os.close(end)

    def _carry(self) -> None:
        late: list[tuple[float, int, int, bytes]] = []
        numbers = count()
        while not self._stop.is_set():
            wait = max(0.0, late[0][0] - time.monotonic()) if late else 0.1
            ready, _, _ = select.select(self._ends, [], [], min(wait, 0.1))
            for end in ready:
                with contextlib.suppress(OSError):
                    frame = os.read(end, _FRAME_BYTES_MAX)
                    if self._dice.random() < self._loss:
                        self.lost += 1
                    else:
                        to = self._ends[1 - self._ends.index(end)]
                        heapq.heappush(late, (time.monotonic() + self._delay_s, next(numbers), to, frame))
            while late and late[0][0] <= time.monotonic():
                _, _, to, frame = heapq.heappop(late)
                with contextlib.suppress(OSError):  # an end that is down takes nothing
                    os.write(to, frame)
                    self.carried += 1


def connect(namespace: str, host: str, port: int, timeout_s: float = 30.0) -> socket.socket:
    """A TCP connection that starts on a host of the bed."""
    with inside(namespace):
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.settimeout(timeout_s)
    made.connect((host, port))
    return made
