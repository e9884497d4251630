"""p2pcommons: a peer-to-peer synchronised catalogue of commons.

How the house is laid out (left imports right, nothing else):

    errors, config      one exception tree; one frozen dataclass of settings
    core/     pure      the atom and its proof: encoding identity clock merkle record seal, and all limits
    commons/  pure      what records mean, as folds: vocabulary entry charter
    sync/     pure      how replicas meet: digest ranges message session replica
    store/              where records live: memory and SQLite behind one declared interface
    network/            the thin asyncio skin: links over WebSocket and TLS
    formats/            outside formats <-> drafts of entries
    node/               the daemon, and `Commons`: the verbs that API, command line and pages share
    api/ web/ cli/      the three ways to speak these verbs

`core`, `commons` and `sync` know no socket, file, clock, dice or asyncio.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from p2pcommons.api.client import Client

__all__ = ["Client", "__version__"]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    # `from p2pcommons import Client` without loading HTTP for those who use `core` alone.
    if name == "Client":
        from p2pcommons.api.client import Client

        return Client
    raise AttributeError(f"module 'p2pcommons' has no attribute {name!r}")
