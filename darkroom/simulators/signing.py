"""Webhook signatures after Standard Webhooks: what Replicate puts on each call back."""

import base64
import hmac
from hashlib import sha256

PREFIX = "whsec_"


def secret_of(seed: int | str) -> str:
    """A signing secret, the same for the same seed."""
    return PREFIX + base64.b64encode(sha256(f"webhook secret {seed}".encode()).digest()[:24]).decode()


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The `webhook-signature` of a body: HMAC-SHA256 over id, timestamp and the raw body."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, sha256).digest()).decode()


def signed_headers(secret: str, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers that a receiver checks. A message sent again keeps its id."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(secret, message_id, timestamp, body),
    }
