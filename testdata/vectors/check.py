#!/usr/bin/env python3
"""Checks the vectors against the specification with published libraries and none of Parlor's own code.

`python3 testdata/vectors/check.py` makes itself an environment from requirements.txt in the cache folder
(PARLOR_TEST_CACHE, else ~/.cache/parlor-test) where the libraries are missing, says what it checked and
exits 0, or says what is wrong and exits 1. Each file of vectors has one function; a new file adds a function and a
line in CHECKS. A file without one is an error. What is derived and sealed is checked in derivations.py.

frozen.txt has a fingerprint of every vector of a frozen wire version: one that is gone or changed is an error.
`check.py --freeze` adds those of new vectors, and never takes one away.
"""

import base64
import hashlib
import ipaddress
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
FROZEN = HERE / "frozen.txt"


def enter_environment():
    """Runs this file again inside an environment that has the libraries."""
    pins = (HERE / "requirements.txt").read_bytes()
    cache = os.environ.get("PARLOR_TEST_CACHE") or pathlib.Path.home() / ".cache" / "parlor-test"
    place = pathlib.Path(cache) / f"vectors-{hashlib.sha256(pins + sys.version.encode()).hexdigest()[:12]}"
    python = place / "bin" / "python"
    if sys.prefix == str(place) or os.environ.get("PARLOR_VECTORS_ENVIRONMENT") == str(place):
        sys.exit(f"the environment {place} lacks a library; remove it and run this again")
    if not python.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        made = pathlib.Path(tempfile.mkdtemp(prefix="vectors-", dir=place.parent))
        subprocess.run([sys.executable, "-m", "venv", made], check=True)
        pip = [made / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", HERE / "requirements.txt"], check=True)
        try:
            made.rename(place)
        except OSError:
            pass  # somebody else was faster
    os.environ["PARLOR_VECTORS_ENVIRONMENT"] = str(place)
    os.execv(python, [str(python), *sys.argv])


# Nothing is left behind in the checkout.
sys.dont_write_bytecode = True

try:
    import blake3  # noqa: F401
    import cbor2
    import cryptography  # noqa: F401
    import mnemonic  # noqa: F401
    import pycddl  # noqa: F401
except ImportError:
    enter_environment()

from constructions import *  # noqa: E402, F403: the libraries had to be there first
import derivations  # noqa: E402

LETTERS = {"peer": "p", "room": "r", "entry": "m", "key": "k", "recipient": "c"}
FRAMES = (
    "hello open refuse control-heads control-want control-batch data-heads data-want data-batch data-push ack signal whereabouts"
).split()
GENESIS, OWN, TICKET, CLOSE, REQUEST, JOIN, ADMIT, REMOVE, ROLE, LEAVE, CARD, REKEY, GRANT, WANT, NOTE, DIRECT = range(16)
LONGEST_TICKET = 320
ROLES = ["reader", "member", "owner"]
# What room.cddl calls the bodies.
BODIES = "genesis own ticket close request join admit remove role leave card-entry rekey grant want note direct".split()


def base32(data):
    return base64.b32encode(data).decode().lower().rstrip("=")


def unbase32(text):
    data = base64.b32decode(text.upper() + "=" * (-len(text) % 8))
    assert base32(data) == text, "bits left over"
    return data


# ---- one function for each file ---------------------------------------------------------------------------------


def numbers(of):
    """The numbers in use and the retired ones, as the table of wire.md says."""
    row = re.search(rf"^\| {of} \| (\d+)(?: to (\d+))? \| (.*?) \|$", (CDDL.parent / "wire.md").read_text(), re.MULTILINE)
    retired = {int(number) for number in re.findall(r"\d+", row[3])}
    return set(range(int(row[1]), int(row[2] or row[1]) + 1)) - retired, retired


def is_strict(rule, data):
    """Whether the CDDL takes the bytes, and not with one key more. pycddl takes any map for the empty one of a note."""
    if rule == "note":
        return data == b"\xa0"
    return matches(rule, data) and not matches(rule, cbor2.dumps({**decode(data), 99: 0}, canonical=True))


def check_ids(file):
    for v in file["vectors"]:
        text = LETTERS[v["kind"]] + base32(bytes.fromhex(v["bytes"]))
        assert (text, text[:8]) == (v["text"], v["short"]), v["text"]


def check_domains(file):
    here = {value for name, value in globals().items() if name.isupper() and isinstance(value, (str, bytes))}
    used = {d.decode() if isinstance(d, bytes) else d for d in here}
    listed = file["vectors"]
    assert {d for d in used if d.startswith("parlor/1 ")} == set(listed), "not the domains that are used here"
    for a in listed:
        assert a.endswith(";") and sum(b.startswith(a) for b in listed) == 1, f"{a} begins another"
    table = re.findall(r"^\| `(parlor/1 [^`]*;)` \|", (CDDL.parent / "crypto.md").read_text(), re.MULTILINE)
    assert table == listed, "the table of crypto.md differs"


def check_calls(file):
    for v in file["vectors"]:
        salt, callee = bytes.fromhex(v["salt"]), bytes.fromhex(v["callee"])
        tag = derive(CALLED, salt + callee)[:8]
        assert b"parlor/for/" + salt + tag == bytes.fromhex(v["offer"]), v["callee"]


class Control:
    """A control entry that is right by itself."""

    def __init__(self, data):
        envelope = decode(data)
        self.header_bytes, self.signature = envelope[0], envelope[1]
        self.ticket_signature = envelope.get(2)
        self.header = decode(self.header_bytes)
        self.body = decode(self.header[9])
        self.id = derive(CONTROL_ID, self.header_bytes)
        self.author, self.kind, self.after = self.header[4], self.header[6], self.header[7]
        self.room = self.header.get(3, self.id)
        self.acts_as = self.header.get(5, self.id)
        assert verifies(self.author, CONTROL_SIGNATURE, self.header_bytes, self.signature), "signature"
        assert self.after == sorted(set(self.after)), "parents not ascending"
        assert (self.ticket_signature is not None) == (self.kind in (JOIN, REQUEST)), "ticket signature"
        card = {GENESIS: 0, REQUEST: 1, JOIN: 1, CARD: 0, DIRECT: 1}.get(self.kind)
        if card is not None:
            check_card(self.body[card])
            assert self.body[card][0][1] == self.author, "a card of somebody else"
        assert self.after or self.kind in (GENESIS, DIRECT), "no parents"
        self.check_body()

    def check_body(self):
        """What the CDDL does not say of the kinds that rule the room."""
        if self.kind == ADMIT:
            assert matches("request-entry", self.body[0]), "admits something that is no request"
            self.request = Control(self.body[0])
            assert self.request.room == self.room, "a request of another room"
        if self.kind == DIRECT:
            other = self.body[0]
            assert other != self.author, "a direct room with oneself"
            pair = b"".join(sorted([self.author, other]))
            assert self.room == derive(DIRECT_ROOM, SUITE + pair), "a direct room of others"
            for card in self.body[2]:
                check_card(card)
                assert card[0][1] == other, "a card of somebody else"
        if self.kind == REMOVE:
            assert ascending(self.body[1]) and ascending(cuts_of(self.body)), "not ascending"
        if self.kind == ROLE:
            assert ascending(cuts_of(self.body)), "not ascending"
            assert self.body[1] == 0 or not self.body[2], "cuts of a member"
        if self.kind == WANT:
            assert ascending(self.body[0]), "not ascending"


def ascending(values):
    return list(values) == sorted(set(values))


def cuts_of(body):
    """The cuts of a remove or a role: chain, place, entry."""
    return [(cut[0], cut[1], cut[2]) for cut in body[2]]


def check_card(signed):
    card = cbor2.dumps(signed[0], canonical=True)
    assert verifies(signed[0][1], CARD_SIGNATURE, card, signed[1]), "card signature"
    return card


def with_body(data, body):
    """A control entry with another body. Nobody signed it."""
    envelope = decode(data)
    header = {**decode(envelope[0]), 9: cbor2.dumps(body, canonical=True)}
    return cbor2.dumps({**envelope, 0: cbor2.dumps(header, canonical=True)}, canonical=True)


def check_control(file):
    seeds = {key: bytes.fromhex(seed) for key, seed in file["seeds"].items()}
    kinds = set()
    for v in file["vectors"]:
        data, header, body, id, room, author, signature = unhex(
            v, "bytes", "header", "body", "id", "room", "author", "signature"
        )
        entry = Control(data)
        assert is_strict("control-entry", data) and is_strict("control-header", header), "CDDL"
        assert is_strict(BODIES[entry.kind], body), "CDDL of the body"
        spoilt = with_body(data, {**entry.body, 99: 0})
        assert entry.kind == NOTE or not matches("control-entry", spoilt), "CDDL of the body inside"
        assert (entry.header_bytes, entry.header[9], entry.id, entry.room) == (header, body, id, room)
        assert (entry.author, entry.signature, entry.kind) == (author, signature, v["kind"])
        signer = Ed25519PrivateKey.from_private_bytes(seeds[v["author"]])
        assert signer.sign(CONTROL_SIGNATURE + header) == signature, "signed anew"
        if entry.kind in (JOIN, REQUEST):
            assert verifies(bytes.fromhex(v["ticket_signing_key"]), JOIN_SIGNATURE, header, entry.ticket_signature)
        if entry.kind == TICKET:
            assert derive(TICKET_RECIPIENT, entry.body[0] + entry.body[1]).hex() == v["recipient"]
            assert all(seal[0].hex() == v["recipient"] for grant in entry.body[6] for seal in grant[1])
        if entry.kind == ADMIT:
            admitted = entry.body[0]
        kinds.add(entry.kind)
    used, retired = numbers("kinds of control entries")
    assert kinds == used == set(range(len(BODIES))) - retired, "kinds"
    assert data == admitted, "the last vector is the request of the admit"


def check_data(file):
    before = None
    for v in file["vectors"]:
        data, header, associated, id, author, signature = unhex(
            v, "bytes", "header", "associated_data", "id", "author", "signature"
        )
        envelope = decode(data)
        fields = decode(envelope[0])
        assert is_strict("data-entry", data) and is_strict("data-header", header), "CDDL"
        assert (envelope[0], envelope[1]) == (header, signature)
        assert derive(DATA_ID, header) == id
        assert verifies(author, DATA_SIGNATURE, header, signature)
        without = {key: value for key, value in fields.items() if key != 12}
        assert ENTRY_AAD + cbor2.dumps(without, canonical=True) == associated
        if v["sealed_body"] is None:
            assert 2 not in envelope
            continue
        assert envelope[2].hex() == v["sealed_body"]
        assert (derive(BODY_HASH, envelope[2]), len(envelope[2])) == (fields[12], fields[13])
        assert fields.get(4) == before, "not behind the one before"
        before = id


def check_cards(file):
    for v in file["vectors"]:
        data, card, id, identity, signature = unhex(v, "bytes", "card", "id", "identity", "signature")
        signed = decode(data)
        assert is_strict("signed-card", data) and is_strict("card", card), "CDDL"
        assert check_card(signed) == card and derive(CARD_ID, card) == id
        assert (signed[0][1], signed[1]) == (identity, signature)


def check_frames(file):
    seen, reasons = set(), set()
    for v in file["vectors"]:
        data = bytes.fromhex(v["bytes"])
        number, content = decode(data)
        rule = FRAMES[number]
        assert v["name"].split(":")[0].replace(" ", "-").startswith(rule), "another name"
        assert matches(rule, data), "CDDL"
        assert not matches(rule, cbor2.dumps([99, content], canonical=True)), "another number"
        others = [other for other in FRAMES if other != rule and matches(other, data)]
        assert not others, f"also {others}"
        if rule == "refuse":
            reasons.add(content[0])
        if "proof_message" in v:
            key, signature = content[0][1][0], content[0][1][1]
            assert verifies(key, LINK_PROOF, bytes.fromhex(v["proof_message"]), signature)
        if number in (11, 12):
            signal = content[0]
            bare = cbor2.dumps({k: value for k, value in signal.items() if k != 7}, canonical=True)
            room, signed = unhex(v, "room", "signed_bytes")
            assert bare == signed and verifies(signal[0], SIGNAL_SIGNATURE, room + bare, signal[7])
        seen.add(number)
    # pycddl does not tell apart the arrays of a choice, so the choice is read here.
    choice = re.search(r"^frame = ((?:.*\n)*?)\n", CDDL.read_text(), re.MULTILINE)[1]
    assert re.findall(r"[\w-]+", choice) == FRAMES, "the choice of frames"
    used, retired = numbers("frames")
    assert seen == used == set(range(len(FRAMES))) - retired, "frames"
    assert reasons == numbers("reasons of Refuse")[0], "reasons"


def read_ticket(pasted):
    """What a pasted text says, or the word for what is wrong with it."""
    lower = pasted.lower()
    starts = [m.start() for m in re.finditer(r"(?<![a-z0-9])parlor[0-9]", lower)]
    if not starts:
        return "not a ticket"
    if len(starts) > 1:
        return "several"
    text = lower[starts[0] :]
    if not text.startswith("parlor1"):
        return "newer" if text[6] > "1" else "not a ticket"
    run = re.match(r"[a-z2-7\s]*", text[7:]).group()
    rest = text[7 + len(run) :]
    chars = "".join(run.split())
    cut = "mistyped" if re.match(r"\w|\W\w", rest) and not run[-1:].isspace() else "truncated"
    if len(chars) < 8:
        return cut
    version, length = unbase32(chars[:8])[:2]
    if version != 1:
        return "mistyped"  # or newer, where the checksum over all there is holds; no vector yet
    want = -(-(2 + length + 4) * 8 // 5)
    if len(chars) < want:
        return cut
    try:
        data = unbase32(chars[:want])
    except AssertionError:
        return "mistyped"
    if derive(TICKET_CHECKSUM, data[:-4])[:4] != data[-4:]:
        return "mistyped"
    content = decode(data[2:-4])
    expires = content[3] if len(content) > 3 and content[3] is not None else 0
    beyond = len(content[2]) > 3 or any(len(at) > 4 for _, at in content[2]) or expires * 1000 >= 1 << 64
    return "newer" if beyond or len("parlor1") + want > LONGEST_TICKET else content


def address(data):
    ip = ipaddress.ip_address(data[:-2])
    port = int.from_bytes(data[-2:], "big")
    return f"[{ip}]:{port}" if ip.version == 6 else f"{ip}:{port}"


def check_tickets(file):
    by_text = {}
    for v in file["vectors"]:
        if "error" in v:
            assert read_ticket(v["text"]) == v["error"], read_ticket(v["text"])
            continue
        read = read_ticket(v.get("pasted", v["text"]))
        assert isinstance(read, list), read
        assert matches("ticket-content", cbor2.dumps(read, canonical=True)), "CDDL"
        room, seed, endpoints = read[:3]
        expires, relay = (read[3:] + [None, None])[:2]
        says = {
            "room": room.hex(),
            "seed": seed.hex(),
            "endpoints": [{"peer": peer.hex(), "addresses": [address(a) for a in at]} for peer, at in endpoints],
            "relay": relay,
            "expires_ms": None if expires is None else expires * 1000,
        }
        assert len(v["text"]) <= LONGEST_TICKET
        assert by_text.setdefault(v["text"], v.get("says")) == says


def check_refused(file):
    for v in file["vectors"]:
        data = bytes.fromhex(v["bytes"])
        rule = f"{v['type']}-entry"
        if not matches(rule, data):
            continue
        try:
            if v["type"] == "control":
                Control(data)
            else:
                envelope = decode(data)
                fields = decode(envelope[0])
                assert (fields[3] == 0) == (4 not in fields), "prev"
                assert 2 not in envelope or derive(BODY_HASH, envelope[2]) == fields[12], "body"
        except AssertionError:
            continue
        raise AssertionError("nothing is wrong with it")


class Roster:
    """The rules of the roster by their letter."""

    def __init__(self, entries):
        self.entries, self.past, self.never_in = {}, {}, []
        for entry in entries:  # parents first
            past = {entry.id}.union(*(self.past.get(parent, set()) for parent in entry.after))
            known = all(parent in self.entries for parent in entry.after)
            if known and self.well_formed(entry, past):
                self.entries[entry.id], self.past[entry.id] = entry, past
            else:
                self.never_in.append(entry.id)
        self.owners, self.leaves, self.ruled, self.abandoning = {}, [], [], False
        for entry in self.entries.values():  # parents first: what an entry may is told by its past
            self.gather(entry)
        self.tickets = {e.id: e.body for e in self.ruled if e.kind == TICKET}
        self.memberships = self.all_memberships()

    # -- the DAG

    def whose(self, id):
        entry = self.entries.get(id)
        if entry is None or entry.kind not in (GENESIS, OWN, JOIN, ADMIT, DIRECT):
            return None
        if entry.kind == OWN:
            return entry.body[0]
        return entry.request.author if entry.kind == ADMIT else entry.author

    def well_formed(self, entry, past):
        if entry.kind in (GENESIS, DIRECT):
            return True
        if any(e.kind == DIRECT for e in self.entries.values()):
            if entry.kind not in (CARD, REKEY, GRANT, WANT, NOTE) or len(entry.header[9]) > 16384:
                return False
        if entry.kind == REQUEST:
            return False
        if entry.kind == JOIN:
            return self.ticket_signed(entry, past)
        if entry.kind == ADMIT and not self.ticket_signed(entry.request, past):
            return False
        return entry.acts_as in past and self.whose(entry.acts_as) == entry.author

    def ticket_signed(self, entry, past):
        ticket = self.entries.get(entry.body[0])
        if ticket is None or ticket.kind != TICKET or ticket.id not in past:
            return False
        return verifies(ticket.body[0], JOIN_SIGNATURE, entry.header_bytes, entry.ticket_signature)

    def heads(self):
        below = {parent for entry in self.entries.values() for parent in entry.after}
        return sorted(set(self.entries) - below)

    # -- R1, R2: what owners did

    def gather(self, entry):
        if entry.kind in (GENESIS, DIRECT):
            self.owners[entry.id] = entry.author
        elif entry.kind == LEAVE:
            owning = self.owning(entry)
            last = owning == {entry.author}
            if entry.body[0] or not last:
                self.abandoning |= last
                self.leaves.append(entry)
        elif entry.acts_as in self.owners and not self.left(entry, entry.author, entry.acts_as):
            if entry.kind == OWN:
                self.owners[entry.id] = entry.body[0]
            if entry.kind != REMOVE or entry.body[0] not in self.owning(entry):
                self.ruled.append(entry)

    def left(self, before, whose, membership):
        """Whether the past of an entry holds a leave that ends a membership."""
        known = (e for e in self.leaves if e.author == whose and before is not e and e.id in self.past[before.id])
        return any(membership in self.past[e.id] for e in known)

    def owning(self, before):
        """Who owns as far as the past of an entry tells."""
        known = ((id, whose) for id, whose in self.owners.items() if id in self.past[before.id])
        return {whose for id, whose in known if not self.left(before, whose, id)}

    def about(self, kind, identity):
        return [e for e in self.ruled if e.kind == kind and e.body[0] == identity]

    # -- R4-R8: memberships and what became of them

    def came_by(self, id):
        """The ticket of a join or admit, and the entry that must have known what was said of whoever comes."""
        entry = self.entries.get(id)
        if entry is not None and entry.kind == JOIN:
            return entry.body[0], entry.body[0]
        if entry is not None and entry.kind == ADMIT:
            return entry.request.body[0], id
        return None, None

    def closers(self, ticket):
        closes = [e for e in self.ruled if e.kind == CLOSE and e.body[0] == ticket]
        return closes + [
            e for e in self.ruled if e.kind == REMOVE and any(self.came_by(m)[0] == ticket for m in e.body[1])
        ]

    def lets_in(self, entry):
        ticket = self.came_by(entry.id)[0]
        if ticket not in self.tickets:
            return False
        if entry.kind == ADMIT:
            return entry in self.ruled
        return not self.tickets[ticket][5] and all(entry.id in self.past[c.id] for c in self.closers(ticket))

    def role(self, identity, since, given):
        said = [e for e in self.about(ROLE, identity) if e.id not in self.past[since]]
        last = [e for e in said if not any(e.id in self.past[o.id] for o in said if o is not e)]
        return min((e.body[1] for e in last), default=given)

    def all_memberships(self):
        """By id: whose, role, ticket, and live, left or removed."""
        found = {}
        for id, entry in self.entries.items():
            identity = self.whose(id)
            if identity is None:
                continue
            left = any(e.author == identity and id in self.past[e.id] for e in self.leaves)
            standing = "left" if left else "live"
            if id in self.owners:
                found[id] = (identity, 2, None, standing)
            if entry.kind in (JOIN, ADMIT) and self.lets_in(entry):
                ticket, since = self.came_by(id)
                if any(e.id not in self.past[since] for e in self.about(REMOVE, identity)):
                    standing = "removed"
                found[id] = (identity, self.role(identity, since, self.tickets[ticket][2]), ticket, standing)
        return found

    def highest(self, identity, standings):
        mine = (m for m in self.memberships.values() if m[0] == identity and m[3] in standings)
        return max((role for _, role, _, _ in mine), default=None)

    def members(self):
        live = {who for who, _, _, standing in self.memberships.values() if standing == "live"}
        found = {who: ROLES[self.highest(who, ["live"])] for who in live}
        others = {e.body[0] for e in self.entries.values() if e.kind == DIRECT}
        return {**dict.fromkeys(others, "owner"), **found}

    def standing(self, wanted):
        return {
            id.hex(): {"identity": who.hex(), "role": ROLES[role], "ticket": ticket and ticket.hex()}
            for id, (who, role, ticket, standing) in self.memberships.items()
            if standing == wanted
        }

    def abandoned(self):
        return self.abandoning and all(self.memberships[id][3] == "left" for id in self.owners)

    def ticket_states(self):
        stay = [(ticket, who) for who, _, ticket, standing in self.memberships.values() if standing != "removed"]
        joined = lambda t: len({who for ticket, who in stay if ticket == t})
        return {t: {"closed": bool(self.closers(t)), "joins": joined(t)} for t in self.tickets}

    # -- R10: how much of each chain counts

    def chains(self):
        kept = {}
        for id, entry in self.entries.items():
            membership = self.memberships.get(entry.acts_as if entry.kind == CARD else id)
            if membership is None:
                continue
            who, _, _, standing = membership
            upto = lambda kind: sorted(
                {(seq, at.hex()) for e in self.about(kind, who) for chain, seq, at in cuts_of(e.body) if chain == id}
            )
            receipts = upto(REMOVE) if standing == "removed" else "all"
            standings = ["live"] if standing == "live" else ["live", "left", "removed"]
            content = upto(ROLE) if self.highest(who, standings) == 0 else receipts
            if content or receipts:
                kept[id] = {"author": who.hex(), "content": content, "receipts": receipts}
        return kept


def check_rosters(file):
    for v in file["vectors"]:
        assert all(matches("control-entry", bytes.fromhex(entry)) for entry in v["entries"]), "CDDL"
        roster = Roster([Control(bytes.fromhex(entry)) for entry in v["entries"]])
        hexed = lambda pairs: {key.hex(): value for key, value in pairs}
        assert [id.hex() for id in roster.never_in] == v["never_in"], "never in"
        assert [id.hex() for id in roster.heads()] == v["heads"], "heads"
        assert hexed(roster.members().items()) == v["members"], "members"
        for standing, name in (("live", "memberships"), ("left", "left"), ("removed", "removed")):
            assert roster.standing(standing) == v[name], name
        assert roster.abandoned() == v["abandoned"], "abandoned"
        assert hexed(roster.ticket_states().items()) == v["tickets"], "tickets"
        chains = json.loads(json.dumps(hexed(roster.chains().items())))
        assert chains == v["chains"], "chains"


CHECKS = {
    "ids.json": check_ids,
    "domains.json": check_domains,
    "control.json": check_control,
    "data.json": check_data,
    "cards.json": check_cards,
    "frames.json": check_frames,
    "tickets.json": check_tickets,
    "refused.json": check_refused,
    "rosters.json": check_rosters,
    "calls.json": check_calls,
    **derivations.CHECKS,
}


# ---- what is frozen -----------------------------------------------------------------------------------------------


def fingerprint(vector):
    text = json.dumps(vector, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def committed():
    """Every vector there is, as the file and its fingerprint. What is too new today is not frozen: one day it is known."""
    all_vectors = ((name, v) for name in CHECKS for v in json.loads((HERE / name).read_text())["vectors"])
    is_lasting = lambda v: not (isinstance(v, dict) and v.get("verdict") == "freezes")
    return sorted({f"{name} {fingerprint(v)}" for name, v in all_vectors if is_lasting(v)})


def check_frozen():
    """How many vectors of a released wire version are not there any more."""
    frozen = FROZEN.read_text().split("\n")[:-1]
    gone = sorted(set(frozen) - set(committed()))
    for line in gone:
        print(f"frozen.txt: {line}: a frozen vector is gone or was changed")
    print(f"frozen.txt: {'WRONG' if gone else 'ok'}, {len(frozen)} vectors")
    return len(gone)


def main():
    if sys.argv[1:] == ["--freeze"]:
        frozen = FROZEN.read_text().split("\n")[:-1] if FROZEN.exists() else []
        FROZEN.write_text("".join(f"{line}\n" for line in sorted({*frozen, *committed()})))
    wrong = check_frozen()
    for path in sorted(HERE.glob("*.json")):
        if path.name not in CHECKS:
            print(f"{path.name}: no function checks this file")
            wrong += 1
    for name, check in CHECKS.items():
        file = json.loads((HERE / name).read_text())
        failures = 0
        whole = name in ("domains.json", "data.json", "control.json", "frames.json", "bodies.json")
        parts = [file["vectors"]] if whole else [[vector] for vector in file["vectors"]]
        if name == "tickets.json":
            parts = [file["vectors"]]
        for part in parts:
            try:
                check({**file, "vectors": part})
            except Exception as error:  # noqa: BLE001: whatever it is, it is said
                what = part[0].get("name", part[0].get("text", "")) if len(part) == 1 else ""
                print(f"{name}: {what}: {type(error).__name__}: {error}")
                failures += 1
        print(f"{name}: {'WRONG' if failures else 'ok'}, {len(file['vectors'])} vectors")
        wrong += failures
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
