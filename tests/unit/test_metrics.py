"""What the numbers for Prometheus tell, and what they keep to themselves."""

from p2pcommons.api.metrics import UNANNOUNCED, exposition, status_metrics
from p2pcommons.core.identity import PublicKey
from p2pcommons.core.record import CommonsId
from p2pcommons.node.values import CommonsInfo, Instant, Status

KEY = PublicKey(bytes(32))


def _commons(number: int, *, announced: bool, entries: int) -> CommonsInfo:
    return CommonsInfo(CommonsId(bytes([number]) * 32), "here", announced=announced, entries=entries)


def test_only_announced_commons_are_named() -> None:
    followed = (
        _commons(1, announced=True, entries=3),
        _commons(2, announced=False, entries=5),
        _commons(3, announced=False, entries=7),
    )
    text = exposition(status_metrics(Status(True, "1", KEY, KEY, "", Instant(0), 0, commons=followed)))
    assert f'p2pcommons_entries{{commons="{"01" * 32}"}} 3' in text
    assert f'p2pcommons_entries{{commons="{UNANNOUNCED}"}} 12' in text
    assert "02" * 32 not in text and "03" * 32 not in text
    assert "p2pcommons_commons 3" in text
