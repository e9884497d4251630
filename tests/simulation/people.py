"""What people do on the hosts of a universe: join, write, change, invite, take further devices, recover, erase, purge."""

from __future__ import annotations

from hashlib import sha256
from random import Random

from p2pcommons.commons.charter import Charter
from p2pcommons.commons.charter_bodies import (
    Made,
    add_device,
    erase,
    invite,
    join_by_invitation,
    join_open,
    open_joining,
    purge,
    rotate,
)
from p2pcommons.commons.doors import recovery_hash
from p2pcommons.commons.entry import entry_record, predecessors
from p2pcommons.core.encoding import encode_body
from p2pcommons.core.identity import SigningKey
from p2pcommons.core.limits import TIME_MAX
from p2pcommons.core.record import ZEROS, Record
from p2pcommons.sync.replica import Draft
from simulation.host import Host
from simulation.universe import Universe

_SOURCES = ("https://example.org/1", "https://example.org/2", "urn:isbn:9782070360024")
_FEW = 8
_LONG_SHARE = 0.003  # of records are texts that fill frames
_STAMP = bytes(8)  # doors of these worlds ask for no work


def join(world: Universe, host: Host, random: Random) -> None:
    """By an open door, once the charter is there."""
    charter = _seen(world, host)
    door = None if charter is None else charter.open_entrance()
    if charter is None or door is None or host.key.public in charter.admitted | charter.purged:
        return
    made = join_open(recovery=recovery_hash(host.recovery.public), stamp=_STAMP)
    if _act(world, host, host.key, made, prev=(door.id,), about=host.key.public):
        world.say(f"host {host.number} joins")


def invite_(world: Universe, host: Host, random: Random) -> None:
    """Make an invitation that anybody may find."""
    token = SigningKey(random.randbytes(32))
    made = _act(world, host, host.key, invite(token.public, uses=None, stamp_bits=0))
    if made:
        world.tokens[made[0].id] = token
        world.say(f"host {host.number} invites")


def follow_invitation(world: Universe, host: Host, random: Random) -> None:
    """Join by an invitation that is here."""
    charter = _seen(world, host)
    if charter is None or host.key.public in charter.admitted | charter.purged:
        return
    doors = [door.id for door in charter.entrances if door.id in world.tokens]
    if not doors:
        return
    door = random.choice(doors)
    made = join_by_invitation(
        world.commons, door, host.key.public, world.tokens[door], recovery=recovery_hash(host.recovery.public),
        stamp=_STAMP,
    )  # fmt: skip
    if _act(world, host, host.key, made, prev=(door,), about=host.key.public):
        world.say(f"host {host.number} joins by invitation")


def open_door(world: Universe, host: Host, random: Random) -> None:
    """The founder opens another way in."""
    if _act(world, world.hosts[0], world.hosts[0].keys[0], open_joining(stamp_bits=0)):
        world.say("host 0 opens a door")


def write(world: Universe, host: Host, random: Random) -> None:
    """New entries, sealed together; now and then very many."""
    _write(world, host, random, random.randint(1, 3))


def write_many(world: Universe, host: Host, random: Random) -> None:
    """A catalogue, taken in at once."""
    _write(world, host, random, random.randint(20, 150))


def write_very_many(world: Universe, host: Host, random: Random) -> None:
    """More than news can tell and a sketch can show, on one of few hosts."""
    if len(world.hosts) <= _FEW:
        _write(world, host, random, random.randint(1_100, 3_500))


def _write(world: Universe, host: Host, random: Random, count: int) -> None:
    key = random.choice(host.keys)
    if world.charter(host, key) is None:
        return
    drafts = []
    for number in range(count):
        about = sha256(b"%d %d " % (host.number, number) + random.randbytes(16)).digest()
        values = {"type": "text", "title": f"{host.number}, {random.randrange(1000)}"}
        if random.random() < _LONG_SHARE:
            values["description"] = random.randbytes(random.randint(1_000, 30_000)).hex()
        drafts.append(Draft(1, about, (), "entry.edit", encode_body({"set": values})))
    if world.put(host, key, 1, drafts):
        world.say(f"host {host.number} writes {count}")


def edit(world: Universe, host: Host, random: Random) -> None:
    """Change one of the entries that are there."""
    title = f"changed, {random.randrange(10**6)}"
    if _change(world, host, random, "entry.edit", {"set": {"title": title}, "add": {"subjects": [title]}}):
        world.say(f"host {host.number} edits")


def withdraw(world: Universe, host: Host, random: Random) -> None:
    """Take an entry back."""
    if _change(world, host, random, "entry.withdraw", {}):
        world.say(f"host {host.number} withdraws")


def import_(world: Universe, host: Host, random: Random) -> None:
    """Take in a source that others take in too; a hostile one says what it likes of it."""
    source = random.choice(_SOURCES)
    about = sha256(b"p2pcommons entry v1\0" + world.commons + source.encode()).digest()
    title = f"as {host.number} reads it, {random.randrange(5)}"
    origin = source if host.honest else random.choice((source, "https://example.net/elsewhere", "not a source"))
    body = {"origin": origin, "map": "map/1", "set": {"type": "text", "title": title}}
    if _change(world, host, random, "entry.edit", body, about):
        world.say(f"host {host.number} imports {source}")


def _change(
    world: Universe, host: Host, random: Random, kind: str, body: dict[str, object], about: bytes | None = None
) -> list[Record]:
    if world.charter(host) is None or host.replica is None:
        return []
    if about is None:
        keys = host.store.keys(world.commons, 1, None, 10**9)
        if not keys:
            return []
        about = world.written[random.choice(keys).id][2]
    past = [entry_record(record) for record in host.replica.history(world.commons, about)]
    draft = Draft(1, about, predecessors(past, host.key.public), kind, encode_body(body))
    return world.put(host, host.key, 1, [draft])


def take_device(world: Universe, host: Host, random: Random) -> None:
    """A further key of the same person."""
    device = SigningKey(random.randbytes(32))
    if _act(world, host, host.key, add_device(world.commons, host.key.public, device)):
        host.keys.insert(0, device)
        _watch(host)
        world.say(f"host {host.number} takes another device")


def recover(world: Universe, host: Host, random: Random) -> None:
    """The person lost the key, and takes a new one by the words on paper."""
    if new := _rotate(world, host, host, random):
        host.keys.append(new)
        _watch(host)
        world.say(f"host {host.number} recovers")


def steal(world: Universe, host: Host, random: Random) -> None:
    """Somebody found the paper of another person."""
    victim = random.choice(world.hosts)
    if victim is not host and (new := _rotate(world, host, victim, random)):
        host.keys.insert(0, new)
        world.say(f"host {host.number} takes the key of {victim.number} over")


def _rotate(world: Universe, host: Host, victim: Host, random: Random) -> SigningKey | None:
    charter = _seen(world, host)
    old = victim.key.public
    if charter is None or old not in charter.admitted:
        return None
    new = SigningKey(random.randbytes(32))
    lasts = [(plane, host.store.last_of(world.commons, plane, old, TIME_MAX)) for plane in (0, 1)]
    heads = {plane: [last.id] for plane, last in lasts if last is not None}
    recovery = recovery_hash(victim.recovery.public)
    made = rotate(world.commons, new.public, old, victim.recovery, next_recovery=recovery, heads=heads)
    return new if _act(world, host, new, made, prev=charter.prev_for(old), about=new.public) else None


def erase_(world: Universe, host: Host, random: Random) -> None:
    """One of its own records; a hostile one, and now and then the founder, those of others."""
    all_ = [one for one, (plane, _, _) in world.written.items() if plane == 1]
    own = [one for one in all_ if world.acknowledged.get(one) == host.number]
    some = all_ if host.number == 0 or not host.honest else own
    if some and _act(world, host, host.key, erase({random.choice(some): ["title"]})):
        world.say(f"host {host.number} erases")


def purge_(world: Universe, host: Host, random: Random) -> None:
    """A person, by the founder, for good."""
    founder = world.hosts[0]
    charter = world.charter(founder)
    if charter is None or host is founder or host.key.public not in charter.admitted:
        return
    if _act(world, founder, founder.key, purge([host.key.public])):
        world.say(f"a key of host {host.number} is purged")


def purge_door(world: Universe, host: Host, random: Random) -> None:
    """An invitation, by the founder: who came in by it unseen is out."""
    if not world.tokens:
        return
    door = random.choice(sorted(world.tokens))
    if _act(world, world.hosts[0], world.hosts[0].key, purge(doors=[door])):
        world.say("an invitation is purged")


def _seen(world: Universe, host: Host) -> Charter | None:
    """A host's charter, if it has one."""
    if host.replica is None or world.commons not in host.replica.followed():
        return None
    charter = host.replica.charter(world.commons)
    return charter if charter is not None and charter.founded else None


def _act(
    world: Universe, host: Host, key: SigningKey, made: Made, *, prev: tuple[bytes, ...] | None = None,
    about: bytes = ZEROS,
) -> list[Record]:  # fmt: skip
    """Write an act; `prev` None: on all that is seen, if the key may write."""
    charter = _seen(world, host)
    if charter is None or (prev is None and key.public not in charter.admitted):
        return []
    past = charter.prev_for(key.public) if prev is None else prev
    return world.put(host, key, 0, [Draft(0, about, past, made.kind, encode_body(made.body))])


def _watch(host: Host) -> None:
    if host.replica is not None:
        for key in host.keys:
            host.replica.watch(key.public)
