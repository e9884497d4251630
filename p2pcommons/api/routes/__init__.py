"""The operations of the API, by noun."""

from p2pcommons.api.routes import batches, changes, charters, commons, entries, exchange, members, peers, status, upkeep

OPERATIONS = (
    *status.OPERATIONS,
    *commons.OPERATIONS,
    *charters.OPERATIONS,
    *members.OPERATIONS,
    *entries.OPERATIONS,
    *batches.OPERATIONS,
    *changes.OPERATIONS,
    *peers.OPERATIONS,
    *exchange.OPERATIONS,
    *upkeep.OPERATIONS,
)

__all__ = ["OPERATIONS"]
