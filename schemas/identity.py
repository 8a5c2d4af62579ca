"""Names that are computed, never handed out: the same thing said twice has the same id."""

import hashlib
from functools import lru_cache
from uuid import UUID, uuid5

PARTITIONS = 12
"""Partitions of every keyed topic. Fixed for the life of a cluster: a job's facts share a partition number."""


def job_id_of(tenant: str, idempotency_key: str) -> UUID:
    """The job that `tenant` means by this key: a UUIDv8 over SHA-256, the same for ever.

    Repeating a submission under its key is therefore the same job, even when the first answer was lost.
    """
    digest = bytearray(hashlib.sha256(f"{tenant}\0{idempotency_key}".encode()).digest()[:16])
    digest[6] = 0x80 | (digest[6] & 0x0F)  # version 8: our own hash
    digest[8] = 0x80 | (digest[8] & 0x3F)  # RFC 9562 variant
    return UUID(bytes=bytes(digest))


def event_id_of(job_id: UUID, identity: str) -> UUID:
    """The id of the fact that `identity` names within its job."""
    return uuid5(job_id, identity)


def generation_id_of(job_id: UUID, revision: int, number: int) -> UUID:
    """The id of one provider call that a revision's plan holds, counted from 0."""
    return uuid5(job_id, f"generation/{revision}/{number}")


def storage_key_of(job_id: UUID, revision: int, index: int, extension: str) -> str:
    """Where one output lies in the bucket. Three hex digits first: flat folders grow slow with every job."""
    return f"jobs/{str(job_id)[:3]}/{job_id}/{revision}/{index}.{extension}"


@lru_cache(maxsize=65_536)
def partition_of(key: bytes) -> int:
    """The partition of a job's facts: Kafka's own default (murmur2), so that any client agrees with us."""
    return (_murmur2(key) & 0x7FFFFFFF) % PARTITIONS


def _murmur2(key: bytes) -> int:
    """32-bit MurmurHash2 with the seed that Kafka's Java client uses."""
    mask, multiplier = 0xFFFFFFFF, 0x5BD1E995
    length = len(key)
    mixed = (0x9747B28C ^ length) & mask
    whole = length - length % 4
    for start in range(0, whole, 4):
        word = int.from_bytes(key[start : start + 4], "little") * multiplier & mask
        word ^= word >> 24
        mixed = (mixed * multiplier & mask) ^ (word * multiplier & mask)
    if rest := key[whole:]:
        mixed = (mixed ^ int.from_bytes(rest, "little")) * multiplier & mask
    mixed ^= mixed >> 13
    mixed = mixed * multiplier & mask
    return mixed ^ (mixed >> 15)
