"""What a command is: words, arguments, and a coroutine that runs it. The groups of commands list these.

Importing this, or any group, imports nothing heavy: `--help` answers at once. What a handler needs it imports itself.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, cast

from p2pcommons.cli.output import Output
from p2pcommons.errors import Refused

if TYPE_CHECKING:
    from p2pcommons.api.verbs import Verbs
    from p2pcommons.core.record import CommonsId


_SHOWN_MAX = 8  # names in one line of an error


class Needs(Enum):
    """What must be there before a command can run."""

    NOTHING = "nothing"  # it finds what it needs itself
    FOLDER = "folder"  # the verbs: of the running node, else of the folder opened under its lock
    NODE = "node"  # the verbs of a running node: without one the command says so


@dataclass(frozen=True, slots=True)
class Call:
    """One run of a command: its arguments, the data folder, where to print, and the verbs it needs."""

    arguments: argparse.Namespace
    data: Path
    output: Output
    maybe_verbs: Verbs | None = None

    @property
    def verbs(self) -> Verbs:
        """The verbs; only for commands that declare they need them."""
        return cast("Verbs", self.maybe_verbs)


def _no_arguments(parser: argparse.ArgumentParser) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Command:
    """One command. `words` as typed (`"commons create"`); `run` gives the exit code."""

    words: str
    summary: str
    run: Callable[[Call], Awaitable[int]]
    declare: Callable[[argparse.ArgumentParser], None] = _no_arguments
    needs: Needs = Needs.FOLDER
    passes_on: bool = False  # arguments not declared here are the handler's own (`arguments.rest`)


# -- types of arguments; argparse turns ValueError and ArgumentTypeError into a usage error


def entry_id(text: str) -> bytes:
    """The id of an entry or commons: 64 hex digits."""
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    if len(value) != 32:
        raise argparse.ArgumentTypeError(f"{text!r} is not an id: 64 hexadecimal digits, as lists and `search` show it")
    return value


def count(text: str) -> int:
    """A number from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1")
    return int(text)


def target_file(path: Path) -> Path:
    """Where a file is to be written, absolute. Refused where no file can be there: told before the work, not after."""
    whole = path.expanduser().absolute()
    if not whole.parent.is_dir():
        raise Refused("no-folder", f"There is no folder {whole.parent}: make it first, or name another file.")
    if whole.is_dir():
        raise Refused("is-folder", f"{whole} is a folder: name a file in it.")
    return whole


def commons_argument(parser: argparse.ArgumentParser, *, required: bool = False) -> None:
    """Declare `--commons`."""
    text = "a commons: its id, the beginning of its id, or its name"
    if required:
        text += " (not needed where only one is followed)"
    parser.add_argument("--commons", metavar="C", help=text)


async def find_commons(verbs: Verbs, named: str | None) -> CommonsId:
    """The followed commons that a person named by id, beginning of id, or name; the only one where none is named."""
    from p2pcommons.core.record import CommonsId

    if named is not None and len(named) == 64:
        try:
            return CommonsId(bytes.fromhex(named))
        except ValueError:
            pass
    followed = await verbs.list_commons()
    if named is None:
        found = list(followed)
        if not found:
            raise Refused("no-commons", 'No commons is followed here. Make one: p2pcommons commons create "NAME"')
    else:
        found = [each for each in followed if each.name == named]
        found = found or [each for each in followed if len(named) >= 4 and each.id.hex().startswith(named.lower())]
        if not found:
            raise Refused("unknown-commons", f"No followed commons is called {named!r}. See: p2pcommons commons list")
    if len(found) > 1:
        shown = ", ".join(
            f"{each.name or 'one that is not here yet'} ({each.id.hex()[:8]})" for each in found[:_SHOWN_MAX]
        )
        more = f" and {len(found) - _SHOWN_MAX} more" if len(found) > _SHOWN_MAX else ""
        raise Refused(
            "which-commons", f"Several commons fit: {shown}{more}. Name one by its name or the beginning of its id."
        )
    return found[0].id


def language() -> str:
    """The language of this person's terminal; English where it says none."""
    spoken = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or "en"
    return spoken[:2].lower() if spoken[:2].isalpha() and spoken[:2].isascii() else "en"
