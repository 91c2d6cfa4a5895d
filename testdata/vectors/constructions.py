"""The constructions as docs/spec/crypto.md says them, with published libraries. No rule of the room stands here."""

import pathlib

import cbor2
import pycddl
from blake3 import blake3
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

CDDL = pathlib.Path(__file__).resolve().parent.parent.parent / "docs" / "spec" / "room.cddl"

# ---- domain strings ---------------------------------------------------------------------------------------------

CONTROL_SIGNATURE = b"parlor/1 control entry signature;"
JOIN_SIGNATURE = b"parlor/1 join by ticket signature;"
DATA_SIGNATURE = b"parlor/1 data entry signature;"
CARD_SIGNATURE = b"parlor/1 card signature;"
LINK_PROOF = b"parlor/1 link proof by ticket;"
SIGNAL_SIGNATURE = b"parlor/1 signal signature;"
EXPORT_HEAD = b"parlor/1 head of an export;"
EXPORT_END = b"parlor/1 end of an export;"
ENTRY_AAD = b"parlor/1 entry associated data;"
CONTROL_ID = "parlor/1 control entry id;"
DATA_ID = "parlor/1 data entry id;"
CARD_ID = "parlor/1 card id;"
TICKET_RECIPIENT = "parlor/1 ticket recipient id;"
BODY_HASH = "parlor/1 sealed body hash;"
TICKET_CHECKSUM = "parlor/1 ticket text checksum;"
CALLED = "parlor/1 who is called;"
EXPORT_HASH = "parlor/1 bytes of an export;"
DIRECT_ROOM = "parlor/1 direct room id;"
KEY_ID = "parlor/1 room key id;"
HEDGE = "parlor/1 hedged randomness;"
SAFETY_NUMBER = "parlor/1 safety number of two identities;"
ENTRY_KEY = b"parlor/1 entry key;"
WRAP_KEY = b"parlor/1 wrapped room key;"
SEAL_INFO = b"parlor/1 sealed room key;"
TICKET_SIGNING = b"parlor/1 ticket signing key;"
TICKET_SEALING = b"parlor/1 ticket sealing key;"
SIGNAL_KEY = b"parlor/1 signal key;"
SIGNAL_AAD = b"parlor/1 signal associated data;"
BLOB_NAME = "parlor/1 sealed file name;"
BLOB_KEY = b"parlor/1 file chunk key;"

SUITE = (1).to_bytes(2, "big")

# ---- names and signatures ---------------------------------------------------------------------------------------


def derive(context, data, length=32):
    return blake3(data, derive_key_context=context).digest(length=length)


def keyed(key, data):
    return blake3(data, key=key).digest()


def verifies(key, domain, message, signature):
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, domain + message)
        return True
    except InvalidSignature:
        return False


def sign(secret, domain, message):
    return Ed25519PrivateKey.from_private_bytes(secret).sign(domain + message)


def signing_key(secret):
    return Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


# ---- sealing ----------------------------------------------------------------------------------------------------


def hkdf(ikm, salt, info):
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=salt or None, info=info).derive(ikm)


def gcm(key, aad, plaintext):
    """AES-256-GCM with the zero nonce: `key` seals one thing only."""
    return AESGCM(key).encrypt(bytes(12), plaintext, aad)


def labelled_extract(suite, salt, label, ikm):
    """RFC 9180, 4."""
    mac = hmac.HMAC(salt or bytes(32), hashes.SHA256())
    mac.update(b"HPKE-v1" + suite + label + ikm)
    return mac.finalize()


def labelled_expand(suite, prk, label, info, length):
    info = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    return HKDFExpand(algorithm=hashes.SHA256(), length=length, info=info).derive(prk)


X25519_KEM = b"KEM" + (0x20).to_bytes(2, "big")
HPKE_SUITE = b"HPKE" + (0x20).to_bytes(2, "big") + (1).to_bytes(2, "big") + (2).to_bytes(2, "big")


def sealing_pair(ikm):
    """DeriveKeyPair of DHKEM(X25519, HKDF-SHA256): RFC 9180, 7.1.3; the secret as it is written, clamped: 7.1.2."""
    prk = labelled_extract(X25519_KEM, b"", b"dkp_prk", ikm)
    drawn = labelled_expand(X25519_KEM, prk, b"sk", b"", 32)
    secret = bytes([drawn[0] & 248, *drawn[1:31], drawn[31] & 127 | 64])
    return secret, X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def hpke_seal(ephemeral_ikm, recipient, info, plaintext):
    """Base mode, single shot, by RFC 9180, 4.1, 5.1 and 5.2, with the ephemeral pair of these bytes."""
    secret, enc = sealing_pair(ephemeral_ikm)
    shared = X25519PrivateKey.from_private_bytes(secret).exchange(X25519PublicKey.from_public_bytes(recipient))
    prk = labelled_extract(X25519_KEM, b"", b"eae_prk", shared)
    secret = labelled_expand(X25519_KEM, prk, b"shared_secret", enc + recipient, 32)
    context = b"\x00"
    context += labelled_extract(HPKE_SUITE, b"", b"psk_id_hash", b"")
    context += labelled_extract(HPKE_SUITE, b"", b"info_hash", info)
    prk = labelled_extract(HPKE_SUITE, secret, b"secret", b"")
    key = labelled_expand(HPKE_SUITE, prk, b"key", context, 32)
    nonce = labelled_expand(HPKE_SUITE, prk, b"base_nonce", context, 12)
    return enc, AESGCM(key).encrypt(nonce, plaintext, b"")


# ---- shapes -----------------------------------------------------------------------------------------------------


def decode(data):
    """The value of canonical CBOR."""
    value = cbor2.loads(data)
    assert cbor2.dumps(value, canonical=True) == data, "not canonical"
    return value


_schemas = {}


def matches(rule, data):
    """Whether the CDDL takes the bytes as this rule."""
    if rule not in _schemas:
        _schemas[rule] = pycddl.Schema(f"checked = {rule}\n{CDDL.read_text()}")
    try:
        _schemas[rule].validate_cbor(data)
        return True
    except pycddl.ValidationError:
        return False


def unhex(vector, *fields):
    return [bytes.fromhex(vector[field]) for field in fields]
