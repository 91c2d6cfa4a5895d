//! Every limit of the protocol, with its reason. A limit that is part of the rules a genesis names is marked
//! (rules 1); the others are this node's own patience and may change.

/// Longest text of one message, in bytes: a page of code, not a file; larger things are files. (rules 1)
pub const MAX_TEXT_BYTES: usize = 64 * 1024;
/// Longest sealed body: the text, what stands around it and the padding of its bucket. (rules 1)
pub const MAX_BODY_BYTES: usize = 80 * 1024;
/// Longest header of a data entry: fixed fields and 16 control heads. (rules 1)
pub const MAX_DATA_HEADER_BYTES: usize = 1024;
/// Longest control entry: a rekey for 512 members with four cards each. (rules 1)
pub const MAX_CONTROL_BYTES: usize = 384 * 1024;
/// Most parents of a control entry; more are merged by a note first. (rules 1)
pub const MAX_PARENTS: usize = 16;
/// Most live members of a room. (rules 1)
pub const MAX_MEMBERS: usize = 512;
/// Most open tickets of a room. (rules 1)
pub const MAX_OPEN_TICKETS: usize = 64;
/// Most control entries by one who is not an owner: a new key a week for four years and some more. The last of them
/// is kept for leaving. (rules 1)
pub const MAX_CONTROL_PER_MEMBER: usize = 256;
/// Most control entries by either of the two in a direct room, which nobody rules: a key a week for ten years, and
/// room for repair. (rules 1)
pub const MAX_CONTROL_IN_DIRECT: usize = 1024;
/// Longest body of a control entry in a direct room: keys for two people's cards, and wraps of a hundred keys. (rules 1)
pub const MAX_DIRECT_CONTROL_BYTES: usize = 16 * 1024;
/// Most unsuperseded cards of one identity keys are sealed to. (rules 1)
pub const MAX_CARDS: usize = 4;
/// Most tips of one chain before it is refused: a clone or two is an accident, nine are an attack. (rules 1)
pub const MAX_TIPS: usize = 8;
/// Most seals or wraps in one control entry: every member's cards and every ticket. (rules 1)
pub const MAX_SEALS: usize = MAX_MEMBERS * MAX_CARDS + MAX_OPEN_TICKETS;

/// Most memberships, or branches of chains, one entry puts out: a machine cloned or restored now and then has a
/// few, and whoever makes more of them to escape a removal is still cut at the farthest of these. (rules 1)
pub const MAX_CHAINS_CUT: usize = 512;
/// Most keys one entry wants. (rules 1)
pub const MAX_WANTED_KEYS: usize = 64;

/// Gifts of room keys to strangers by one author that are heeded in an hour: each makes the next sealer write a new key,
/// and more new keys keep nothing from whom a member goes on giving them to. (rules 1)
pub const MAX_LEAKS_PER_HOUR: usize = 3;
/// Messages after which the next sealer makes a new key: whoever gets one key reads that much. (rules 1)
pub const MAX_ENTRIES_PER_KEY: u64 = 10_000;
/// How long a key is sealed under before the next sealer makes a new one, in milliseconds. (rules 1)
pub const MAX_KEY_AGE_MS: u64 = 7 * 24 * 60 * 60 * 1000;

/// Data entries of one author taken into a room within an hour before its chains are paused: a catch-up of 100,000
/// never meets it, and nobody says seventy things a second for an hour.
pub const MAX_AUTHOR_ENTRIES_PER_HOUR: u64 = 250_000;
/// Bytes of such entries: what a stranger with a ticket can fill of a disk that nobody watches. A day fills 24 GiB.
pub const MAX_AUTHOR_BYTES_PER_HOUR: u64 = 1024 * 1024 * 1024;
/// Control entries that wait for parents, per room: enough for an unlucky order, too few to fill memory.
pub const MAX_WAITING_CONTROL: usize = 512;
/// Longest frame: one full batch and its overhead, or one largest control entry.
pub const MAX_FRAME_BYTES: usize = 1024 * 1024;
/// Most entries of one batch.
pub const MAX_BATCH_ENTRIES: usize = 256;
/// Bytes after which a batch is closed; one entry, even the largest control entry, may go beyond it.
pub const BATCH_BYTES: usize = 512 * 1024;
/// Wanted ranges a link may have outstanding: enough to hide a round trip, and the credit given to the peer.
pub const MAX_OUTSTANDING_WANTS: usize = 4;
/// Entries pushed to a peer that it has not yet acknowledged; beyond it the peer is told heads and pulls.
pub const MAX_UNACKED_PUSHES: usize = 256;
/// Chains named in one frame of heads.
pub const MAX_HEADS_PER_FRAME: usize = 512;
/// Chains of a room that are followed: every member with several cards, and late tickets' joins.
pub const MAX_CHAINS: usize = 8192;
/// Control ids in one frame of heads, in one want, or named as already held.
pub const MAX_CONTROL_IDS: usize = 256;
/// Longest ticket text, in characters: it must survive a chat line.
pub const MAX_TICKET_CHARS: usize = 320;
/// Most endpoints of a ticket.
pub const MAX_TICKET_ENDPOINTS: usize = 3;
/// Most addresses of one endpoint of a ticket.
pub const MAX_TICKET_ADDRESSES: usize = 4;
/// Longest sealed signal, in bytes: a label, a program, a directory name, a branch, a summary, each as long as it may be
/// and of four bytes a character.
pub const MAX_SIGNAL_BYTES: usize = 2048;
/// A message that has come through so many agents in a row, no human between, disturbs nobody any more: it waits for a human's
/// prompt. Enough for a question, an answer, and a few more of both; two agents that answer everything stop within it.
pub const MAX_HOPS: u8 = 8;
/// How often one session of somebody's may disturb one session of another within an hour, between tools, at the end of a turn or
/// idle: once in three minutes. What agents write about their hops is their word; this is counted by who is disturbed.
pub const MAX_DISTURBANCES: usize = 20;
/// The same of all sessions of another identity together: what a session is called is its node's word.
pub const MAX_DISTURBANCES_OF_PEER: usize = 3 * MAX_DISTURBANCES;
/// How much of a room is given in a day, in characters, where nobody has said otherwise: about 50,000 tokens, a few hundred
/// messages.
pub const USUAL_BUDGET_CHARS: u64 = 200_000;
/// What part of a room's budget there is on top of it for questions to a session: so that nobody silences them by talking, and
/// who asks without end costs a tenth more and no more.
pub const RESERVE_PART: u64 = 10;
/// Most tags of one session: all of them stand in its signal, beside everything else it says.
pub const MAX_TAGS: usize = 8;
/// Longest summary of a session, in characters: two lines of a terminal.
pub const MAX_SUMMARY_CHARS: usize = 200;
/// Longest name of a session's directory, in characters: the names people give fit, and a signal holds it.
pub const MAX_DIRECTORY_CHARS: usize = 64;
/// Longest name of a session's branch, in characters: a ticket's number and its title.
pub const MAX_BRANCH_CHARS: usize = 100;
/// Sessions' signals remembered, of all rooms together: those of twenty large rooms, in 4 MiB of memory.
pub const MAX_SIGNALS: usize = 8192;
/// Signals of one author heeded in a room within a minute: 32 sessions refreshed twice and each changed twice.
pub const MAX_SIGNALS_PER_MINUTE: usize = 128;
/// Authors whose highest counter is remembered once their sessions are gone, of all rooms together: 16 full rooms, in less
/// than a mebibyte.
pub const MAX_SIGNAL_MARKS: usize = 16 * MAX_MEMBERS;
/// How long an absent session counts as present, in seconds.
pub const LEASE_SECONDS: u64 = 90;
/// Addresses a node tells of itself: those of a few interfaces, and of the world's side of its router.
pub const MAX_TOLD_ADDRESSES: usize = 8;
/// Longest URL of a relay, in bytes: the name of a machine, and a path at most.
pub const MAX_RELAY_URL_BYTES: usize = 128;
/// Whereabouts of others that a newly opened link is told: each is learned from its author's own links too, and all of
/// 512 would cost 200 KiB a link.
pub const MAX_WHEREABOUTS_TOLD: usize = 64;
/// Others in a room up to which every member is linked with every other: what a team is, and each entry takes one step.
pub const MAX_FULL_MESH: usize = 16;
/// Links that a node keeps up in a larger room: by chance chosen, so many leave no group of hundreds apart, and each entry is told
/// to so many.
pub const MESH_LINKS: usize = 8;
/// Links of one larger room beyond which a node lets go of those that others opened: three times what each keeps up, so that
/// nobody has to carry a room for all.
pub const MAX_MESH_LINKS: usize = 24;
/// Members that are tried at once in a larger room: who is not there costs a few seconds, and hundreds may not be there.
pub const MAX_MESH_TRIES: usize = 4;
/// Members that are tried at once in all larger rooms together: a laptop in twenty of them opens in the morning.
pub const MAX_TRIES: usize = 16;
/// Longest file that may be announced: a disk image or a data set that a person waits for; beyond it other tools serve better.
pub const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024 * 1024;
/// Bytes of a file that are sealed as one chunk: what comes is checked this early, and its tag adds a four-thousandth.
pub const FILE_CHUNK_BYTES: usize = 64 * 1024;
/// Longest request for a file: its fixed fields.
pub const MAX_FILE_REQUEST_BYTES: usize = 256;
/// Longest name of a file as it is announced, in bytes: what file systems take.
pub const MAX_FILE_NAME_BYTES: usize = 255;
/// Announcements of files that a node finds by their names, of each room the newest; older ones are found by their ids.
pub const MAX_FILES_LISTED: usize = 1024;
