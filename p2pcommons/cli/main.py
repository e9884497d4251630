"""The command `p2pcommons`: parse, run one command, turn what went wrong into one line and an exit code.

Exit codes: 0 done; 1 refused or failed, with one line on stderr; 2 wrong usage. Importing this imports no network,
no database and no numerics: handlers import what they use.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import NoReturn

from p2pcommons import __version__
from p2pcommons.cli import (
    beginnings,
    charters,
    commons,
    connection,
    discussing,
    entries,
    exchange,
    host,
    members,
    moderation,
    node,
    organisations,
    outcomes,
    peers,
    proposals,
    upkeep,
)
from p2pcommons.cli.command import Call, Command, Needs
from p2pcommons.cli.output import Output
from p2pcommons.config import default_data_folder
from p2pcommons.errors import P2PCommonsError

COMMANDS: tuple[Command, ...] = (
    *node.COMMANDS,
    *commons.COMMANDS,
    *beginnings.COMMANDS,
    *charters.COMMANDS,
    *members.COMMANDS,
    *organisations.COMMANDS,
    *proposals.COMMANDS,
    *outcomes.COMMANDS,
    *discussing.COMMANDS,
    *entries.COMMANDS,
    *moderation.COMMANDS,
    *exchange.COMMANDS,
    *peers.COMMANDS,
    *upkeep.COMMANDS,
    *host.COMMANDS,
)
"""Every command there is."""

GROUPS = {
    "commons": "commons: make, follow, join, invite, fork",
    "charter": "the rules of a commons, and questions to them",
    "member": "members: list, take out for good, make stewards",
    "organisation": "organisations: who speaks for one, and what it asks them",
    "proposal": "what is proposed to the members, and amended",
    "entry": "entries: add, show, change, withdraw",
    "moderation": "reports that wait, and what is hidden",
    "block-list": "keys that you do not want to see",
    "peer": "other nodes this one talks to",
    "identity": "who writes here",
    "host": "a node that is always on",
}
"""First words that hold several commands, and what `--help` says of them."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and give its exit code."""
    parser = build_parser()
    arguments, rest = parser.parse_known_args(argv)
    command: Command | None = getattr(arguments, "command", None)
    if command is None:
        arguments.parser.print_help(sys.stderr)
        return 2
    if rest and not command.passes_on:
        arguments.parser.error(f"unrecognized arguments: {' '.join(rest)}")
    arguments.rest = rest
    for stream in (sys.stdout, sys.stderr):  # what a terminal cannot write is shown in ASCII, and stops nothing
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    output = Output(json=arguments.json)
    data = Path(arguments.data).expanduser() if arguments.data else default_data_folder()
    try:
        return asyncio.run(_run(command, Call(arguments, data.absolute(), output)))
    except P2PCommonsError as error:
        output.done()
        output.warn(f"p2pcommons: {error.detail}")
        return 1
    except BrokenPipeError:  # the reader of our output left: no complaint
        _silence_stdout()
        return 1
    except OSError as error:
        output.done()
        output.warn(f"p2pcommons: {_os_error(error)}")
        return 1
    except KeyboardInterrupt:
        output.done()
        output.warn("p2pcommons: stopped; what was done stays, the same command goes on from there")
        return 1
    except Exception as error:  # the edge of the program: a person is told, who wants to know more is shown
        if os.environ.get("P2PCOMMONS_DEBUG"):
            raise
        output.done()
        output.warn(
            f"p2pcommons: something went wrong that nobody foresaw ({type(error).__name__}). Run: p2pcommons verify. "
            "If it finds no fault, please report this; with P2PCOMMONS_DEBUG=1 set the command shows where."
        )
        return 1


async def _run(command: Command, call: Call) -> int:
    if command.needs is Needs.NOTHING:
        return await command.run(call)
    async with connection.connected(call.data, live=command.needs is Needs.NODE) as verbs:
        return await command.run(Call(call.arguments, call.data, call.output, verbs))


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(2, f"{self.prog}: {message}\n")


def build_parser() -> argparse.ArgumentParser:
    """The parser of every command."""
    parser = _Parser(
        prog="p2pcommons",
        description="A catalogue of commons that no one owns: signed, replicated, offline first.",
    )
    _shared(parser, first=True)
    subparsers = parser.add_subparsers(metavar="COMMAND", title="commands")
    groups: dict[str, argparse._SubParsersAction[_Parser]] = {}
    for command in COMMANDS:
        first, _, second = command.words.partition(" ")
        if not second:
            _declare(subparsers.add_parser(first, help=command.summary, description=command.summary), command)
            continue
        if first not in groups:
            group = subparsers.add_parser(first, help=GROUPS[first], description=GROUPS[first])
            _shared(group, first=False)
            groups[first] = group.add_subparsers(metavar="COMMAND", title="commands")
        _declare(groups[first].add_parser(second, help=command.summary, description=command.summary), command)
    return parser


def _declare(parser: argparse.ArgumentParser, command: Command) -> None:
    _shared(parser, first=False)
    parser.set_defaults(command=command)
    command.declare(parser)


def _shared(parser: argparse.ArgumentParser, *, first: bool) -> None:
    """What stands before or after the command: an option left out further right keeps what was said on the left."""
    parser.set_defaults(parser=parser)
    unsaid = None if first else argparse.SUPPRESS
    parser.add_argument("--data", metavar="DIR", default=unsaid, help="data folder (else $P2PCOMMONS_DATA, else yours)")
    parser.add_argument(
        "--json", action="store_true", default=False if first else argparse.SUPPRESS, help="print JSON for programs"
    )
    parser.add_argument("--version", action="version", version=f"p2pcommons {__version__}")


def _os_error(error: OSError) -> str:
    what = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {what}" if error.filename else what


def _silence_stdout() -> None:
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.close(nothing)


if __name__ == "__main__":
    sys.exit(main())
