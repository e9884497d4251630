"""The verbs of organisations, and of names: a part of `p2pcommons.api.verbs.Verbs`.

What a node whose person is an organisation is told to do it first asks of those who speak for it: until enough of them have
approved every such verb answers Conflict `people-asked`, and then it is done by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from p2pcommons.core.identity import PublicKey
from p2pcommons.core.record import CommonsId, RecordId
from p2pcommons.node.organisation_values import AskedInfo
from p2pcommons.node.values import ActInfo, MembersInfo


class OrganisationVerbs(Protocol):
    """Saying who speaks for an organisation, and speaking for it."""

    async def declare_organisation(self, commons: CommonsId, people: Sequence[PublicKey], *, needed: int) -> ActInfo:
        """Say that one is an organisation that acts by `needed` of these people, or that others speak for it from now on.

        The latter is not done before as many of those who speak for it now have approved. Refused `not-a-member`; Conflict
        `bad-organisation`; NotFound `unknown-commons`, `unknown-member`.
        """
        ...

    async def name_oneself(self, commons: CommonsId, name: str) -> MembersInfo:
        """Say what one is called in a commons, for all to read; an empty name takes it back.

        Refused `bad-person-name`, `not-a-member`; NotFound `unknown-commons`; Conflict `commons-waiting`.
        """
        ...

    async def asked_acts(self, commons: CommonsId) -> tuple[AskedInfo, ...]:
        """What organisations ask their people, the latest first. NotFound `unknown-commons`; Conflict `commons-waiting`."""
        ...

    async def approve_act(self, commons: CommonsId, act: RecordId) -> AskedInfo:
        """Approve of it, as one of them. Refused `not-asked`; NotFound `unknown-act`, `unknown-commons`."""
        ...
