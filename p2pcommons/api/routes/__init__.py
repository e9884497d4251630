"""The operations of the API, by noun."""

from p2pcommons.api.routes import batches, changes, commons, entries, exchange, peers, status, upkeep

OPERATIONS = (
    *status.OPERATIONS,
    *commons.OPERATIONS,
    *entries.OPERATIONS,
    *batches.OPERATIONS,
    *changes.OPERATIONS,
    *peers.OPERATIONS,
    *exchange.OPERATIONS,
    *upkeep.OPERATIONS,
)

__all__ = ["OPERATIONS"]
