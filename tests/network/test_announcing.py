"""What is heard on the network: names that collide, strangers that lie, crowds, and one segment from another."""

from __future__ import annotations

import json

from bed import Bed
from listening import Speaker, txt
from living import until
from speaker import key_of

from p2pcommons.core.identity import did_key
from p2pcommons.core.limits import LAN_NAMES_MAX
from p2pcommons.network.announcement import Told, label_of, text_of


def keys(heard: list[list[str]]) -> list[str]:
    return [line[1] for line in heard]


def test_two_of_one_name_are_both_heard_and_one_has_another_name(bed: Bed) -> None:
    hall = bed.switch("hall")
    hosts = [bed.host(f"h{n}").plug("lan0", hall, f"10.91.0.{n}/24") for n in (1, 2, 3)]
    assert label_of(key_of(1)) == label_of(key_of(-1)) and key_of(1) != key_of(-1)
    with (
        Speaker(hosts[0], "watch", "1"),
        Speaker(hosts[1], "watch", "-1"),
        Speaker(hosts[2], "watch", "5") as listening,
    ):
        until(lambda: set(keys(listening.heard("found"))) >= {did_key(key_of(1)), did_key(key_of(-1))})
        names = {key: name for _, key, _, name in listening.heard("found")}
        assert len(set(names.values())) == 2


def test_what_strangers_say_wrongly_is_passed_over(bed: Bed) -> None:
    hall = bed.switch("hall")
    watching = bed.host("watching").plug("lan0", hall, "10.91.0.1/24")
    stranger = bed.host("stranger").plug("lan0", hall, "10.91.0.2/24")
    right = text_of(Told(key_of(9)))
    here = ["10.91.0.2"]
    wrong = [
        ("no-key", 7421, here, txt({"txtvers": "1", "pv": "1"})),
        ("bad-key", 7421, here, txt({**right, "key": "z6MkNothing"})),
        ("cut-key", 7421, here, txt({**right, "key": right["key"][:-1]})),
        ("later-form", 7421, here, txt({**right, "txtvers": "2"})),
        ("bad-mark", 7421, here, txt({**right, "list": "x" * 16})),
        ("large", 7421, here, txt({**right, **{f"x{n}": "y" * 200 for n in range(3)}})),
        ("elsewhere", 7421, ["192.0.2.7"], txt(right)),  # another network: nobody is sent to knock there
        ("loopback", 7421, ["127.0.0.1"], txt(right)),
        ("everybody", 7421, ["10.91.0.255"], txt(right)),
        ("mail", 25, here, txt(right)),
    ]
    control = [("right", 7421, ["192.0.2.7", "10.91.0.2"], txt(right))]
    with Speaker(watching, "watch", "5") as listening:
        with Speaker(stranger, "say", json.dumps(wrong)), Speaker(stranger, "say", json.dumps(control)):
            until(lambda: listening.heard("found"))
        until(lambda: listening.heard("lost"))
    assert listening.heard("found") == [["lan0", did_key(key_of(9)), "10.91.0.2", "right"]]
    assert listening.heard("lost") == [["lan0", "right"]]


def test_a_crowd_is_heard_up_to_a_bound(bed: Bed) -> None:
    hall = bed.switch("hall")
    watching = bed.host("watching").plug("lan0", hall, "10.91.0.1/24")
    square = bed.host("square").plug("lan0", hall, "10.91.0.2/24")
    with Speaker(watching, "watch", "100000") as listening, Speaker(square, "crowd", str(LAN_NAMES_MAX + 40)):
        until(lambda: len(set(keys(listening.heard("found")))) == LAN_NAMES_MAX)
    assert len(set(keys(listening.heard("found")))) == LAN_NAMES_MAX


def test_each_interface_is_a_world_of_its_own(bed: Bed) -> None:
    left, right = bed.switch("left"), bed.switch("right")
    west = bed.host("west").plug("lan0", left, "10.91.0.1/24")
    east = bed.host("east").plug("lan0", right, "10.92.0.1/24")
    both = bed.host("both").plug("lan0", left, "10.91.0.9/24").plug("lan1", right, "10.92.0.9/24")
    with Speaker(west, "watch", "1") as one, Speaker(east, "watch", "2") as two, Speaker(both, "watch", "3") as middle:
        until(lambda: len(middle.heard("found")) == 2 and one.heard("found") and two.heard("found"))
        assert sorted(line[:3] for line in middle.heard("found")) == [
            ["lan0", did_key(key_of(1)), "10.91.0.1"],
            ["lan1", did_key(key_of(2)), "10.92.0.1"],
        ]
        assert [line[:3] for line in one.heard("found")] == [["lan0", did_key(key_of(3)), "10.91.0.9"]]
        assert [line[:3] for line in two.heard("found")] == [["lan0", did_key(key_of(3)), "10.92.0.9"]]
        both.pull("lan1")
        until(lambda: middle.heard("InterfaceLost") == [["lan1"]])
        assert [line[0] for line in middle.heard("lost")] == ["lan1"]
        both.push("lan1")
        until(lambda: middle.heard("InterfaceFound")[2:] == [["lan1"]] and len(middle.heard("found")) == 3)
