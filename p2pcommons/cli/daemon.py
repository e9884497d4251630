"""`up`: a node in the foreground, with its API and its page, until it is told to stop."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
import os
import signal
import socket
import sys
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from aiohttp import web

from p2pcommons import __version__
from p2pcommons.api.server import ApiServer, build_app
from p2pcommons.api.serving import ApiSettings
from p2pcommons.cli.connection import typed
from p2pcommons.cli.logs import Secrets
from p2pcommons.config import NODES_PATH, Endpoint, Settings
from p2pcommons.core.identity import did_key
from p2pcommons.node.daemon import Node, own_host, port_refused, ports_to_try, public_address
from p2pcommons.web import Pages

logger = logging.getLogger("p2pcommons")


async def run(
    settings: Settings,
    *,
    api: Endpoint | None = None,
    listen: Endpoint | None = None,
    secrets: Secrets | None = None,
    for_programs: bool = False,
) -> int:
    """Run until SIGTERM or SIGINT; exit code 0. Refused or StoreError before anything answers.

    `secrets`: what the log must not say. `for_programs`: greet in the log, and nobody on stdout.
    """
    settings = replace(settings, api=api or settings.api, listen=listen or settings.listen)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(Node(settings))
        folder = node.runtime.folder
        if secrets is not None:
            secrets.hide(folder.token())
        assert settings.api is not None
        server = await _serve(stack, node, settings.api, settings.names)
        node.commons.api = server.address
        note = {
            "pid": os.getpid(),
            "api": server.address,
            "listen": node.commons.listen,
            "node": did_key(node.runtime.keys.node.public),
        }
        folder.write_note(note)
        stack.callback(folder.remove_note)
        _log_start(node)
        if not for_programs:
            _greet(node, settings.data, sys.stdout)
        # Imports and syncs make millions of short-lived values and no cycles: looking for cycles less often saves 10 %.
        gc.collect()
        _give_back_memory()
        gc.freeze()
        gc.set_threshold(100_000, 50, 50)
        await stop.wait()
        node.runtime.stop_long_jobs()
        logger.info("the node stops", extra={"event": "node_stopping"})
    logger.info("the node has stopped", extra={"event": "node_stopped"})
    return 0


async def _serve(stack: AsyncExitStack, node: Node, asked: Endpoint, names: tuple[str, ...]) -> ApiServer:
    folder = node.runtime.folder
    pages = Pages(folder.token())
    served = ApiSettings(
        folder.token(),
        hosts=_own_names(asked),
        public_hosts=tuple(public_address(name).host for name in names),
        session=pages.grant,
        scratch=folder.path,
    )
    app = build_app(node.commons, served, [*_way_in(node, names), *pages.routes()])
    for port in ports_to_try(asked):
        try:
            server = await stack.enter_async_context(ApiServer(app, asked.host, port))
        except OSError as error:
            failure = error
            continue
        if node.listener is not None:
            stack.push_async_callback(node.listener.leave_hosted)  # else the server waits for their links to end
        return server
    raise port_refused("--api", asked, failure)


def _way_in(node: Node, names: tuple[str, ...]) -> list[web.AbstractRouteDef]:
    """Where other nodes come in through a proxy; nowhere without a public name."""
    return [web.get(NODES_PATH, node.listener.hosted)] if names and node.listener is not None else []


def _give_back_memory() -> None:
    """Return what starting up used and freed to the system: glibc keeps it otherwise (malloc_trim(3))."""
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def _own_names(asked: Endpoint) -> tuple[str, ...]:
    """Names by which the API may be called besides loopback's: those of the address it was told to answer at."""
    if asked.host in ("0.0.0.0", "::", ""):
        return (own_host(), socket.gethostname())
    return (asked.host,)


def _log_start(node: Node) -> None:
    keys, commons = node.runtime.keys, node.commons
    fields = {
        "version": __version__,
        "node": did_key(keys.node.public),
        "page": f"http://{commons.api}/",
        "listen": commons.listen,
        "addresses": ", ".join(each.address for each in commons.addresses),
        "data": str(node.runtime.folder.path),
        "new_identity": keys.first_run,
        "new_node_key": keys.first_run or keys.copied,
    }
    logger.info("the node runs", extra={"event": "node_started", "fields": fields})


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
