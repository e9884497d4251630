"""Bodies lost and bodies erased: the two small lists a replica keeps of them (chapters 12 and 20).

Wanted: bodies damaged here, asked for from every peer. Quarantined: bodies that an erasure hides; their bytes go
after 30 days, if the erasure still counts then.
"""

from __future__ import annotations

from collections.abc import Iterable

from p2pcommons.core.limits import QUARANTINE_MS
from p2pcommons.core.record import CommonsId
from p2pcommons.sync.storage import Reader, Store

_ITEM = 8 + 32  # when it came in, and the record


def wanted(store: Reader, commons: CommonsId) -> frozenset[bytes]:
    """Records whose body was lost here."""
    kept = store.value(f"wanted/{commons.hex()}") or b""
    return frozenset(kept[at : at + 32] for at in range(0, len(kept), 32))


def put_wanted(store: Store, commons: CommonsId, ids: Iterable[bytes]) -> None:
    """Replace the list; within the transaction that changes the bodies."""
    store.put_value(f"wanted/{commons.hex()}", b"".join(sorted(ids)) or None)


def quarantine(store: Store, commons: CommonsId, ids: Iterable[bytes], now_ms: int) -> None:
    """Note that these bodies were erased now; within the transaction that hides them."""
    added = b"".join(now_ms.to_bytes(8, "big") + identifier for identifier in sorted(ids))
    if added:
        store.put_value(_name(commons), (store.value(_name(commons)) or b"") + added)


def due(store: Reader, commons: CommonsId, now_ms: int) -> list[bytes]:
    """Records erased at least 30 days ago whose bytes may go."""
    return [item[8:] for item in _items(store, commons) if _is_due(item, now_ms)]


def release(store: Store, commons: CommonsId, now_ms: int) -> None:
    """Take what is due off the list."""
    left = [item for item in _items(store, commons) if not _is_due(item, now_ms)]
    store.put_value(_name(commons), b"".join(left) or None)


def _items(store: Reader, commons: CommonsId) -> list[bytes]:
    kept = store.value(_name(commons)) or b""
    return [kept[at : at + _ITEM] for at in range(0, len(kept), _ITEM)]


def _is_due(item: bytes, now_ms: int) -> bool:
    return int.from_bytes(item[:8], "big") + QUARANTINE_MS <= now_ms


def _name(commons: bytes) -> str:
    return f"quarantine/{commons.hex()}"
