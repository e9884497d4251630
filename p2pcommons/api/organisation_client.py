"""The verbs of organisations, and of names, over HTTP: a part of `Client`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from p2pcommons.api.connection import Connection
from p2pcommons.api.wire import from_json
from p2pcommons.core.identity import did_key
from p2pcommons.node.organisation_values import AskedInfo
from p2pcommons.node.values import ActInfo, MembersInfo

if TYPE_CHECKING:
    from p2pcommons.core.identity import PublicKey
    from p2pcommons.core.record import CommonsId, RecordId

T = TypeVar("T")


class OrganisationClient:
    """What `p2pcommons.api.organisation_verbs` has."""

    _connection: Connection

    if TYPE_CHECKING:

        async def _all(self, kind: type[T], path: str) -> tuple[T, ...]: ...

    async def declare_organisation(self, commons: CommonsId, people: Sequence[PublicKey], *, needed: int) -> ActInfo:
        """Say that one is an organisation, or that others speak for it."""
        body = {"people": [did_key(key) for key in people], "needed": needed}
        made = await self._connection.send("POST", f"/commons/{commons.hex()}/organisation", body)
        return from_json(ActInfo, made.value)

    async def name_oneself(self, commons: CommonsId, name: str) -> MembersInfo:
        """Say what one is called in a commons."""
        made = await self._connection.send("POST", f"/commons/{commons.hex()}/name", {"name": name})
        return from_json(MembersInfo, made.value)

    async def asked_acts(self, commons: CommonsId) -> tuple[AskedInfo, ...]:
        """What organisations ask their people."""
        return await self._all(AskedInfo, f"/commons/{commons.hex()}/asked")

    async def approve_act(self, commons: CommonsId, act: RecordId) -> AskedInfo:
        """Approve of what an organisation would do."""
        made = await self._connection.send("POST", f"/commons/{commons.hex()}/asked/{act.hex()}/approvals")
        return from_json(AskedInfo, made.value)
