"""Nodes on hosts of their own find each other on the local network, and what they hold becomes equal.

Each host is a network namespace; nodes are real processes, started as a person starts them, told of nobody.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

from bed import Bed
from listening import Speaker, txt
from living import NodeOn, equal, until

from p2pcommons.core.identity import parse_did_key
from p2pcommons.network.announcement import Told, text_of


def test_two_hosts_meet_untold_and_what_is_announced_can_be_followed(bed: Bed, tmp_path: Path) -> None:
    hall = bed.switch("hall")
    one = bed.host("one").plug("lan0", hall, "10.91.0.1/24")
    two = bed.host("two").plug("lan0", hall, "10.91.0.2/24")
    with NodeOn(one, tmp_path) as alice, NodeOn(two, tmp_path) as bob:
        commons = alice.found("Lavoirs", "open")
        closed = alice.found("Secret", "invite")
        alice.add(commons, "Lavoir du bourg", "Lavoir du port")
        until(lambda: "Lavoirs" in bob.nearby(), bob.peers)
        assert "Secret" not in bob.nearby() and alice.nearby() == {}
        assert bob.nearby()["Lavoirs"]["id"] == commons and not bob.nearby()["Lavoirs"]["followed"]
        # With nothing in common they part again, and say why.
        until(lambda: not alice.connected() and not bob.connected(), bob.peers)
        assert [peer["why"].partition(";")[0] for peer in bob.peers()] == ["no commons in common"]
        bob.follow(commons)
        equal(commons, alice, bob, entries=2)
        alice.welcome(commons, bob)
        bob.add(commons, "Lavoir du moulin")
        equal(commons, alice, bob, entries=3)
        until(lambda: [(p["address"], p["local"]) for p in alice.peers()] == [("10.91.0.2:7421", True)], alice.peers)
        assert alice.connected() == {bob.key()}
        bob.follow(closed)  # who knows its id reads it
        equal(closed, alice, bob)


def test_of_two_that_follow_the_same_one_dials_and_one_session_is_held(bed: Bed, tmp_path: Path) -> None:
    hall = bed.switch("hall")
    hosts = [bed.host(f"h{number}").plug("lan0", hall, f"10.91.0.{number}/24") for number in (1, 2, 3)]
    with ExitStack() as stack:
        first = stack.enter_context(NodeOn(hosts[0], tmp_path))
        commons = first.found("Fours", "open")
        others = [stack.enter_context(NodeOn(host, tmp_path, "--follow", commons)) for host in hosts[1:]]
        nodes = [first, *others]
        keys = {node.key() for node in nodes}
        equal(commons, *nodes)
        until(
            lambda: all(node.connected() == keys - {node.key()} for node in nodes), lambda: [n.peers() for n in nodes]
        )
        for node in nodes:  # each neighbour once
            assert sorted(peer["key"] for peer in node.peers()) == sorted(keys - {node.key()})


def test_with_no_lan_a_node_neither_asks_nor_answers(bed: Bed, tmp_path: Path) -> None:
    hall = bed.switch("hall")
    one, two, three = (bed.host(f"h{n}").plug("lan0", hall, f"10.91.0.{n}/24") for n in (1, 2, 3))
    with NodeOn(one, tmp_path) as alice:
        commons = alice.found("Puits", "open")
        with NodeOn(two, tmp_path, "--no-lan", "--follow", commons) as silent:
            with NodeOn(three, tmp_path, "--follow", commons) as carol:  # the control: she is found, and finds
                equal(commons, alice, carol)
                until(lambda: alice.connected() == {carol.key()}, alice.peers)
                assert silent.peers() == [] and silent.ask("GET", "/status")["lan"] == []
                assert {peer["key"] for node in (alice, carol) for peer in node.peers()} == {alice.key(), carol.key()}
            address = alice.ask("GET", "/status")["addresses"][0]["address"]
            assert address.endswith("@10.91.0.1:7421")
            silent.ask("POST", "/peers", {"address": address})  # what a person gives it, it dials
            equal(commons, alice, silent)


def test_two_that_cannot_reach_each_other_meet_through_a_third(bed: Bed, tmp_path: Path) -> None:
    left, right = bed.switch("left"), bed.switch("right")
    west = bed.host("west").plug("lan0", left, "10.91.0.1/24")
    east = bed.host("east").plug("lan0", right, "10.92.0.1/24")
    both = bed.host("both").plug("lan0", left, "10.91.0.9/24").plug("lan1", right, "10.92.0.9/24")
    with NodeOn(west, tmp_path) as alice, NodeOn(both, tmp_path) as box, NodeOn(east, tmp_path) as eve:
        commons = alice.found("Moulins", "open")
        alice.add(commons, "Moulin du pont")
        alice.welcome(commons, box, eve)
        equal(commons, alice, box, eve, entries=1)
        eve.add(commons, "Moulin de la mer")
        alice.add(commons, "Moulin du bois")
        equal(commons, alice, box, eve, entries=3)
        assert box.connected() == {alice.key(), eve.key()}
        assert alice.connected() == eve.connected() == {box.key()}
        # On each side only the address of that side is told.
        until(lambda: [peer["address"] for peer in alice.peers()] == ["10.91.0.9:7421"], alice.peers)
        until(lambda: [peer["address"] for peer in eve.peers()] == ["10.92.0.9:7421"], eve.peers)
        assert box.ask("GET", "/status")["lan"] == ["lan0", "lan1"]


def test_a_cable_that_is_pulled_and_put_back_is_noticed(bed: Bed, tmp_path: Path) -> None:
    hall = bed.switch("hall")
    one, two, three = (bed.host(f"h{n}").plug("lan0", hall, f"10.91.0.{n}/24") for n in (1, 2, 3))
    with NodeOn(one, tmp_path) as alice, NodeOn(two, tmp_path) as bob, NodeOn(three, tmp_path) as carol:
        commons = alice.found("Bibliothèque", "open")
        alice.welcome(commons, bob, carol)
        alice.add(commons, "Premier")
        equal(commons, alice, bob, carol, entries=1)
        two.pull("lan0")
        until(lambda: bob.ask("GET", "/status")["lan"] == [] and not bob.connected(), bob.peers)
        bob.add(commons, "Écrit seul")
        alice.add(commons, "Écrit à deux")
        equal(commons, alice, carol, entries=2)
        two.push("lan0")
        equal(commons, alice, bob, carol, entries=3)
        until(lambda: bob.ask("GET", "/status")["lan"] == ["lan0"])


def test_a_host_that_comes_back_with_another_address_is_met_there(bed: Bed, tmp_path: Path) -> None:
    hall = bed.switch("hall")
    one, two = (bed.host(f"h{n}").plug("lan0", hall, f"10.91.0.{n}/24") for n in (1, 2))
    with NodeOn(one, tmp_path) as alice, NodeOn(two, tmp_path) as bob:
        commons = alice.found("Cartes")
        alice.welcome(commons, bob)
        equal(commons, alice, bob)
        two.ip("addr", "del", "10.91.0.2/24", "dev", "lan0")
        two.ip("addr", "add", "10.91.0.77/24", "dev", "lan0")
        until(lambda: "10.91.0.77:7421" in {peer["address"] for peer in alice.peers()}, alice.peers)
        bob.add(commons, "Carte nouvelle")
        equal(commons, alice, bob, entries=1)
        until(lambda: bob.ask("GET", "/status")["addresses"][0]["address"].endswith("@10.91.0.77:7421"))


def test_a_hall_that_is_cut_in_two_becomes_one_again(bed: Bed, tmp_path: Path) -> None:
    left, right = bed.switch("left"), bed.switch("right")
    uplink = bed.join(left, right)
    places = [left, left, right, right]
    hosts = [bed.host(f"h{n}").plug("lan0", place, f"10.91.0.{n + 1}/24") for n, place in enumerate(places)]
    with ExitStack() as stack:
        nodes = [stack.enter_context(NodeOn(host, tmp_path)) for host in hosts]
        commons = nodes[0].found("Salle des fêtes")
        nodes[0].welcome(commons, *nodes[1:])
        equal(commons, *nodes)
        uplink.cut()
        for number, node in enumerate(nodes):
            node.add(commons, f"Pendant la coupure {number}")
        equal(commons, *nodes[:2], entries=2)
        equal(commons, *nodes[2:], entries=2)
        uplink.heal()
        equal(commons, *nodes, entries=4)


def test_over_a_line_that_loses_and_delays_all_comes_through(bed: Bed, tmp_path: Path) -> None:
    hall = bed.switch("hall")
    one = bed.host("one").plug("lan0", hall, "10.91.0.1/24")
    far = bed.host("far").plug_poorly("lan0", hall, "10.91.0.2/24", loss=0.1, delay_s=0.06, seed=20260801)
    with NodeOn(one, tmp_path) as alice, NodeOn(far, tmp_path) as bob:
        commons = alice.found("Chemins", "open")
        alice.add(commons, *(f"Chemin {number}" for number in range(60)))
        until(lambda: "Chemins" in bob.nearby(), bob.peers)
        bob.follow(commons)
        equal(commons, alice, bob, entries=60)
        alice.welcome(commons, bob)
        bob.add(commons, "Chemin du bout")
        equal(commons, alice, bob, entries=61)
    (line,) = bed.lines
    assert line.lost > 10, "the line was not poor"


def test_containers_and_tunnels_are_neither_announced_nor_dialled(bed: Bed, tmp_path: Path) -> None:
    hall = bed.switch("hall")
    one = bed.host("one").plug("lan0", hall, "10.91.0.1/24")
    two = bed.host("two").plug("lan0", hall, "10.91.0.2/24")
    for host in (one, two):  # the same addresses on every machine, as containers and tunnels have them
        host.ip("link", "add", "docker0", "type", "bridge")
        host.ip("link", "set", "docker0", "up")
        for name in ("veth12ab", "br-0123456789ab", "tailscale0", "vethc0ffee1"):
            host.plug(name, bed.switch(f"{host.name}{name[-4:]}"), None)
        host.ip("link", "set", "vethc0ffee1", "master", "docker0")
        for number, name in enumerate(("docker0", "veth12ab", "br-0123456789ab", "tailscale0")):
            host.ip("addr", "add", f"172.{17 + number}.0.1/16", "dev", name)
    with NodeOn(one, tmp_path) as alice, NodeOn(two, tmp_path) as bob:
        commons = alice.found("Outils", "open")
        bob.follow(commons)
        equal(commons, alice, bob)
        for node, other in ((alice, "10.91.0.2:7421"), (bob, "10.91.0.1:7421")):
            status = node.ask("GET", "/status")
            assert status["lan"] == ["lan0"]
            assert [one["address"].partition("@")[2][:8] for one in status["addresses"]] == ["10.91.0."]
            until(lambda node=node, other=other: [peer["address"] for peer in node.peers()] == [other], node.peers)


def test_an_interface_may_be_named_instead(bed: Bed, tmp_path: Path) -> None:
    hall = bed.switch("hall")
    one = bed.host("one").plug("tap7", hall, "10.91.0.1/24")
    two = bed.host("two").plug("lan0", hall, "10.91.0.2/24")
    with NodeOn(one, tmp_path, "--interface", "tap*") as alice, NodeOn(two, tmp_path) as bob:
        assert alice.ask("GET", "/status")["lan"] == ["tap7"]
        until(lambda: [peer["key"] for peer in bob.peers()] == [alice.key()])


def test_a_node_that_starts_anew_elsewhere_is_found_anew(bed: Bed, tmp_path: Path) -> None:
    hall = bed.switch("hall")
    one, two = (bed.host(f"h{n}").plug("lan0", hall, f"10.91.0.{n}/24") for n in (1, 2))
    with NodeOn(one, tmp_path) as alice:
        commons = alice.found("Graines", "open")
        with NodeOn(two, tmp_path, "--follow", commons) as bob:
            equal(commons, alice, bob)
        until(lambda: alice.peers() == [], alice.peers)  # it said goodbye
        with NodeOn(two, tmp_path, "--listen", "0.0.0.0:7555") as bob:
            alice.add(commons, "Haricot")
            equal(commons, alice, bob, entries=1)
            until(lambda: [peer["address"] for peer in alice.peers()] == ["10.91.0.2:7555"], alice.peers)
            bob.kill()  # without a word
            bob.start()
            alice.add(commons, "Fève")
            equal(commons, alice, bob, entries=2)


def test_another_machine_with_this_nodes_key_is_told_and_not_dialled(bed: Bed, tmp_path: Path) -> None:
    hall = bed.switch("hall")
    one, two = (bed.host(f"h{n}").plug("lan0", hall, f"10.91.0.{n}/24") for n in (1, 2))
    with NodeOn(one, tmp_path) as alice:
        own = text_of(Told(parse_did_key(alice.key())))
        with Speaker(two, "say", json.dumps([("copy", 7421, ["10.91.0.2"], txt(own))])):
            until(lambda: "10.91.0.2 announces this node's own key" in alice.log(), alice.log)
        assert alice.peers() == []
