"""A program on a host of the test bed: listens like a node, or says on the network what it is told to say.

    speaker.py watch NUMBER        announces the node of that number, prints what it hears, a line each
    speaker.py say JSON            announces anything at all: a list of [name, port, [host…], TXT in hexadecimal]
    speaker.py crowd COUNT         announces so many nodes at once, all at addresses of this host

It prints `ready`, and ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import json
import sys
from hashlib import sha256

from zeroconf import ServiceInfo
from zeroconf.asyncio import AsyncZeroconf

from p2pcommons.core.identity import PublicKey, SigningKey, did_key, is_point
from p2pcommons.network.announcement import SERVICE, Told, text_of
from p2pcommons.network.interfaces import Place, choose, look
from p2pcommons.network.mdns import Event, Found, InterfaceFound, InterfaceLost, LocalNetwork, Lost


def key_of(number: int) -> PublicKey:
    """A node key; keys of a number and of its negative begin alike, so that their nodes take the same name first."""
    public = SigningKey(sha256(b"%d" % abs(number)).digest()).public
    if number > 0:
        return public
    return next(key for tail in range(256) if is_point(key := public[:31] + bytes([tail])) and key != public)  # type: ignore[return-value]


async def end() -> None:
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def tell(event: Event) -> None:
    match event:
        case Found(seen):
            hosts = ",".join(address.host for address in seen.addresses)
            print("found", seen.interface, did_key(seen.key), hosts, seen.name.partition(".")[0], flush=True)
        case Lost(interface, name):
            print("lost", interface, name.partition(".")[0], flush=True)
        case InterfaceFound() | InterfaceLost():
            print(type(event).__name__, event.interface.name, flush=True)


async def watch(number: int) -> None:
    async with LocalNetwork(Told(key_of(number)), Place("0.0.0.0", 7421), tell):
        print("ready", flush=True)
        await end()


async def say(infos: list[ServiceInfo]) -> None:
    (interface,) = choose(look())
    zeroconf = AsyncZeroconf(interfaces=[str(interface.addresses[0].ip)])
    for info in infos:
        await zeroconf.async_register_service(info, cooperating_responders=True, strict=False)
    await asyncio.sleep(1)  # three announcements of each go out
    print("ready", flush=True)
    await end()
    await zeroconf.async_close()


def anything(name: str, port: int, hosts: list[str], text: str) -> ServiceInfo:
    return ServiceInfo(
        SERVICE, f"{name}.{SERVICE}", port=port, properties=bytes.fromhex(text), server=f"{name}.local.",
        parsed_addresses=hosts,
    )  # fmt: skip


def crowd(count: int) -> list[ServiceInfo]:
    own = str(choose(look())[0].addresses[0].ip)
    return [
        ServiceInfo(
            SERVICE, f"n{number}.{SERVICE}", port=7421, properties=text_of(Told(key_of(number))), server="crowd.local.",
            parsed_addresses=[own],
        )
        for number in range(1, count + 1)
    ]  # fmt: skip


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["watch", number]:
            asyncio.run(watch(int(number)))
        case ["say", told]:
            asyncio.run(say([anything(*one) for one in json.loads(told)]))
        case ["crowd", count]:
            asyncio.run(say(crowd(int(count))))
