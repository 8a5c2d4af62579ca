"""Pure: what to do about an output, what came of it, and the facts it becomes.

    WAITING ─an earlier revision's source or object found─▶ PENDING
    WAITING ─an earlier revision's spool file found─▶ SPOOLED
    WAITING ─the earlier revision is not known yet─▶ WAITING
    WAITING ─not known for long, nothing left of it, or removed─▶ FAILED
    PENDING ─fetched and stored─▶ STORED
    PENDING ─fetched, but large or the store is away─▶ SPOOLED
    PENDING ─the source is away, or the disk is full─▶ PENDING, after a delay
    PENDING ─the source has expired, for the first time─▶ ASKED
    PENDING ─failed for good, or removed─▶ FAILED
    ASKED ─the provider named another source─▶ PENDING
    ASKED ─it could not be asked or heard─▶ ASKED
    ASKED ─it did not, or removed─▶ FAILED
    SPOOLED ─stored─▶ STORED
    SPOOLED ─the store is away─▶ SPOOLED, after a delay
    SPOOLED ─the file is lost, or its owner was silent for too long─▶ PENDING
    SPOOLED ─away for too long, failed for good, or removed─▶ FAILED

Fetching is tried a number of times and while it may help; storing, whose bytes we hold, for a span of time.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

from schemas.events import Event, MediaStored, StagedSource, UploadFailed, UrlSource
from schemas.identity import storage_key_of
from uploader_service.uploads import Claim, Earlier, Media, Spooled

STAGED = "staged/"
"""Where in the bucket sources wait; what else a source may name there is an output, and stays."""


@dataclass(frozen=True, slots=True)
class Stored:
    """The bytes are in the bucket."""

    media: Media


@dataclass(frozen=True, slots=True)
class Kept:
    """They are fetched and safe in a spool file; `fault`: why they are not stored yet, when that was tried."""

    media: Media
    spooled: Spooled
    fault: "NotStored | None" = None


@dataclass(frozen=True, slots=True)
class NotStored:
    """They could not be fetched, or not be stored. `passing`: the same try may work later."""

    code: str
    message: str
    passing: bool


@dataclass(frozen=True, slots=True)
class NoRoom:
    """The spool's disk is full. This was no try."""


@dataclass(frozen=True, slots=True)
class SpoolLost:
    """The spool file is not there any more, or is not what was kept."""


@dataclass(frozen=True, slots=True)
class NothingEarlier:
    """No earlier revision of the output is known. Topics have no order between them: it may be soon."""


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The provider named no other source in time. Not `asked`: or could not be asked, or heard, for all of it."""

    asked: bool = True


@dataclass(frozen=True, slots=True)
class Removed:
    """Somebody wanted it gone."""


Outcome = Stored | Kept | NotStored | NoRoom | SpoolLost | Earlier | NothingEarlier | NoAnswer | Removed


class Step(StrEnum):
    """What is done about a claim."""

    FIND = "find"
    FETCH = "fetch"
    STORE = "store"
    END = "end"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a claim: how its row looks from now on, and the fact that is said in the same transaction."""

    claim: Claim
    due_at: datetime | None
    fact: Event | None = None
    error: str | None = None
    found: bool = False
    """The claim's source is another one now, or none."""
    unwanted: str | None = None
    """The staged object that nobody needs any more."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How faults are tried again."""

    max_attempts: int
    delay: Callable[[int], float]
    """Seconds to wait after so many tries."""
    store_for: timedelta = timedelta(hours=24)
    """How long what we hold, or what waits in the bucket, is tried after the first time."""
    spool_lease: timedelta = timedelta(minutes=15)
    renewal_patience: timedelta = timedelta(minutes=5)
    find_for: timedelta = timedelta(hours=1)
    """How long a retry waits for the revision that it speaks of. The log holds it already: we have to read that far."""


def step(claim: Claim) -> Step:
    """What to do about a claim now."""
    if claim.removed or claim.state == "ASKED":
        return Step.END
    return {"WAITING": Step.FIND, "PENDING": Step.FETCH, "SPOOLED": Step.STORE}[claim.state]


def decide(claim: Claim, outcome: Outcome, at: datetime, policy: Policy) -> Verdict:  # noqa: PLR0911
    """Name what came of one step. Same inputs, same verdict."""
    match outcome:
        case Stored(media):
            return _stored(claim, media, at)
        case Kept():
            return _kept(claim, outcome, at, policy)
        case NotStored():
            not_done = _not_stored if claim.state == "SPOOLED" else _not_fetched
            return not_done(claim, outcome, at, policy)
        case NoRoom():
            again = at + _within_its_time(claim, policy.delay(claim.attempt), at)
            return _failed(claim, NotStored("spool_full", "the uploader's disk is full", passing=True), at, again)
        case SpoolLost():
            return Verdict(replace(claim, state="PENDING", spooled=None, since=at), at, error="spool_lost")
        case Earlier():
            return _again(claim, outcome, at)
        case NothingEarlier():
            return _not_known(claim, at, policy)
        case NoAnswer(asked):
            return _not_renewed(claim, at, policy, asked=asked)
        case Removed():
            return _removed(claim, at)
        case _:
            assert_never(outcome)


def _stored(claim: Claim, media: Media, at: datetime) -> Verdict:
    fact = claim.says(
        MediaStored, at, key=media.key, sha256=media.sha256, size=media.size, content_type=media.content_type,
        width=media.width, height=media.height, duration_ms=media.duration_ms,
    )  # fmt: skip
    stored = replace(claim, state="STORED", media=media, spooled=None, since=at)
    return Verdict(stored, None, fact, unwanted=_staged_key(claim))


def _kept(claim: Claim, kept: Kept, at: datetime, policy: Policy) -> Verdict:
    spooled = replace(claim, state="SPOOLED", media=kept.media, spooled=kept.spooled, since=at, store_attempts=0)
    return _not_stored(spooled, kept.fault, at, policy) if kept.fault else Verdict(spooled, at)


def _not_stored(claim: Claim, fault: NotStored, at: datetime, policy: Policy) -> Verdict:
    """Within the lease, so that an owner who is there never loses it, and the store's return is soon noticed."""
    tried = replace(claim, store_attempts=claim.store_attempts + 1)
    delay = min(timedelta(seconds=policy.delay(tried.store_attempts)), policy.spool_lease / 3)
    again = fault.passing and at + delay < claim.since + policy.store_for
    return _failed(tried, fault, at, at + delay if again else None)


def _not_fetched(claim: Claim, fault: NotStored, at: datetime, policy: Policy) -> Verdict:
    """What has expired is asked for once more; anything passing is tried again while that may help."""
    tried = replace(claim, fetch_attempts=claim.fetch_attempts + 1)
    expires_at = _expires_at(claim)
    if fault.code == "source_expired" or (fault.passing and expires_at is not None and at >= expires_at):
        expired = replace(fault, code="source_expired", passing=False)
        if claim.asked:
            return _failed(tried, expired, at)
        return _failed(replace(tried, state="ASKED", asked=True), expired, at, at + policy.renewal_patience)
    delay = _within_its_time(claim, policy.delay(tried.fetch_attempts), at)
    # A staged source cannot run out, and waits in the same store: that outage is sat out as ours is.
    staged = isinstance(claim.source, StagedSource)
    again = at + delay < claim.since + policy.store_for if staged else tried.fetch_attempts < policy.max_attempts
    return _failed(tried, fault, at, at + delay if fault.passing and again else None)


def _failed(claim: Claim, fault: NotStored, at: datetime, due_at: datetime | None = None) -> Verdict:
    """Tried again at `due_at` in the state the claim has now, or for good. Its file, if it has one, is left for a
    retry.
    """
    final = due_at is None
    fact = claim.says(UploadFailed, at, code=fault.code, message=fault.message, final=final, next_try_at=due_at)
    ended = replace(claim, state="FAILED", since=at) if final else claim
    return Verdict(ended, due_at, fact, error=fault.code)


def _removed(claim: Claim, at: datetime) -> Verdict:
    """Nothing is left of it but that it was."""
    failed = _failed(claim, NotStored("data_removed", "the job's data was removed", passing=False), at)
    emptied = replace(failed.claim, source=None, media=None, spooled=None)
    return replace(failed, claim=emptied, found=True, unwanted=_staged_key(claim))


def _again(claim: Claim, earlier: Earlier, at: datetime) -> Verdict:
    """Store again what an earlier revision has left: its file, its object, or its source. Nothing is generated."""
    if earlier.removed:
        return _removed(claim, at)
    known = replace(
        claim, since=at, provider=earlier.provider, output_format=earlier.output_format, source=earlier.source
    )
    if earlier.spooled is not None and earlier.media is not None:
        extension = earlier.media.key.rpartition(".")[2]
        media = replace(earlier.media, key=storage_key_of(claim.job_id, claim.revision, claim.index, extension))
        return Verdict(replace(known, state="SPOOLED", media=media, spooled=earlier.spooled), at, found=True)
    if earlier.stored and earlier.media is not None:
        media = earlier.media
        known = replace(known, source=StagedSource(key=media.key, sha256=media.sha256, size=media.size))
    if known.source is None:
        return _failed(claim, NotStored("source_expired", "nothing is left of the output", passing=False), at)
    return Verdict(replace(known, state="PENDING"), at, found=True)


def _not_renewed(claim: Claim, at: datetime, policy: Policy, *, asked: bool) -> Verdict:
    if not asked:
        return Verdict(claim, at + policy.renewal_patience, error="not_asked")
    return _failed(claim, NotStored("source_expired", "the provider named no other source", passing=False), at)


def _not_known(claim: Claim, at: datetime, policy: Policy) -> Verdict:
    """Look again in growing intervals, as long as it has waited so far."""
    waited = max(at - claim.since, timedelta(seconds=1))
    if waited >= policy.find_for:
        return _failed(claim, NotStored("source_expired", "no earlier revision is known", passing=False), at)
    return Verdict(claim, at + min(waited, timedelta(minutes=1)))


def _within_its_time(claim: Claim, seconds: float, at: datetime) -> timedelta:
    """A delay, cut to half of the time that the source has left."""
    delay, expires_at = timedelta(seconds=seconds), _expires_at(claim)
    return min(delay, (expires_at - at) / 2) if expires_at is not None and expires_at > at else delay


def _expires_at(claim: Claim) -> datetime | None:
    return claim.source.expires_at if isinstance(claim.source, UrlSource) else None


def _staged_key(claim: Claim) -> str | None:
    match claim.source:
        case StagedSource(key=key) if key.startswith(STAGED):
            return key
        case _:
            return None
