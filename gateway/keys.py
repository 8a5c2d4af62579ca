"""What a key looks like: made up from nothing, told from a slip of the pen, kept as a hash. Pure.

`dk_live_` and 32 characters that nobody can guess, then six that follow from what stands before them.
"""

import hmac
import re
import secrets
import zlib
from collections.abc import Callable, Sequence
from hashlib import sha256

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
RANDOM = 32  # characters of 62: 190 bits
CHECKSUM = 6  # characters that hold any 32 bits
FORM = re.compile(rf"(dk_[a-z]{{1,12}}_[0-9A-Za-z]{{{RANDOM}}})_([0-9A-Za-z]{{{CHECKSUM}}})")
WORD = re.compile(r"[a-z]{1,12}")


def new_key(word: str, choose: Callable[[Sequence[str]], str] = secrets.choice) -> str:
    """A key that nobody has. `word` says where it is good for, such as live or test: for people and secret scanners."""
    if not WORD.fullmatch(word):
        raise ValueError(f"{word!r} is not 1 to 12 small letters")
    body = f"dk_{word}_{''.join(choose(ALPHABET) for _ in range(RANDOM))}"
    return f"{body}_{_checksum(body)}"


def well_formed(key: str) -> bool:
    """Whether it could have been made by us: what was mistyped or made up is not, and nobody need be asked about it.

    No proof of anything: whoever reads this can compute the end of a key of their own.
    """
    parts = FORM.fullmatch(key)
    return parts is not None and hmac.compare_digest(_checksum(parts[1]), parts[2])


def hash_of(key: str) -> bytes:
    """What is kept of a key, and what it is looked up by.

    One round of SHA-256: slow hashes are for passwords, which can be guessed. Nobody tries out 190 random bits, and a
    slow hash would only let strangers keep us busy.
    """
    return sha256(key.encode()).digest()


def id_of(hashed: bytes) -> str:
    """A key's public name, by which people speak of it. Follows from the hash; leads back to nothing."""
    return f"key_{hashed.hex()[:12]}"


def _checksum(body: str) -> str:
    number, text = zlib.crc32(body.encode()), ""
    for _ in range(CHECKSUM):
        number, digit = divmod(number, len(ALPHABET))
        text = ALPHABET[digit] + text
    return text
