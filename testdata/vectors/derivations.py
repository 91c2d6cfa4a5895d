"""What is derived and sealed, worked out again from docs/spec/crypto.md. One function for each file; `check.py` runs them."""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from mnemonic import Mnemonic

import cbor2
from constructions import (
    BLOB_KEY,
    BLOB_NAME,
    BODY_HASH,
    CARD_ID,
    CARD_SIGNATURE,
    DATA_SIGNATURE,
    ENTRY_AAD,
    ENTRY_KEY,
    HEDGE,
    KEY_ID,
    LINK_PROOF,
    SAFETY_NUMBER,
    SEAL_INFO,
    SIGNAL_AAD,
    SIGNAL_KEY,
    SIGNAL_SIGNATURE,
    SUITE,
    TICKET_RECIPIENT,
    TICKET_SEALING,
    TICKET_SIGNING,
    WRAP_KEY,
    decode,
    derive,
    gcm,
    hkdf,
    hpke_seal,
    keyed,
    matches,
    sealing_pair,
    sign,
    signing_key,
    unhex,
    verifies,
)

HPKE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
LONGEST_BODY = 81920
KINDS = {0: "message", 1: "profile", 2: "room-name", 3: "revocation"}


def key_id(room, key):
    return derive(KEY_ID, SUITE + room + key)


def check_room_keys(file):
    for v in file["vectors"]:
        room, key, id = unhex(v, "room", "key", "id")
        assert key_id(room, key) == id


def check_sealing_pairs(file):
    for v in file["vectors"]:
        seed, secret, public, card, card_id = unhex(v, "sealing_seed", "sealing_secret", "sealing_key", "card", "card_id")
        identity_secret, identity = unhex(v, "identity_secret", "identity")
        assert sealing_pair(seed) == (secret, public), "DeriveKeyPair"
        assert signing_key(identity_secret) == identity
        assert matches("signed-card", card), "CDDL"
        said, signature = decode(card).values()
        bytes_of = cbor2.dumps(said, canonical=True)
        assert (said[1], said[3]) == (identity, public) and derive(CARD_ID, bytes_of) == card_id
        assert sign(identity_secret, CARD_SIGNATURE, bytes_of) == signature


def check_ticket_keys(file):
    for v in file["vectors"]:
        seed, signing, secret, public, recipient = unhex(
            v, "seed", "signing_key", "sealing_secret", "sealing_key", "recipient"
        )
        signing_secret = hkdf(seed, b"", TICKET_SIGNING)
        assert signing_key(signing_secret) == signing, "signing key"
        assert sealing_pair(hkdf(seed, b"", TICKET_SEALING)) == (secret, public), "sealing pair"
        assert derive(TICKET_RECIPIENT, signing + public) == recipient, "recipient id"
        message = b"".join(unhex(v["link_proof"], "prover", "verifier", "room", "nonce"))
        assert sign(signing_secret, LINK_PROOF, message).hex() == v["link_proof"]["signature"], "link proof"


def check_seals(file):
    for v in file["vectors"]:
        secret, public, room, id, to, author = unhex(
            v, "recipient_secret", "recipient_key", "room", "key_id", "to", "author"
        )
        ephemeral, enc, sealed, key = unhex(v, "ephemeral_ikm", "enc", "sealed", "key")
        info = SEAL_INFO + SUITE + room + id + to + author
        assert HPKE.decrypt(enc + sealed, X25519PrivateKey.from_private_bytes(secret), info) == key, "opened"
        assert key_id(room, key) == id
        assert hpke_seal(ephemeral, public, info, key) == (enc, sealed), "sealed anew"
        seal = cbor2.dumps({0: to, 1: enc, 2: sealed}, canonical=True)
        assert matches("seal", seal), "CDDL"


def check_wraps(file):
    for v in file["vectors"]:
        room, newer, older, id, sealed = unhex(v, "room", "newer", "older", "older_id", "sealed")
        assert key_id(room, older) == id
        assert gcm(hkdf(newer, b"", WRAP_KEY + SUITE + room + id), b"", older) == sealed
        assert matches("wrap", cbor2.dumps({0: id, 1: sealed}, canonical=True)), "CDDL"


def bucket(plaintext_bytes):
    n = 4 + plaintext_bytes
    if n > 4096:
        return -(-n // 4096) * 4096
    size = 256
    while size < n:
        size *= 2
    return size


def check_padding(file):
    for v in file["vectors"]:
        length = bucket(v["plaintext_bytes"]) + 16
        assert v["body_len"] == (length if length <= LONGEST_BODY else None), v["plaintext_bytes"]


def entry_key(key, header):
    info = ENTRY_KEY + SUITE + header[1] + header[2] + header[3].to_bytes(8, "big")
    return hkdf(key, header[8], info)


def entry_aad(header):
    without = {field: value for field, value in header.items() if field != 12}
    return ENTRY_AAD + cbor2.dumps(without, canonical=True)


def seal_body(key, header, plaintext):
    """Of a header as it is when everything but the body hash is in it."""
    padded = len(plaintext).to_bytes(4, "big") + plaintext
    padded += bytes(bucket(len(plaintext)) - len(padded))
    return gcm(entry_key(key, header), entry_aad(header), padded)


def has_known_keys(said, end, begin=0):
    """Whether a map has no keys but those below `end` and open ones. pycddl knows no range of keys."""
    return all(begin <= key < end or key >= 16 for key in said)


def check_bodies(file):
    kinds = set()
    for v in file["vectors"]:
        key, author, entry = unhex(v, "key", "author", "entry")
        if "plaintext" in v:
            plaintext = bytes.fromhex(v["plaintext"])
        else:
            plaintext = bytes((7 * n + 3) % 256 for n in range(v["plaintext_bytes"]))
        assert matches("data-entry", entry), "CDDL"
        envelope = decode(entry)
        header = decode(envelope[0])
        assert key_id(header[1], key) == header[7]
        sealed = seal_body(key, header, plaintext)
        assert (derive(BODY_HASH, sealed), len(sealed)) == (header[12], header[13]), "body hash"
        assert (2 in envelope) == ("plaintext" in v)
        assert envelope.get(2, sealed) == sealed, "sealed body"
        assert verifies(author, DATA_SIGNATURE, envelope[0], envelope[1])
        if v["name"].startswith(("a message", "a profile", "a room", "a revocation", "a kind")):
            said = decode(plaintext)
            assert said[0] > 3 or has_known_keys(said, 7), "a key nobody knows"
            rule = KINDS.get(said[0], "newer-body")
            assert matches(rule, plaintext), f"CDDL of a {rule}: {v['name']}"
            # Frozen before that key meant anything.
            assert v["name"] == "a message with an open key" or matches("open-keys", plaintext), "open keys"
            kinds.add(rule)
    assert kinds == {*KINDS.values(), "newer-body"}, kinds


def check_whereabouts(file):
    check_signals(file, number=12, rule="whereabouts", said_rule="place", known=(8, 10))
    for v in file["vectors"]:
        _, (signal,) = decode(bytes.fromhex(v["frame"]))
        assert (signal[1], signal[3]) == (bytes(16), 0), "the handle of no session, and no time to live"


def check_signals(file, number=11, rule="signal", said_rule="said", known=(0, 3)):
    for v in file["vectors"]:
        room, key, secret, frame, said = unhex(v, "room", "key", "author_secret", "frame", "said")
        assert matches(rule, frame) and matches(said_rule, said), "CDDL"
        seen, (signal,) = decode(frame)
        assert has_known_keys(decode(said), known[1], known[0]), "a key nobody knows"
        assert (seen, signal[0], signal[4]) == (number, signing_key(secret), key_id(room, key))
        bare = {field: value for field, value in signal.items() if field != 7}
        empty = cbor2.dumps({**bare, 6: b""}, canonical=True)
        signal_key = hkdf(key, signal[5], SIGNAL_KEY + SUITE + room)
        assert gcm(signal_key, SIGNAL_AAD + room + empty, said) == signal[6], "sealed"
        message = room + cbor2.dumps(bare, canonical=True)
        assert sign(secret, SIGNAL_SIGNATURE, message) == signal[7], "signature"


def why_not(v):
    """Why it does not open, by the letter; None if it does."""
    try:
        if v["type"] == "body":
            key, header, sealed = unhex(v, "key", "header", "sealed")
            header = decode(header)
            if key_id(header[1], key) != header[7]:
                return "name"
            assert len(sealed) == header[13] and derive(BODY_HASH, sealed) == header[12]
            return bad_padding(AESGCM(entry_key(key, header)).decrypt(bytes(12), sealed, entry_aad(header)))
        room, id, sealed = unhex(v, "room", "older_id" if v["type"] == "wrap" else "key_id", "sealed")
        if v["type"] == "wrap":
            wrapping_key = hkdf(bytes.fromhex(v["newer"]), b"", WRAP_KEY + SUITE + room + id)
            opened = AESGCM(wrapping_key).decrypt(bytes(12), sealed, b"")
        else:
            secret, to, author, enc = unhex(v, "recipient_secret", "to", "author", "enc")
            info = SEAL_INFO + SUITE + room + id + to + author
            opened = HPKE.decrypt(enc + sealed, X25519PrivateKey.from_private_bytes(secret), info)
        return None if key_id(room, opened) == id else "name"
    except InvalidTag:
        return "tag"


def bad_padding(padded):
    length = int.from_bytes(padded[:4], "big")
    if len(padded) < 4 or length > len(padded) - 4:
        return "length"
    return "padding" if any(padded[4 + length :]) else None


def check_not_opened(file):
    for v in file["vectors"]:
        assert why_not(v) == v["why"], why_not(v)


def check_hedge(file):
    for v in file["vectors"]:
        store, secret, start = unhex(v, "store_seed", "secret", "start_seed")
        assert derive(HEDGE, store) == secret, "store secret"
        stream = Cipher(algorithms.ChaCha20(start, bytes(16)), mode=None).encryptor()
        for draw in v["draws"]:
            parts = [bytes.fromhex(part) for part in draw["context"]]
            context = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
            drawn = keyed(secret, stream.update(bytes(32)) + context)
            assert draw.get("bytes", drawn.hex()) == drawn.hex(), "bytes"
            assert draw.get("salt", drawn[:16].hex()) == drawn[:16].hex(), "salt"


def check_safety_numbers(file):
    words = Mnemonic("english").wordlist
    assert len(words) == 2048
    for v in file["vectors"]:
        drawn = derive(SAFETY_NUMBER, b"".join(sorted(unhex(v, "one", "other"))), 121)
        groups = (int.from_bytes(drawn[at : at + 8], "big") % 100_000 for at in range(0, 96, 8))
        assert " ".join(f"{group:05}" for group in groups) == v["digits"], "digits"
        bits = "".join(f"{byte:08b}" for byte in drawn[96:])
        places = (int(bits[at : at + 11], 2) for at in range(0, 198, 11))
        assert " ".join(words[place] for place in places) == v["words"], "words"


CHUNK = 65536


def check_files(file):
    for v in file["vectors"]:
        if "request" in v:
            request = unhex(v, "request")[0]
            assert matches("file-request", request) and cbor2.dumps(cbor2.loads(request), canonical=True) == request
            continue
        content = bytes((at * 31 + at // 256) % 256 for at in range(v["length"]))
        key = hkdf(unhex(v, "key")[0], b"", BLOB_KEY + SUITE)
        chunks = [content[at : at + CHUNK] for at in range(0, max(len(content), 1), CHUNK)]
        nonce = lambda n: bytes(7) + n.to_bytes(4, "big") + bytes([n + 1 == len(chunks)])
        sealed = b"".join(AESGCM(key).encrypt(nonce(n), chunk, b"") for n, chunk in enumerate(chunks))
        assert len(sealed) == v["sealed_bytes"], "length"
        assert derive(BLOB_NAME, sealed).hex() == v["blob"], "name"
        assert sealed[-48:].hex() == v["ends"], "the last bytes"


CHECKS = {
    "room_keys.json": check_room_keys,
    "sealing_pairs.json": check_sealing_pairs,
    "ticket_keys.json": check_ticket_keys,
    "seals.json": check_seals,
    "wraps.json": check_wraps,
    "padding.json": check_padding,
    "bodies.json": check_bodies,
    "signals.json": check_signals,
    "whereabouts.json": check_whereabouts,
    "not_opened.json": check_not_opened,
    "hedge.json": check_hedge,
    "safety_numbers.json": check_safety_numbers,
    "files.json": check_files,
}
