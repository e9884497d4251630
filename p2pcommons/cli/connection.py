"""Where a command finds the verbs: the node running on the data folder, else the folder itself, under its lock."""

from __future__ import annotations

import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from p2pcommons.config import default_data_folder
from p2pcommons.errors import Refused

if TYPE_CHECKING:
    from p2pcommons.api.verbs import Verbs


def typed(words: str, data: Path) -> str:
    """A command as a person would type it for this data folder: `p2pcommons up --data /srv/commons`."""
    folder = "" if data == default_data_folder().absolute() else f" --data {shlex.quote(str(data))}"
    return f"p2pcommons {words}{folder}"


def no_node(data: Path) -> Refused:
    """What to tell where a running node is needed and none runs."""
    return Refused("no-node", f"No node runs on {data}. Start one: {typed('up', data)}")


@asynccontextmanager
async def connected(data: Path, *, live: bool = False) -> AsyncIterator[Verbs]:
    """The verbs of the node running on `data`; with none running, of the folder opened by this process.

    `live`: only a running node will do; Refused `no-node` where there is none.
    """
    from p2pcommons.node.folder import running_node

    note = running_node(data)
    if note is not None:
        from p2pcommons.api.client import Client

        async with Client.of_folder(data) as client:
            yield client
    elif live:
        raise no_node(data)
    else:
        from p2pcommons.node.local import local_client

        async with local_client(data) as commons:
            yield commons
