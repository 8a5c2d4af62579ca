"""Why an output that exists is not in the bucket yet."""

from datetime import datetime

from darkroom.explaining.seen import Why, counted, moment
from schemas.jobs import Phase
from uploader_service.explain import KnownUpload


def why_uploading(upload: KnownUpload, at: datetime) -> Why:
    """Why an upload that is not over is where it is."""
    if upload.owner is not None and upload.due_at is not None and upload.due_at > at:
        doing = "stored" if upload.state == "SPOOLED" else "fetched and stored"
        words = f"being {doing} by {upload.owner}; if that one has died, it goes on from {moment(upload.due_at)}"
        return _why(upload, words)
    match upload.state:
        case "WAITING":
            words = "to be stored again: what the earlier revision has left is looked for"
            return _why(upload, f"{words}, next at {moment(upload.due_at)}")
        case "ASKED":
            words = "its source has expired, and the provider is asked where it lies now"
            return _why(upload, f"{words}. Without an answer it fails at {moment(upload.due_at)}")
        case "SPOOLED":
            return _spooled(upload)
        case _:
            return _to_fetch(upload)


def _to_fetch(upload: KnownUpload) -> Why:
    if upload.last_error == "spool_full":
        words = f"the uploader's disk is full; next try at {moment(upload.due_at)}"
        return _why(upload, words, "make room where UPLOADER_SPOOL_DIR lies")
    if upload.fetch_attempts:
        words = f"fetching it failed {counted(upload.fetch_attempts, 'time')}"
        return _why(upload, f"{words}; next try at {moment(upload.due_at)}")
    words = f"waiting to be fetched since {moment(upload.since)}"
    return _why(upload, words, "see that an uploader runs, and what its log says")


def _spooled(upload: KnownUpload) -> Why:
    if not upload.store_attempts:
        return _why(upload, f"fetched, and waiting in the spool of {upload.spooled_by} since {moment(upload.since)}")
    words = f"spooled on {upload.spooled_by}: the store is away since {moment(upload.since)} or later, "
    tried = f"{counted(upload.store_attempts, 'try').replace('trys', 'tries')} failed, next try at "
    moves = "see that the store at S3_ENDPOINT_URL answers; nothing is fetched or generated again"
    return _why(upload, f"{words}{tried}{moment(upload.due_at)}", moves)


def _why(upload: KnownUpload, words: str, moves: str | None = None) -> Why:
    return Why(Phase.STORING.value, words, upload.attempt, upload.last_error, upload.due_at, moves)
