"""Every bound on strangers' data, in one place, each with its unit and its reason (chapter 90)."""

from __future__ import annotations

from typing import Final

# -- encoding (chapter 10)
NESTING_MAX: Final = 16  # containers within containers: bodies need 5; a parser's stack stays small
INTEGER_BODY_MAX: Final = 2**53 - 1  # what a JavaScript number holds exactly

# -- records (chapter 12)
HEADER_BYTES_MAX: Final = 4 * 1024  # 32 predecessors take 1.1 KiB; leaves room, bounds a header-only flood
BODY_BYTES_MAX: Final = 64 * 1024  # a long text; longer things are media
PLANE_MAX: Final = 127  # one byte in the header, so that all headers have one shape
PREV_MAX: Final = 32  # predecessors named by one record
KIND_BYTES_MAX: Final = 48
SALT_BYTES: Final = 16
TIME_MAX: Final = 2**63 - 1  # milliseconds << 16 | counter
AHEAD_MS_MAX: Final = 10 * 60 * 1000  # a record further in the future is answered `later`

# -- seals (chapter 13)
TREE_LEAVES_MAX: Final = 4096  # records under one signature: 105-190 us shared by 4,096 is < 0.05 us each

TREE_LEAVES_AIM: Final = 1024  # what a writer seals at once: a tree of usual records fits one frame, whole
QUARANTINE_MS: Final = 30 * 24 * 3600 * 1000  # an erasure can be undone that long by those who keep the bytes

# -- sessions (chapter 30)
FRAME_BYTES_MAX: Final = 1024 * 1024  # one WebSocket message
PACK_BYTES_AIM: Final = (
    832 * 1024
)  # put into one pack frame: a tree of 1,024 usual records whole, one of 64 KiB besides
PACK_RECORDS_MAX: Final = 4096  # records in one pack: a whole tree
SET_COUNT_MAX: Final = 4096  # commons named in one session, padding included
WINDOW_BYTES: Final = 4 * 1024 * 1024  # unconfirmed pack bytes a sender may have under way, per session
IDS_PER_FRAME_MAX: Final = 16 * 1024  # ids in one want or refusal: 16,384 x 34 B = 557 KiB
HELLO_BYTES_MAX: Final = 4 * 1024  # a hello with every list full takes 2 KiB; it comes from anybody who dials
CODE_BYTES_MAX: Final = 48  # a code of a refusal or an end
DETAIL_BYTES_MAX: Final = 512  # what an end says to people
NAMES_MIN: Final = 8  # tags in a dialler's naming are padded to a power of two, at least this: 272 bytes
REFUSALS_MAX: Final = 4096  # refused ids remembered per set and side: 20 ms to take them off a digest
REFUSALS_MS: Final = AHEAD_MS_MAX  # after so long refusals are forgotten and the records may be offered again
WANTS_MAX: Final = 16 * 1024  # ids asked for and not answered yet, per commons: 0.5 MiB at the one who answers
RANGE_ROUNDS_MAX: Final = 4096  # messages of ranges in one exchange: 8,000 ids each, 32 million
HANDSHAKE_MS_MAX: Final = 10_000  # from the first byte to the names: two round trips and a signature each
SESSION_IDLE_MS_MAX: Final = 180_000  # silence that ends a session: a frame of 0.5 MiB may take so long at 3 KB/s
SESSION_UNSHARED_MS_MAX: Final = 120_000  # how long a listener keeps a session with no commons in common: links are few
ROUND_EVERY_MS: Final = 30_000  # openings without a reason: the check that live news got through
ROUND_SOON_MS: Final = 200  # least time between two openings of one commons that changes all the time
ROUND_WAIT_MS_MAX: Final = 120_000  # the longest pause between openings: more silence ends a session
LISTING_MAX: Final = 64  # announced commons told to who asks: 53 KiB with the longest names
LISTING_NAME_BYTES_MAX: Final = 800  # the longest name a charter may have: 200 characters
PENDING_BYTES_MAX: Final = 16 * 1024 * 1024  # plane-0 records of a stream not judged yet, per commons
VERIFIED_SEALS_MAX: Final = 4096  # seals remembered as good: about 1 MiB
PENDING_RECORDS_MAX: Final = 16 * 1024  # and their number: about 2 KiB of memory each beside their bytes
UNGROUNDED_MAX: Final = 1000  # plane-0 records held while their past is asked for, per commons
UNGROUNDED_BYTES_MAX: Final = 4 * 1024 * 1024  # and their bytes: the rest is kept free for streams

# -- ranges (chapter 31)
RANGE_MESSAGE_BYTES_MAX: Final = 256 * 1024  # one message: 8,000 ids; at worst 0.4 s of the engine's time
RANGE_MESSAGE_BYTES_MIN: Final = 4 * 1024  # below it a split range would not fit and rounds would not get on
RANGE_HAVE_MAX: Final = 64 * 1024  # ids one message can make us name as ours alone: 5 MiB of memory

# -- the sketch (chapter 32)
SKETCH_SYMBOLS_MAX: Final = 2048  # coded symbols of a set: 44 KiB; they tell some 1,450 differences
SKETCH_DIFFERENCES_MAX: Final = 2900  # estimated ones for which a sketch is tried: it costs less than 50 ranges do
SKETCH_LAG_MAX: Final = 64 * 1024  # records a sketch in memory lags behind: 0.15 s of work at the next opening

# -- compression (chapter 36)
COMPRESSED_BYTES_MIN: Final = 4 * 1024  # a smaller frame of packs goes as it is: a few records, live
COMPRESSION_WINDOW_MAX: Final = 1024 * 1024  # memory a zstd frame may ask for: no frame holds more to look back on

# -- links (chapter 30)
CONNECT_MS_MAX: Final = 20_000  # name, TCP, TLS and WebSocket upgrade, either side: a slow mobile line
CLOSE_MS_MAX: Final = 3_000  # how long a link waits for the other side's goodbye
HEARTBEAT_MS: Final = 60_000  # a ping after so much silence; half as long without an answer and the link is gone
SEND_MS_MAX: Final = 120_000  # one frame: 1 MiB at 9 KB/s; a peer that takes less has stopped reading
LINKS_MAX: Final = 256  # links a node accepts at a time, those still connecting included
LINKS_PER_HOST_MAX: Final = 16  # of these from one IP address (an IPv6 /64 is one): a school behind one router
PENALTY_MS: Final = (
    10_000  # a link that broke the protocol, or of a blocked node, counts as open so long: 1.6 a second from a host
)
KNOCK_MS: Final = 3_000  # and a connection that became no session: 5 a second, 5 ms of work each

# -- the local network (chapter 34)
LAN_POLL_MS: Final = 2_000  # how often interfaces are looked at: half a millisecond each time
LAN_INTERFACES_MAX: Final = 8  # used at once: a laptop has two or three
LAN_ADDRESSES_MAX: Final = 8  # taken of one interface, or of one neighbour's announcement
LAN_NAMES_MAX: Final = 256  # announcements kept of one interface: a hall full of machines
LAN_RESOLVING_MAX: Final = 8  # announcements asked about at a time: a flood of names sends no flood of questions
LAN_RESOLVE_MS_MAX: Final = 3_000  # asked for so long; lossy Wi-Fi takes a second
LAN_TEXT_BYTES_MAX: Final = 512  # a TXT record; ours has 100
LAN_RENAME_MS_MAX: Final = 10_000  # who claims every name does not keep us silent for longer
LAN_MEETINGS_MAX: Final = (
    32  # sessions this node dials on the local network: so many random ones hold any hall together
)
LAN_YIELD_MS: Final = 2_000  # how long the greater key waits for the smaller one to dial
LAN_PAUSE_MS_MAX: Final = 15_000  # between two tries to reach a neighbour that announces itself
NEARBY_MAX: Final = 500  # commons shown of all that neighbours announce: one page of a list
NEARBY_ADDRESSES_MAX: Final = 8  # of who has one
LAN_HEARD_MAX: Final = 256  # nodes whose listing of announced commons is kept

# -- gossip (chapter 33)
GOSSIP_IDS_MAX: Final = 4096  # ids a peer is known to have, for each commons of a session: 400 KiB
NEWS_IDS_MAX: Final = 1024  # ids in one news: 34 KiB; more than that is found by an opening at less cost
CLAIM_MS_FIRST: Final = 1_000  # a record asked of one neighbour is not asked of another for so long, at first
CLAIM_MS_MIN: Final = 400  # and when it is known how fast the neighbour answers: two commits of a busy machine
CLAIM_MS_MAX: Final = 8_000  # a line over a satellite, and its queue
HOPS_MAX: Final = 15  # links a record was passed on over, as far as they are counted

# -- peers (chapter 35)
PEER_ADDRESSES_MAX: Final = 8  # of one node: two networks, two families, a name
PEER_STATEMENT_BYTES_MAX: Final = 1024  # a record without its signature: eight plain addresses take 400 bytes
PEER_VALID_MS_MAX: Final = 7 * 24 * 3600 * 1000  # a record of a node that is gone is dialled no longer than that
PEER_RENEW_MS: Final = 24 * 3600 * 1000  # how often a node makes its own record anew
PEER_PROVED_MS_MAX: Final = 24 * 3600 * 1000  # an address proved longer ago is not passed on
PEERS_TOLD_MAX: Final = 32  # records in one answer: 35 KB and 4 ms of signatures at most
PEERS_EVERY_MS: Final = 30_000  # between two answers in one session
INTRODUCE_EVERY_MS: Final = 60_000  # between two introductions in one session
PEERS_SPEECHES_MAX: Final = 10  # introductions, or answers, that may come at once: a machine slept, and they waited
PEER_SOURCES_MAX: Final = 32  # networks that told records: 1,024 records heard in all, 1.5 MiB
PEER_SOURCE_RECORDS_MAX: Final = 32  # of each: whoever floods displaces what they told themselves
PEERS_MET_MAX: Final = 256  # nodes whose addresses proved themselves to us
PEERS_MET_GROUP_MAX: Final = 16  # and of one network
PEER_COMMONS_MAX: Final = 64  # commons remembered to be shared with one of them
HEARD_STABLE_MAX: Final = 4  # links dialled to heard addresses that stay
HEARD_RANDOM_MAX: Final = 4  # and that change slowly: what any clique tells is outlived
HEARD_GROUP_MAX: Final = 2  # of each sort in one network: a hoster's machines are not everybody
HEARD_ROTATE_MS: Final = 30 * 60 * 1000  # a random link gives its place to another after so long
HEARD_BACKOFF_MS_MIN: Final = 60_000  # after a failure, doubling, for the key and for each address
HEARD_BACKOFF_MS_MAX: Final = 6 * 3600 * 1000
HEARD_FAILURES_MAX: Final = 8  # in a row, over some hours: then what was heard of the node is forgotten
KNOCKS_MS: Final = 3600 * 1000  # dials nobody here asked for are counted over so long
KNOCKS_MAX: Final = 6  # to one IP address (an IPv6 /64 is one): a thousand nodes are 1.7 a second together
KNOCKS_ALL_MAX: Final = 120  # and to all together, for links, and as many for dialling back
CHECK_ADDRESSES_MAX: Final = 2  # dialled back for one introduction
CHECKS_AT_ONCE_MAX: Final = 4
CHECK_EVERY_MS: Final = 12 * 3600 * 1000  # how often a node asks whether it can be reached, in one session
SHUNNED_MS: Final = 24 * 3600 * 1000  # whoever broke the protocol is not dialled by hearsay for so long
SHUNNED_MAX: Final = 1024  # such keys remembered

# -- files (chapter 40)
CHUNK_BYTES: Final = 64 * 1024  # of a file, under one leaf of its tree: what is lost at worst when a transfer breaks
BLOB_BYTES_MAX: Final = 64 * 1024**3  # a file: an evening's film; its tree takes 64 MiB then

# -- folds (chapters 20, 21)
SUBJECT_RECORDS_INLINE_MAX: Final = 4096  # above this a subject's view is recomputed in the background
FOLD_KEYS_PER_PASS: Final = 4096  # keys written twice that one pass carries: 1 KiB a record at most
STAMP_BITS_INVITED: Final = 16  # default work for a join by invitation: ~65,000 hashes, 0.1 s
STAMP_BITS_OPEN: Final = 22  # default work for a join through an open door: ~4 million hashes, some seconds
STAMP_BITS_MAX: Final = 30  # a door asking more would make joining impossible on a small machine
STEWARDS_NAMED_MAX: Final = 32  # keys one founding record or stewards' act names: a council, not a population
DOORS_REMEMBERED_MAX: Final = 16 * 1024  # bodies read lately: some 10 MiB, saves most of judging anew
DOOR_BODY_REMEMBERED_MAX: Final = 512  # bytes of such a body: joins have 150; longer ones would fill memory
PROOFS_REMEMBERED_MAX: Final = 256 * 1024  # proofs of doors found good: 150 bytes each, where checking one costs 100 us

# -- rules and tallies (chapter 24)
OPTIONS_MAX: Final = 64  # between which a judgment chooses: more is no question to people
OPTION_CHARACTERS_MAX: Final = 200  # the name of one: a line on a page
GRADES_MAX: Final = 10  # of a judgment: people tell seven apart
THRESHOLD_PARTS_MAX: Final = 1000  # p and q of a qualified majority: 2/3, 999/1000
LICENCE_CHARACTERS_MAX: Final = 512  # of a commons' default licence: expressions of ten names have 200
CHARTER_FILE_BYTES_MAX: Final = 256 * 1024  # a template of a charter: ours have 20 KiB

# -- moderation (chapter 23)
MODERATION_IDS_MAX: Final = 32  # reports, hidings or keys that one act names: more is done in several
MODERATION_ACTS_MAX: Final = 32  # that one command writes: they answer 1,024 reports, whoever made so many
MODERATION_QUEUE_SHOWN_MAX: Final = (
    500  # entries that wait, those that most persons reported: more come when they are answered
)
MODERATION_REPORTS_SHOWN_MAX: Final = 100  # of one entry, with their words: more than a person reads

# -- recipes (chapter 24)
RECIPE_BYTES_MAX: Final = 1024 * 1024  # the whole bundle, as it comes: two languages take 60 KiB
RECIPE_FILE_BYTES_MAX: Final = 512 * 1024  # of one file, unpacked
RECIPE_LINEAGE_MAX: Final = 64  # commons that it came through: one a year for a lifetime
RECIPE_TEXT_CHARACTERS_MAX: Final = 16 * 1024  # of one text: a rule is some sentences, a charter some pages

# -- assemblies and removals (chapters 21, 22)
CLOSERS_MAX: Final = 31  # who may close one vote: as many as the rule `closing` allows
BALLOT_REPLACES_MAX: Final = 32  # earlier ballots of one person that a ballot names
PERSON_NAME_CHARACTERS_MAX: Final = 60  # what a person calls themselves: a line on a page, in any script
ORGANISATION_PEOPLE_MAX: Final = (
    24  # a board: approvals of all fit into the `prev` of a ballot, beside its wording and a door
)
EXCLUDED_MAX: Final = 512  # ballots that a closing says why it left out: 25 KiB
WRITTEN_CHARACTERS_MAX: Final = 12_000  # of a proposal or a reason: six pages, and 48 KiB of any script fit a body
REMOVAL_HEADS_MAX: Final = 256  # keys and planes of one person that a removal names heads of
KEPT_MAX: Final = 512  # records that one act lets count again
BALLOTS_REMEMBERED_MAX: Final = 32 * 1024  # bodies read lately: some 20 MiB, saves most of folding anew

# -- lines that people paste (chapters 21, 30)
ADDRESS_CHARACTERS_MAX: Final = 512  # a key of 48, a host name of 253 and a path
INVITATION_ADDRESSES_MAX: Final = 8  # more would not fit a QR code that a telephone reads
INVITATION_CHARACTERS_MAX: Final = 4096  # eight addresses with long paths
DEVICE_LINE_COMMONS_MAX: Final = 64  # commons named in one line for a new device: what is more is followed by hand
DEVICE_LINE_CHARACTERS_MAX: Final = 8 * 1024  # 64 commons and 8 addresses take 4 KiB

# -- the node's own doors (not part of the wire)
API_URL_BYTES_MAX: Final = 512 * 1024  # the longest search: four filters of 16 texts, 500 characters of 12 bytes each
API_BODY_BYTES_MAX: Final = 1024 * 1024  # one JSON request; batches and imports are streams
API_CONNECTIONS_MAX: Final = 512  # at a time: browsers and programs, and as many links as a proxy may pass on
BATCH_LINE_BYTES_MAX: Final = 256 * 1024  # one line of a batch
PACK_FILE_COMMONS_MAX: Final = 4096  # commons that one pack file names: as many as a session can
PAGE_ITEMS_MAX: Final = 500
PAGE_ITEMS_DEFAULT: Final = 50
RANKED_MATCHES_MAX: Final = 5000  # above, newest first instead of by relevance
SEARCH_PHRASES_MAX: Final = 32  # words or phrases in one search: more is a pasted text, each costs a pass of the index
FREQUENT_WORDS_BYTES_MAX: Final = 64 * 1024**2  # bits of rows that hold a frequent word: 500 words of a million entries
FACET_VALUES_MAX: Final = 100  # values counted out per facet, most frequent first: more is no choice for people

# -- catalogues from outside (formats, command line)
IMPORT_URL_BYTES_MAX: Final = 4 * 1024**3  # one catalogue over HTTP: 50 million short lines, compressed
IMPORT_URL_WAIT_S_MAX: Final = 60  # silence of the other side before an import from a URL gives up
MAPPING_BYTES_MAX: Final = 1024 * 1024  # a mapping file: some thousand columns
