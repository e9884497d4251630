"""Commands for a node that is always on: what law makes it take down, and files with which systemd or a container engine
runs this installation.

Those print and change nothing: who looks after the machine reads them first. What stands behind `up`'s options there
is what `p2pcommons up` takes, checked in the same way. `docs/host.md` and `docs/hote.md` say the rest.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import sysconfig
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from p2pcommons import __version__
from p2pcommons.cli.command import Call, Command, Needs, commons_argument, entry_id, find_commons
from p2pcommons.config import API_PORT_DEFAULT, LISTEN_PORT_DEFAULT

if TYPE_CHECKING:
    from p2pcommons.core.record import CommonsId, Subject

SERVICE: Final = "p2pcommons"
SYSTEM_DATA: Final = Path("/var/lib/p2pcommons")
CONTAINER_DATA: Final = "/data"
_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=,@+")
_HOMES: Final = ("/home", "/root", "/run/user")

# What a unit of the system may do: nothing it does not need. Python and SQLite need no more than this.
_LOCKED: Final = """\
# It may read the system and write its own folder: no device, no other process, no privilege.
ProtectSystem=strict
ProtectHome={homes}
PrivateTmp=yes
PrivateDevices=yes
ProtectProc=invisible
ProtectHostname=yes
ProtectClock=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
RestrictNamespaces=yes
RestrictSUIDSGID=yes
RemoveIPC=yes
CapabilityBoundingSet=
AmbientCapabilities=
"""
_FILTERED: Final = """\
NoNewPrivileges=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictRealtime=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
UMask=0077
LimitNOFILE=8192
"""


def system_unit(command: list[str], data: Path, options: list[str], asked: str) -> str:
    """A unit for the whole system, run by a user of its own. `asked`: the command that prints it."""
    homes = "yes"
    if any(_within(place, _HOMES) for place in (command[0], str(data))):
        homes = "read-only"
    own = data == SYSTEM_DATA
    folder = f"StateDirectory={SERVICE}\nStateDirectoryMode=0700" if own else f"ReadWritePaths={_word(str(data))}"
    said = shlex.join([*command, "--data", str(data)])
    return f"""\
# A p2pcommons node as a service of this system. To install it, as root:
#
#   useradd --system --home-dir {data} --shell /usr/sbin/nologin {SERVICE}
#   {asked} > /etc/systemd/system/{SERVICE}.service
#   systemctl daemon-reload && systemctl enable --now {SERVICE}
#
# Then write its recovery words down, and later speak to it, as that user:
#
#   sudo -u {SERVICE} {said} identity words
#   sudo -u {SERVICE} {said} status

[Unit]
Description=p2pcommons node
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
User={SERVICE}
Group={SERVICE}
{folder}
ExecStart={_line([*command, "up", "--data", str(data), *options])}
Restart=on-failure
RestartSec=5
TimeoutStopSec=15

{_LOCKED.format(homes=homes)}{_FILTERED}
[Install]
WantedBy=multi-user.target
"""


def user_unit(command: list[str], data: Path, options: list[str], asked: str) -> str:
    """A unit for the services of one user. `asked`: the command that prints it."""
    return f"""\
# A p2pcommons node as a service of one user. To install it, as that user:
#
#   mkdir -p ~/.config/systemd/user
#   {asked} > ~/.config/systemd/user/{SERVICE}.service
#   systemctl --user daemon-reload && systemctl --user enable --now {SERVICE}
#   loginctl enable-linger      # so that it runs while nobody is logged in

[Unit]
Description=p2pcommons node

[Service]
Type=exec
ExecStart={_line([*command, "up", "--data", str(data), *options])}
Restart=on-failure
RestartSec=5
TimeoutStopSec=15

{_FILTERED}
[Install]
WantedBy=default.target
"""


def containerfile(source: str | None, options: list[str]) -> str:
    """A Containerfile. `source`: a folder with the project's source, which is copied in; None: the released package."""
    if source is None:
        context, copy, install = ".", "", f"{SERVICE}=={__version__}"
    else:
        context = shlex.quote(source)
        copy = "COPY pyproject.toml README.md LICENSE /src/\nCOPY p2pcommons /src/p2pcommons\n"
        install = "/src"
    api, listen = f"0.0.0.0:{API_PORT_DEFAULT}", f"0.0.0.0:{LISTEN_PORT_DEFAULT}"
    entry = ["p2pcommons", "up", "--data", CONTAINER_DATA, "--api", api, "--listen", listen, "--log-json"]
    return f"""\
# A p2pcommons node in a container. Save this as Containerfile, then (docker takes the same words):
#
#   podman build -t {SERVICE} -f Containerfile {context}
#   podman run -d --name {SERVICE} --restart=unless-stopped --read-only --tmpfs /tmp --cap-drop=all \\
#     --security-opt=no-new-privileges -v {SERVICE}:{CONTAINER_DATA} \\
#     -p {LISTEN_PORT_DEFAULT}:{LISTEN_PORT_DEFAULT} -p 127.0.0.1:{API_PORT_DEFAULT}:{API_PORT_DEFAULT} {SERVICE}
#   podman exec {SERVICE} p2pcommons --data {CONTAINER_DATA} identity words
#
# The page at http://localhost:{API_PORT_DEFAULT}/ asks for the token in {CONTAINER_DATA}/api-token:
#   podman exec {SERVICE} cat {CONTAINER_DATA}/api-token
# Options of `p2pcommons up` may follow the name of the image, in place of those in the last line. Neighbours on the
# local network are found with --network=host, and without --no-lan.

FROM python:3.12-slim
{copy}RUN pip install --no-cache-dir {install} \\
 && useradd --system --uid 7421 --home-dir {CONTAINER_DATA} --shell /usr/sbin/nologin {SERVICE} \\
 && install -d -o {SERVICE} -g {SERVICE} -m 0700 {CONTAINER_DATA}
USER {SERVICE}
VOLUME {CONTAINER_DATA}
EXPOSE {API_PORT_DEFAULT} {LISTEN_PORT_DEFAULT}
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=60s --timeout=20s --start-period=60s \\
  CMD ["p2pcommons", "--data", "{CONTAINER_DATA}", "status"]
ENTRYPOINT {json.dumps(entry)}
CMD {json.dumps(options or ["--no-lan", "--introductions"])}
"""


# -- this installation


def own_command() -> list[str]:
    """How this installation is started, from anywhere."""
    script = Path(sysconfig.get_path("scripts")) / "p2pcommons"
    if script.is_file() and os.access(script, os.X_OK):
        return [str(script)]
    return [sys.executable, "-m", "p2pcommons.cli.main"]


def own_source() -> str | None:
    """The folder with the source from which this was installed; None where it was installed as a package."""
    try:
        told = distribution("p2pcommons").read_text("direct_url.json")
    except PackageNotFoundError:
        return None
    found = json.loads(told) if told else {}
    url = urlsplit(str(found.get("url", "")))
    folder = Path(unquote(url.path))
    return str(folder) if url.scheme == "file" and (folder / "pyproject.toml").is_file() else None


def closed_folder(path: Path) -> Path | None:
    """The first folder on the way to a file that other users may not enter."""
    for folder in reversed(path.parents):
        try:
            if not folder.stat().st_mode & 0o001:
                return folder
        except OSError:
            return folder
    return None


# -- words of systemd


def _line(words: list[str]) -> str:
    return " ".join(map(_word, words))


def _word(word: str) -> str:
    """One word of a unit's line, as systemd.syntax(7) and systemd.service(5) quote it."""
    text = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return text if word and set(word) <= _PLAIN else f'"{text}"'


def _within(path: str, folders: tuple[str, ...]) -> bool:
    return any(path == folder or path.startswith(folder + "/") for folder in folders)


# -- commands


def _up_options(call: Call) -> list[str]:
    """What follows, if `up` takes it; else a usage error."""
    from p2pcommons.cli.main import build_parser

    rest: list[str] = list(call.arguments.rest)
    build_parser().parse_args(["up", *rest])
    return rest


async def _unit(call: Call) -> int:
    options = _up_options(call)
    command = own_command()
    given = call.arguments
    asked = ["p2pcommons", "host", "unit", *(["--user"] if given.user else []), *options]
    if given.data:
        asked[1:1] = ["--data", str(call.data)]
    asked[0:1] = command
    if given.user:
        unit = user_unit(command, call.data, options, shlex.join(asked))
    else:
        data = call.data if given.data else SYSTEM_DATA
        unit = system_unit(command, data, options, shlex.join(asked))
        closed = closed_folder(Path(command[0]))
        if closed is not None:
            call.output.warn(
                f"p2pcommons: {command[0]} lies in {closed}, where only its owner may look: the service could not start "
                f"it. Install it where all may read it, as in: python3 -m venv /opt/{SERVICE}"
            )
    _show(call, "unit", unit)
    return 0


async def _container(call: Call) -> int:
    _show(call, "containerfile", containerfile(own_source(), _up_options(call)))
    return 0


def _show(call: Call, name: str, text: str) -> None:
    call.output.document({name: text})
    for line in text.splitlines():
        call.output.say(line)


def _unit_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--user", action="store_true", help="for the services of one user, not of the whole system")
    parser.epilog = "What else is given are options of `p2pcommons up`: they are written into the unit."


def _container_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "What else is given are options of `p2pcommons up`: they are written into the file."


def _entry_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("entry", metavar="ENTRY", type=entry_id, help="the id of the entry")
    commons_argument(parser)


def _takedown_arguments(parser: argparse.ArgumentParser) -> None:
    _entry_arguments(parser)
    parser.add_argument("--reason", metavar="TEXT", required=True, help="told to who asks: which law, whose decision")


async def _place(call: Call) -> tuple[Subject, CommonsId | None]:
    from p2pcommons.core.record import Subject

    given = call.arguments
    return Subject(given.entry), await find_commons(call.verbs, given.commons) if given.commons else None


async def _takedown(call: Call) -> int:
    entry, commons = await _place(call)
    made = await call.verbs.take_down(entry, call.arguments.reason, commons=commons)
    call.output.document(made)
    call.output.say("Taken down: this machine keeps no text of it and takes none again. Others decide for themselves.")
    call.output.say("Backups made before hold it still.")
    return 0


async def _release(call: Call) -> int:
    entry, commons = await _place(call)
    await call.verbs.release(entry, commons=commons)
    call.output.document({"entry": entry.hex()})
    call.output.say("No longer withheld: neighbours are asked for it.")
    return 0


async def _withheld(call: Call) -> int:
    from p2pcommons.api.wire import rfc3339

    found = await call.verbs.withheld(await find_commons(call.verbs, call.arguments.commons))
    call.output.items(found)
    for one in found:
        call.output.say(f"{one.entry.hex()}  {rfc3339(one.at)[:10]}  {one.reason}")
    if not found:
        call.output.say("Nothing is withheld here.")
    return 0


COMMANDS = (
    Command("host takedown", "by law: keep no text of an entry on this machine", _takedown, _takedown_arguments),
    Command("host release", "take again what was taken down here", _release, _entry_arguments),
    Command("host withheld", "what was taken down on this machine", _withheld, commons_argument),
    Command("host unit", "print a hardened systemd unit for this node", _unit, _unit_arguments, Needs.NOTHING, True),
    Command(
        "host container", "print a Containerfile for this node", _container, _container_arguments, Needs.NOTHING, True
    ),
)
