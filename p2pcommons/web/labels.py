"""What people read for the names that the system uses: fields, types, licences, states, refusals.

Tables of messages only (marked for the catalogues), keyed by the names of the vocabulary and of `node.values`;
a test keeps them complete. Jargon ends here: a peer is a *neighbour*, a replica a *copy*.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from p2pcommons.web.texts import N_

FIELDS: Final[Mapping[str, str]] = {
    "type": N_("What it is"), "subtype": N_("More exactly"), "title": N_("Title"),
    "alternative_titles": N_("Other titles"), "description": N_("Description"), "creators": N_("Made by"),
    "contributors": N_("With"), "publisher": N_("Publisher"), "publication_place": N_("Place of publication"),
    "created": N_("Made when"), "date_text": N_("Date, as the source has it"), "language": N_("Language"),
    "subjects": N_("Subjects"), "species": N_("Living things"), "place": N_("Place"), "period": N_("About the time"),
    "media": N_("Files"), "url": N_("Page elsewhere"), "licence": N_("Licence"), "rights_note": N_("Note on rights"),
    "credit": N_("Credit line"), "access": N_("Who may see it"), "identifiers": N_("Identifiers"),
    "part_of": N_("Part of"), "based_on": N_("Based on"), "same_as": N_("The same elsewhere"),
    "provenance": N_("Provenance"), "medium": N_("Material and technique"), "dimensions": N_("Dimensions"),
    "extent": N_("Extent"), "edition": N_("Edition"), "series": N_("Series"), "version": N_("Version"),
    "duration_s": N_("Duration"), "model": N_("Model"), "serial": N_("Serial number"), "condition": N_("Condition"),
    "parts": N_("Comes with"), "terms": N_("Terms of lending"), "home_place": N_("Kept at"),
    "length_m": N_("Length"), "ascent_m": N_("Climb"), "stops": N_("Stops"), "narrator": N_("Told by"),
    "interviewer": N_("Asked by"), "consent": N_("Consent"), "starts": N_("Begins"), "ends": N_("Ends"),
    "ingredients": N_("Ingredients"), "instructions": N_("Instructions"), "nationality": N_("Nationality"),
    "born": N_("Born"), "died": N_("Died"),
}  # fmt: skip

TYPES: Final[Mapping[str, str]] = {
    "collection": N_("Collection"), "image": N_("Image"), "sound": N_("Sound"), "video": N_("Video"),
    "text": N_("Text"), "book": N_("Book"), "dataset": N_("Dataset"), "software": N_("Software"),
    "place": N_("Place"), "trail": N_("Trail"), "equipment": N_("Equipment"), "recipe": N_("Recipe"),
    "event": N_("Event"), "need": N_("Need"), "commons": N_("A commons"), "organisation": N_("Organisation"),
    "person": N_("Person"),
}  # fmt: skip

SUBTYPES: Final[Mapping[str, str]] = {
    "oral-history": N_("Oral history"), "bird-song": N_("Bird song"), "music": N_("Music"),
    "ambience": N_("Ambience"),
}  # fmt: skip

FACETS: Final[Mapping[str, str]] = {
    "type": N_("What it is"), "subjects": N_("Subjects"), "licence": N_("Licence"), "language": N_("Language"),
}  # fmt: skip

SORTS: Final[Mapping[str, str]] = {
    "relevance": N_("Best match first"), "updated": N_("Last changed first"), "created": N_("Last added first"),
    "title": N_("By title"),
}  # fmt: skip

LICENCES: Final[Mapping[str, str]] = {
    "CC-BY-SA-4.0": N_("CC BY-SA 4.0: free; name the author, share alike"),
    "CC-BY-4.0": N_("CC BY 4.0: free; name the author"),
    "CC0-1.0": N_("CC0 1.0: free, no condition"),
    "ODbL-1.0": N_("ODbL 1.0: free data; name the source, share alike"),
    "CC-BY-NC-SA-4.0": N_("CC BY-NC-SA 4.0: name the author, no commerce, share alike"),
    "LicenseRef-PPL": N_("Peer Production Licence: free for the commons and cooperatives"),
    "LicenseRef-all-rights-reserved": N_("All rights reserved: ask before any use"),
}  # fmt: skip
"""Those that forms offer by name; any other is typed."""

LICENCE_DEFAULT: Final = "CC-BY-SA-4.0"  # while commons tell no default of their own

LICENCE_FACETS: Final[Mapping[str, str]] = {
    "free": N_("free"), "reciprocal": N_("reciprocal"), "restricted": N_("restricted"),
}  # fmt: skip

LANGUAGES: Final[Mapping[str, str]] = {
    "ar": N_("Arabic"), "br": N_("Breton"), "ca": N_("Catalan"), "de": N_("German"), "el": N_("Greek"),
    "en": N_("English"), "es": N_("Spanish"), "eu": N_("Basque"), "fr": N_("French"), "it": N_("Italian"),
    "ja": N_("Japanese"), "la": N_("Latin"), "nl": N_("Dutch"), "oc": N_("Occitan"), "pl": N_("Polish"),
    "pt": N_("Portuguese"), "ru": N_("Russian"), "tr": N_("Turkish"), "uk": N_("Ukrainian"), "zh": N_("Chinese"),
}  # fmt: skip
"""Languages that forms offer and that have a name here; any other is shown by its BCP 47 tag."""

ACCESS: Final[Mapping[str, str]] = {"public": N_("Everyone"), "members": N_("Members")}

JOIN: Final[Mapping[str, str]] = {
    "invite": N_("By invitation"), "open": N_("Open to everyone"), "vote": N_("By a vote of its members"),
}  # fmt: skip

COMMONS_STATES: Final[Mapping[str, str]] = {
    "here": N_("Here"), "filling": N_("Filling"), "waiting": N_("Waiting for a first neighbour who has it"),
}  # fmt: skip

NEIGHBOUR_STATES: Final[Mapping[str, str]] = {
    "connected": N_("Connected"), "connecting": N_("Connecting"), "waiting": N_("Not reached"),
    "blocked": N_("Blocked"),
}  # fmt: skip

COPY_STATES: Final[Mapping[str, str]] = {
    "same": N_("Up to date: both copies hold the same"), "comparing": N_("Comparing both copies"),
    "same but": N_("Both hold the same, but for what is said here:"),
    "receiving": N_("Receiving what is new there"), "sending": N_("Sending what is new here"),
    "differs": N_("The copies differ still; the next try is soon"),
}  # fmt: skip

# Why a neighbour is not connected, or what is odd about it, by the code that the node gives.
WHYS: Final[Mapping[str, str]] = {
    "timed-out": N_("It did not answer in time. Is it switched on?"),
    "unreachable": N_("Nobody answers at this address. Is the machine on, and on the same network?"),
    "link-lost": N_("The connection was lost. This node tries again."),
    "stopping": N_("It was switched off. This node tries again."),
    "not-a-node": N_("What answers there is not a p2pcommons node. Check the address."),
    "bad-certificate": N_("Its certificate is not valid. Its host must renew it, or the address is wrong."),
    "another-key": N_("Another node answers here than before. If that is right, add it with its key."),
    "wrong-key": N_("The node there does not have the key that the address names. Ask for the address again."),
    "blocked": N_("One of you blocked the other."),
    "itself": N_("This is the address of this very node."),
    "own-key": N_("A copy of this node's folder runs there, with the same key. Stop one of both."),
    "not-routable": N_("This address does not lead into the open internet."),
    "other-version": N_("It speaks another version. One of both must be brought up to date."),
    "clock-off": N_("Its clock and the one of this machine differ much. One of both is wrong."),
    "disk-low": N_("The disk of this machine is nearly full. Make room, and it goes on."),
    "cannot-keep": N_("This node could not keep what it was given. Its log says why."),
    "nothing-shared": N_("You follow no commons in common."),
    "met-already": N_("It is met already, by another way."),
    "enough": N_("Enough neighbours are met already. What this one has comes through them."),
    "violation": N_("What it said makes no sense to this node. It may be damaged, or of another version."),
    "no-node": N_("This node meets no neighbours just now."),
    "error": N_("Something went wrong in this node. Its log says what."),
    "ended": N_("It ended the visit for a reason of its own:"),
}

# Why a copy may not be whole, by the code that the node gives.
COPY_WHYS: Final[Mapping[str, str]] = {
    "no-neighbour": N_("No neighbour that follows it is connected: what others wrote since may be missing here."),
    "waiting": N_("No neighbour met so far has it."),
    "bodies-missing": N_("Some texts came damaged or were lost. They are asked for."),
    "disk-low": N_("The disk of this machine is nearly full. Make room, and it goes on."),
    "not-admitted": N_("Some records are of people who are not members here, and are left out."),
    "later": N_(
        "Some records are from the future: a clock is wrong, there or here. They are taken when their time has come."
    ),
    "differs": N_("The copies differ still; the next try is soon"),
    "comparing": N_("Comparing both copies"),
    "receiving": N_("Receiving what is new there"),
    "sending": N_("What was written here last is on its way: no neighbour has confirmed it yet."),
}

NOT_WHOLE: Final = ("comparing", "receiving", "differs", "bodies-missing", "disk-low", "later")
"""Codes with which a copy is not said to be whole."""

# What a person should look at: what it is, and what to do.
NOTICES: Final[Mapping[str, tuple[str, str]]] = {
    "clock-wrong": (
        N_("The clock of this machine seems wrong. Until that is settled, nothing can be written."),
        N_("If the time below is wrong, set the clock of this machine. If it is right, say so here."),
    ),
    "clock-ahead": (
        N_("The clock of this machine is ahead of your neighbours' clocks."),
        N_("Set it. What you write meanwhile is kept, and reaches the others only when its time has come."),
    ),
    "disk-low": (
        N_("The disk of this machine is nearly full."),
        N_("Make room. Until then nothing is taken from neighbours and nothing is imported; what you write by hand is kept."),
    ),
    "own-key": (
        N_("A copy of this node's folder runs elsewhere, with the same key."),
        N_("Nothing is lost, but neighbours confuse the two. Stop one of both. To keep both: stop the copy, delete the file node.key in its folder, and start it again; it gets a key of its own."),
    ),
    "key-twice": (
        N_("A neighbour is at several places at once: its folder was copied, it seems."),
        N_("Nothing is lost. Tell the person who looks after it to stop one of both."),
    ),
    "forked-chain": (
        N_("Something else writes with your key: another device, or a restored copy of this folder."),
        N_("Everything that was written stays. If it is a copy of yours, stop it; a second device gets a key of its own with the command p2pcommons identity device. If it is not yours, somebody has your key: tell a steward."),
    ),
    "left-behind": (
        N_("The key of your lost machine still counts."),
        N_("Your recovery words gave you a new key. Whoever has the lost machine can still write as you: tell a steward of each commons the key below, and ask to have it removed for good."),
    ),
    "review-due": (
        N_("The time to look again at some rules of a commons is past."),
        N_("They hold on. Read them on the page of its charter: whoever finds one wrong proposes another."),
    ),
}  # fmt: skip

# Why somebody reports or hides an entry.
REASONS: Final[Mapping[str, str]] = {
    "spam": N_("Advertising"), "harm": N_("Threats or insults"), "personal": N_("Somebody's private matters"),
    "rights": N_("Somebody else's rights"), "false": N_("Not true"), "duplicate": N_("Here twice"),
    "other": N_("Something else"),
}  # fmt: skip

# What refusals mean to people, by code as HTTP shows it.
REFUSALS: Final[Mapping[str, str]] = {
    "unknown-commons": N_("This node does not follow that commons. The list of commons shows those it follows."),
    "unknown-entry": N_("No such entry is on this node. It may be in a commons that is not followed here."),
    "unknown-page": N_("There is no page at this address."),
    "unknown-peer": N_("No such neighbour is kept here."),
    "clock-wrong": N_("The clock of this machine seems wrong, so nothing was written. Set it, or say in the settings that it is right; then try again."),
    "bad-peer": N_("This is not the key of a neighbour."),
    "commons-waiting": N_("Nothing of this commons is here yet. Connect to a neighbour who has it, then try again."),
    "not-a-steward": N_("Only stewards of this commons can do this. Ask one of them."),
    "too-few-stewards": N_("Fewer stewards would be left than must agree: nobody could act any more. Make another member a steward first."),
    "unknown-member": N_("No member has this key."),
    "unknown-entrance": N_("There is no such way in."),
    "not-a-member": N_("You follow this commons but are not a member. Ask a member for an invitation."),
    "not-allowed": N_("By the rules of this commons you may not do this. Report the entry to those who may, or propose it to the members."),
    "by-vote": N_("By the rules of this commons only a vote of its members hides an entry. Propose it to them."),
    "shown-by-vote": N_("The members voted to show this entry: only another vote hides it."),
    "hidden-by-vote": N_("The members voted to hide this entry: only another vote shows it."),
    "not-hidden": N_("This entry is not hidden: there is nothing to undo."),
    "nothing-reported": N_("No report on this entry waits."),
    "withheld": N_("This machine keeps no text of this entry: its host was made to take it down. Other nodes decide for themselves."),
    "nothing-of-yours": N_("Nothing that you wrote stands there."),
    "yourself": N_("That is your own key."),
    "not-withdrawn": N_("Someone changed this entry at the same time, which keeps it. Look at it, then withdraw it again."),
    "entry-changed": N_("Someone changed this entry since you last saw it. Look at it again, then repeat your change."),
    "bad-cursor": N_("This page of the list is not there any more. Start the list again."),
    "too-many-words": N_("These are too many words for one search. Leave some out."),
    "body-too-large": N_("This is too long for one entry. Shorten it."),
    "bad-id": N_("This is not an id: an id has 64 characters from 0-9 and a-f."),
    "bad-invitation": N_("This is not an invitation. Copy the whole line, which starts with p2pcommons:"),
    "incomplete-invitation": N_("Part of this invitation was lost on its way. Copy it again, whole."),
    "unknown-invitation": N_("This invitation was made by a newer version. Update this node to use it."),
    "bad-address": N_("This is not an address. An address looks like 192.168.1.20:7421, with a key and @ before it where you were given one."),
    "bad-key": N_("The key before the @ is not complete. Copy the address again, whole."),
    "bad-name": N_("Give a name of at most 200 characters."),
    "no-node": N_("This node meets no neighbours just now."),
    "foreign-form": N_("This was not sent by a page of this node, so it was not done. Open the page here and send it again."),
    "no-session": N_("This browser may read here, not write. Open this page in the browser of the person whose node it is, or let yourself in with the key of the house."),
    "old-form": N_("This form is too old. Go back, load the page again, and send it once more."),
    "wrong-token": N_("This is not what stands in the file."),
    "bad-form": N_("This form cannot be read. Go back, load the page again, and send it once more."),
    "unauthorised": N_("This page answers on its own machine only."),
    "unknown-proposal": N_("No such proposal is here."),
    "unknown-comment": N_("Nobody said this here, or it was erased."),
    "unknown-rule": N_("There is no rule of this name."),
    "unknown-amendment": N_("Nobody offered this amendment."),
    "bad-proposal": N_("This cannot be proposed so, by the rules in force."),
    "bad-params": N_("The rule cannot say this."),
    "bad-options": N_("Write 1 to 64 different options, one a line, of at most 200 characters."),
    "bad-closers": N_("Choose exactly as many as the rules ask, or none to leave it as it is proposed."),
    "bad-choice": N_("This is not one of the answers that this vote asks for."),
    "not-by-vote": N_("By the rules here, stewards choose stewards: ask one of them, or question that rule."),
    "not-silent": N_("A steward has written something since: others are chosen the usual way."),
    "already-a-member": N_("Who has this key is a member already."),
    "not-the-proposer": N_("Only who proposed takes an amendment or refuses it. A vote can take it as well."),
    "no-elector": N_("You became a member after this was proposed: those vote who were members then."),
    "not-a-closer": N_("Only those whom the proposal names close this vote."),
    "closed": N_("This vote is closed."),
    "closed-by-you": N_("You have closed this vote already. A second count of yours that says something else would make both worthless."),
    "split": N_("Two texts were set without knowing of each other. Nobody can vote until who proposed has set one."),
    "voting-over": N_("The time to vote on this is over: your vote was not recorded. It waits to be closed."),
    "voting-open": N_("There is time to vote still, and not everybody has."),
    "text-changed": N_("The text was changed while you read it: your vote was not recorded. Read it again, then vote."),
    "out-of-order": N_("This proposal is out of order: nothing comes of it."),
    "nothing-named": N_("Nothing waits there: all of it counts already."),
    "too-many": N_("This is too much for one act."),
    "internal": N_("Something went wrong in this node. Its log says what."),
}  # fmt: skip

# What is wrong with one field of the entry form.
FIELD_ERRORS: Final[Mapping[str, str]] = {
    "type": N_("Choose what it is."),
    "title": N_("Give it a title."),
    "licence": N_("Write the licence as SPDX does, such as CC-BY-SA-4.0. For one that SPDX does not have, write LicenseRef- and a name of letters, digits, dots and hyphens."),
    "language": N_("Write language codes with commas between them, such as fr, br or en."),
    "created": N_("Write a date, such as 1920, 1920~ for about 1920, or 1920-05-01."),
    "place.lat": N_("A latitude is a number from -90 to 90, such as 48.3904."),
    "place.lon": N_("A longitude is a number from -180 to 180, such as -4.4861."),
    "place": N_("Give the latitude and the longitude together."),
    "words": N_("Choose another language: the entry has a text in this one."),
}  # fmt: skip
FIELD_ERROR: Final = N_("This cannot be kept as it is written. Change it.")

KINDS: Final[Mapping[str, str]] = {"entry.edit": N_("Changed"), "entry.withdraw": N_("Withdrawn")}

# What a page says after something was done, by the word in its address.
DONE: Final[Mapping[str, str]] = {
    "added": N_("Added."),
    "saved": N_("Saved."),
    "unchanged": N_("Nothing was changed."),
    "settled": N_("Settled."),
    "restored": N_("It is shown again."),
    "did-report": N_("Reported. Those who may hide will look at it."),
    "did-hide": N_("Hidden."),
    "did-unhide": N_("It is shown again."),
    "did-unhide-some": N_("What you may undo is undone. Others hid it as well."),
    "did-review": N_("Answered: it stays."),
    "did-erase": N_("What you wrote here is erased."),
    "list-add": N_("On your list."),
    "list-remove": N_("Off your list."),
    "list-follow": N_("This node goes by that list now, and tells nobody."),
    "list-unfollow": N_("This node goes by that list no more."),
    "created": N_("The commons is there. You are its first member."),
    "forked": N_("The new commons is there, with its entries. You are its first member."),
    "followed": N_("This node follows the commons now."),
    "joined": N_("The invitation is kept. You become a member as soon as the commons is here."),
    "sample": N_("The sample is loaded."),
    "sample-again": N_("The sample was here already. Nothing was added twice."),
    "neighbour": N_("The address is kept. This node keeps trying it."),
    "forgotten": N_("The address is forgotten."),
    "unfollowed": N_("This node no longer follows it, and its copy is gone."),
    "blocked": N_("The neighbour is blocked."),
    "unblocked": N_("The neighbour is no longer blocked."),
    "removed": N_("A member no more."),
    "left": N_("You are a member no more. This node goes on following the commons."),
    "kept": N_("What they wrote counts again."),
    "purged": N_("Taken out for good."),
    "entrance-closed": N_("Nobody else comes in by it."),
    "steward-steward": N_("A steward now."),
    "steward-end": N_("A steward no more."),
    "agreed": N_("You agree. It is done when enough other stewards ask for the same."),
    "proposed": N_("It is proposed, and the vote is open."),
    "voted": N_("Your vote is recorded."),
    "said": N_("Said."),
    "amended": N_("This is the text that is voted on now."),
    "offered": N_("Your text is offered. Whoever proposed takes it or not."),
    "taken": N_("Taken: this is the text that is voted on now."),
    "refused": N_("Refused: the text stays."),
    "counted": N_("Your count is published. The result stands when enough of those who close it have published the same."),
    "closed": N_("The vote is closed."),
    "clock": N_("Noted: the clock is right."),
    "entered": N_("You may write from this browser now."),
}  # fmt: skip
