"""The operations of the API, by noun."""

from p2pcommons.api.routes import (
    batches,
    beginnings,
    changes,
    charters,
    commons,
    entries,
    exchange,
    members,
    moderation,
    organisations,
    peers,
    proposals,
    status,
    upkeep,
)

OPERATIONS = (
    *status.OPERATIONS,
    *commons.OPERATIONS,
    *charters.OPERATIONS,
    *beginnings.OPERATIONS,
    *members.OPERATIONS,
    *organisations.OPERATIONS,
    *proposals.OPERATIONS,
    *entries.OPERATIONS,
    *moderation.OPERATIONS,
    *batches.OPERATIONS,
    *changes.OPERATIONS,
    *peers.OPERATIONS,
    *exchange.OPERATIONS,
    *upkeep.OPERATIONS,
)

__all__ = ["OPERATIONS"]
