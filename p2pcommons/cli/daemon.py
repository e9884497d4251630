"""`up`: a node in the foreground, with its API and its page, until it is told to stop."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import signal
import socket
import sys
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from p2pcommons.api.server import ApiServer, build_app
from p2pcommons.api.serving import ApiSettings
from p2pcommons.cli.connection import typed
from p2pcommons.config import Endpoint, Settings
from p2pcommons.core.identity import did_key
from p2pcommons.node.daemon import Node, own_host, port_refused, ports_to_try
from p2pcommons.web import Pages


async def run(settings: Settings, *, api: Endpoint | None = None, listen: Endpoint | None = None) -> int:
    """Run until SIGTERM or SIGINT; exit code 0. Refused or StoreError before anything answers."""
    settings = replace(settings, api=api or settings.api, listen=listen or settings.listen)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(Node(settings))
        folder = node.runtime.folder
        assert settings.api is not None
        server = await _serve(stack, node, settings.api)
        node.commons.api = server.address
        note = {
            "pid": os.getpid(),
            "api": server.address,
            "listen": node.commons.listen,
            "node": did_key(node.runtime.keys.node.public),
        }
        folder.write_note(note)
        stack.callback(folder.remove_note)
        _greet(node, settings.data, sys.stdout)
        # Imports and syncs make millions of short-lived values and no cycles: looking for cycles less often saves 10 %.
        gc.collect()
        _give_back_memory()
        gc.freeze()
        gc.set_threshold(100_000, 50, 50)
        await stop.wait()
    return 0


async def _serve(stack: AsyncExitStack, node: Node, asked: Endpoint) -> ApiServer:
    folder = node.runtime.folder
    pages = Pages(folder.token())
    served = ApiSettings(folder.token(), hosts=_own_names(asked), session=pages.grant, scratch=folder.path)
    app = build_app(node.commons, served, pages.routes())
    for port in ports_to_try(asked):
        try:
            return await stack.enter_async_context(ApiServer(app, asked.host, port))
        except OSError as error:
            failure = error
    raise port_refused("--api", asked, failure)


def _give_back_memory() -> None:
    """Return what starting up used and freed to the system: glibc keeps it otherwise (malloc_trim(3))."""
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def _own_names(asked: Endpoint) -> tuple[str, ...]:
    """Names by which the API may be called besides loopback's: those of the address it was told to answer at."""
    if asked.host in ("0.0.0.0", "::", ""):
        return (own_host(), socket.gethostname())
    return (asked.host,)


def _greet(node: Node, data: Path, out: TextIO) -> None:
    keys = node.runtime.keys
    if keys.first_run:
        words = typed("identity words", data)
        print(f"A new identity was made in {data}. Write its recovery words down: {words}", file=out)
    elif keys.copied:
        print(
            "This folder was copied or restored: this node has a new key of its own; people and records are the same.",
            file=out,
        )
    print(f"Page:       http://{node.commons.api}/", file=out)
    for address in node.commons.addresses:
        print(f"Neighbours: {address.address}", file=out)
    print("Stop with Ctrl-C.", file=out, flush=True)
