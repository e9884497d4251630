"""Hosts of the open internet that hear of each other through a third, in network namespaces that nothing leaves."""

from __future__ import annotations

from pathlib import Path

from bed import Bed
from living import NodeOn, equal, until

OUTSIDE = ("--no-lan", "--introductions")  # on one switch they would find each other without being told


def address(node: NodeOn) -> str:
    return str(node.ask("GET", "/status")["addresses"][0]["address"])


def reachable(node: NodeOn) -> str:
    return str(node.ask("GET", "/status")["reachable"]["state"])


def origin(node: NodeOn, other: NodeOn) -> set[str]:
    return {peer["origin"] for peer in node.peers() if peer["key"] == other.key() and peer["state"] == "connected"}


def test_two_introduced_by_a_third_go_on_when_it_is_gone(bed: Bed, tmp_path: Path) -> None:
    net = bed.switch("net")
    one, two, three = (bed.host(f"h{n}").plug("eth0", net, f"5.{n}.0.1/8") for n in (1, 2, 3))
    with NodeOn(two, tmp_path, *OUTSIDE) as bob:
        commons = bob.found("Moulins", "open")
        known = ("--peer", address(bob), "--follow", commons)
        with NodeOn(one, tmp_path, *OUTSIDE, *known) as alice, NodeOn(three, tmp_path, *OUTSIDE, *known) as carol:
            one_session = [["heard"], ["incoming"]]
            until(lambda: sorted(map(sorted, (origin(alice, carol), origin(carol, alice)))) == one_session, alice.peers)
            for node in (alice, bob, carol):
                until(lambda node=node: reachable(node) == "yes", node.peers)  # type: ignore[misc]
            bob.stop()
            alice.add(commons, "Moulin du pont")
            carol.add(commons, "Moulin de la mer")
            equal(commons, alice, carol, entries=2)
            # Started anew they find each other by what they kept: nobody told them of each other by hand.
            carol.stop()
            carol.start()
            alice.add(commons, "Moulin du bois")
            equal(commons, alice, carol, entries=3)
            assert origin(alice, carol) <= {"heard", "incoming"}


def test_a_host_that_lets_nobody_in_says_so_and_still_reaches_those_it_is_told_of(bed: Bed, tmp_path: Path) -> None:
    net = bed.switch("net")
    one, two, three = (bed.host(f"h{n}").plug("eth0", net, f"5.{n}.0.1/8") for n in (1, 2, 3))
    one.ip("rule", "add", "ipproto", "tcp", "sport", "7421", "prohibit")  # who knocks there hears nothing
    with NodeOn(two, tmp_path, *OUTSIDE) as bob:
        commons = bob.found("Moulins", "open")
        known = ("--peer", address(bob), "--follow", commons)
        with NodeOn(three, tmp_path, *OUTSIDE, *known) as carol, NodeOn(one, tmp_path, *OUTSIDE, *known) as alice:
            until(lambda: origin(alice, carol) == {"heard"}, alice.peers)
            until(lambda: reachable(alice) == "no", alice.peers)
            assert [each["reach"] for each in alice.ask("GET", "/status")["addresses"]] == ["nowhere"]
            assert reachable(carol) == "yes" and origin(carol, alice) == {"incoming"}
            assert origin(bob, alice) == {"incoming"}


def test_a_host_that_was_heard_of_and_moved_is_found_where_it_says_it_is_now(bed: Bed, tmp_path: Path) -> None:
    net = bed.switch("net")
    one, two, three = (bed.host(f"h{n}").plug("eth0", net, f"5.{n}.0.1/8") for n in (1, 2, 3))
    with NodeOn(two, tmp_path, *OUTSIDE) as bob:
        commons = bob.found("Moulins", "open")
        known = ("--peer", address(bob), "--follow", commons)
        with NodeOn(one, tmp_path, *OUTSIDE, *known) as alice, NodeOn(three, tmp_path, *OUTSIDE, *known) as carol:
            until(lambda: origin(alice, carol) and origin(carol, alice), alice.peers)
            carol.stop()
            three.ip("addr", "del", "5.3.0.1/8", "dev", "eth0")
            three.ip("addr", "add", "5.4.0.1/8", "dev", "eth0")
            carol.start()
            bob.add(commons, "Moulin neuf")
            equal(commons, alice, bob, carol, entries=1)
            until(lambda: origin(alice, carol) and origin(carol, alice), alice.peers)
            until(lambda: reachable(carol) == "yes", carol.peers)
            assert carol.ask("GET", "/status")["reachable"]["address"] == "5.4.0.1:7421"
