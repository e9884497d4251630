"""A commons in which something of everything is proposed: for the tables of commands and routes."""

from __future__ import annotations

from pathlib import Path

from p2pcommons.api.verbs import Verbs
from p2pcommons.node.assembly_values import Question
from p2pcommons.node.commons import Commons


async def furnish_hall(alice: Verbs, bob: Commons, place: Path) -> dict[str, str]:
    """Found it as alice, let bob in by pack files, and let him offer an amendment; the ids of it."""
    hall = (await alice.create_commons("Halles")).id
    names = {"hall": hall.hex()}
    for name in ("voted", "ripe", "amended"):  # she alone votes on these
        names[name] = (await alice.propose(hall, Question(f"Un four, {name}"))).id.hex()
    ripe = (await alice.proposals(hall))[1]
    assert ripe.id.hex() == names["ripe"]
    await alice.vote(hall, ripe.id, "for")
    await bob.join((await alice.invite(hall)).invitation)

    async def bring(giver: Verbs, taker: Verbs) -> None:
        await giver.pack(place / "hall.pack", hall)
        await taker.unpack(place / "hall.pack")

    await bring(alice, bob)
    await bob.settle()
    await bring(bob, alice)
    offered = (await alice.propose(hall, Question("Un marché"))).id
    await bring(alice, bob)
    changed = await bob.amend_proposal(hall, offered, text="Deux marchés")
    await bring(bob, alice)
    return names | {"offered": offered.hex(), "amendment": changed.amendments[0].id.hex()}
