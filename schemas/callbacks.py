"""Where providers call back: a path that names the call, and proves that we made it."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Doorbell:
    """Which attempt at which generation a callback is about."""

    provider: str
    job_id: UUID
    generation_id: UUID
    attempt: int

    @property
    def _names(self) -> str:
        return f"{self.provider}/{self.job_id}/{self.generation_id}/{self.attempt}"

    def path(self, kid: str, secret: str) -> str:
        """The path to be called, with a proof under the key named `kid`."""
        rest = f"{self.job_id}/{self.generation_id}/{self.attempt}"
        return f"/hooks/{self.provider}/{kid}/{rest}/{self._proof(kid, secret)}"

    def proven(self, kid: str, proof: str, secrets: Mapping[str, str]) -> bool:
        """Whether `proof` was made by us. `secrets` holds the live keys by name: two while they rotate."""
        expected = self._proof(kid, secrets.get(kid, ""))
        return hmac.compare_digest(expected.encode(), proof.encode(errors="replace")) and kid in secrets

    def _proof(self, kid: str, secret: str) -> str:
        return hmac.new(secret.encode(), f"{kid}/{self._names}".encode(), hashlib.sha256).hexdigest()[:40]


def live_keys(setting: str) -> dict[str, str]:
    """The keys of `KID=SECRET,KID=SECRET`, the first of which signs. Raises ValueError for anything else."""
    keys: dict[str, str] = {}
    for pair in filter(None, (each.strip() for each in setting.split(","))):
        kid, found, secret = pair.partition("=")
        if not found or not kid.isalnum() or len(secret) < 16:
            raise ValueError("must be KID=SECRET pairs, each secret of 16 characters or more")
        keys[kid] = secret
    return keys
