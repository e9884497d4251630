"""The hello: who speaks, and what they know (chapter 30, "Handshake")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from p2pcommons.core.limits import FRAME_BYTES_MAX
from p2pcommons.sync.fields import COUNT_MAX, as_bytes, as_list, as_number, as_text, bad, check_ascending

_VERSIONS_MAX: Final = 16
_VERSION_MAX: Final = 65_535
_FEATURES_MAX: Final = 32
_WORD_BYTES_MAX: Final = 32
_AGENT_BYTES_MAX: Final = 64
_HOST_BYTES_MAX: Final = 253  # RFC 1035


@dataclass(frozen=True, slots=True)
class Hello:
    """Who speaks and what they know. `expected` is zeros where any listener will do; `host` is empty on direct
    links."""

    key: bytes
    nonce: bytes
    now_ms: int
    expected: bytes = bytes(32)
    versions: tuple[int, ...] = (1,)
    records: tuple[int, ...] = (1,)  # record versions known
    features: tuple[str, ...] = ()
    window: int = FRAME_BYTES_MAX  # bytes of packs it lets be under way unconfirmed
    host: str = ""
    agent: str = ""


def hello_fields(message: Hello) -> list[Any]:
    """What of it goes into its frame."""
    return [
        {
            "agent": message.agent, "expected": message.expected, "features": message.features, "host": message.host,
            "key": message.key, "limits": {"window": message.window}, "nonce": message.nonce, "now": message.now_ms,
            "records": message.records, "versions": message.versions,
        }
    ]  # fmt: skip


_HELLO_KEYS: Final = frozenset(hello_fields(Hello(b"", b"", 0))[0])


def parse_hello(fields: list[Any]) -> list[Any]:
    """The values of a hello, from what its frame holds. RemoteProtocolError `bad_message`."""
    said = fields[0]
    if type(said) is not dict or not said.keys() >= _HELLO_KEYS:
        bad("a hello is a map with " + ", ".join(sorted(_HELLO_KEYS)))
    limits = said["limits"]
    if type(limits) is not dict:
        bad("the limits of a hello are a map")
    return [
        as_bytes(said["key"], 32),
        as_bytes(said["nonce"], 32),
        as_number(said["now"], COUNT_MAX),
        as_bytes(said["expected"], 32),
        _versions(said["versions"]),
        _versions(said["records"]),
        _features(said["features"]),
        as_number(limits.get("window"), COUNT_MAX, FRAME_BYTES_MAX),
        as_text(said["host"], _HOST_BYTES_MAX),
        as_text(said["agent"], _AGENT_BYTES_MAX),
    ]


def _versions(value: Any) -> tuple[int, ...]:
    versions = tuple(as_number(item, _VERSION_MAX, 1) for item in as_list(value, _VERSIONS_MAX, 1))
    check_ascending(versions)
    return versions


def _features(value: Any) -> tuple[str, ...]:
    features = tuple(as_text(item, _WORD_BYTES_MAX) for item in as_list(value, _FEATURES_MAX))
    check_ascending(features)
    return features
