"""Bodies lost, erased, and withheld: the small lists a replica keeps of them (chapters 12, 20 and 23).

Wanted: bodies damaged here, asked for from every peer. Quarantined: bodies that an erasure hides; their bytes go
after 30 days, if the erasure still counts then. Withheld: subjects of which this replica alone keeps no body, whatever
comes: it was made to take them down.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from p2pcommons.core.limits import QUARANTINE_MS
from p2pcommons.core.record import CommonsId
from p2pcommons.sync.storage import Reader, Store

_ITEM = 8 + 32  # when it came in, and the record


def wanted(store: Reader, commons: CommonsId) -> frozenset[bytes]:
    """Records whose body was lost here."""
    kept = store.value(_wanted_name(commons)) or b""
    return frozenset(kept[at : at + 32] for at in range(0, len(kept), 32))


def put_wanted(store: Store, commons: CommonsId, ids: Iterable[bytes]) -> None:
    """Replace the list; within the transaction that changes the bodies."""
    store.put_value(_wanted_name(commons), b"".join(sorted(ids)) or None)


def withheld(store: Reader, commons: CommonsId) -> frozenset[bytes]:
    """Subjects of which no body is kept here. Not forgotten with their commons: it may be followed again."""
    kept = store.value(_withheld_name(commons)) or b""
    return frozenset(kept[at : at + 32] for at in range(0, len(kept), 32))


def put_withheld(store: Store, commons: CommonsId, subjects: Iterable[bytes]) -> None:
    """Replace the list; within the transaction that takes the bodies away."""
    store.put_value(_withheld_name(commons), b"".join(sorted(subjects)) or None)


def quarantine(
    store: Store, commons: CommonsId, hidden: AbstractSet[bytes], shown: AbstractSet[bytes], now_ms: int
) -> None:
    """Note that the bodies of `hidden` were erased now, and that those of `shown` are erased no more.

    Within the transaction that hides and shows them.
    """
    if not hidden and not shown:
        return
    kept = [item for item in _items(store, commons) if item[8:] not in shown]
    kept += [now_ms.to_bytes(8, "big") + identifier for identifier in sorted(hidden)]
    store.put_value(_quarantine_name(commons), b"".join(kept) or None)


def due(store: Reader, commons: CommonsId, now_ms: int) -> list[bytes]:
    """Records erased at least 30 days ago whose bytes may go."""
    return [item[8:] for item in _items(store, commons) if _is_due(item, now_ms)]


def release(store: Store, commons: CommonsId, now_ms: int) -> None:
    """Take what is due off the list."""
    left = [item for item in _items(store, commons) if not _is_due(item, now_ms)]
    store.put_value(_quarantine_name(commons), b"".join(left) or None)


def forget(store: Store, commons: CommonsId) -> None:
    """Both lists go with their commons; within the transaction that takes it away."""
    store.put_value(_wanted_name(commons), None)
    store.put_value(_quarantine_name(commons), None)


def _items(store: Reader, commons: CommonsId) -> list[bytes]:
    kept = store.value(_quarantine_name(commons)) or b""
    return [kept[at : at + _ITEM] for at in range(0, len(kept), _ITEM)]


def _is_due(item: bytes, now_ms: int) -> bool:
    return int.from_bytes(item[:8], "big") + QUARANTINE_MS <= now_ms


def _wanted_name(commons: bytes) -> str:
    return f"wanted/{commons.hex()}"


def _withheld_name(commons: bytes) -> str:
    return f"withheld/{commons.hex()}"


def _quarantine_name(commons: bytes) -> str:
    return f"quarantine/{commons.hex()}"
