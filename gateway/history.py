"""What was said of a job, fact by fact with its place in the log, and what was tried for it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlsplit
from uuid import UUID

from aiokafka.errors import KafkaError
from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field, JsonValue, TypeAdapter

from gateway import problems
from gateway.callers import Reader
from gateway.cursors import Cursor, read_cursor, write_cursor
from gateway.log_reading import LogReader, LogRecord
from gateway.routes import JobId
from gateway.status import StatusReader
from gateway.store import FIRST, FactPlace, KnownFact, Store
from schemas.events import Event, JobRequested, MediaGenerated, Moment, UrlSource
from schemas.wire import NewerVersionError, Position, UnreadableRecordError, decode
from stage.database import PASSING

MOST = 500
"""Facts of one answer, and attempts of one."""
ENVELOPE = {"event_id", "type", "v", "occurred_at", "job_id", "tenant"}

Topic = Annotated[str, Field(pattern="^[a-z._]{1,64}$")]
Offset = Annotated[int, Field(ge=0, lt=2**63)]
PLACE = TypeAdapter(tuple[Moment, Topic, Annotated[int, Field(ge=0, lt=2**15)], Offset])


class HistoryFact(BaseModel):
    """One fact of a job, and the record that says it."""

    topic: str = Field(description="Where the log holds it: the topic,")
    partition: int = Field(description="the topic's partition,")
    offset: int = Field(description="and the place in there.")
    event_id: UUID = Field(description="What the fact is: records that say the same fact carry the same id.")
    type: str = Field(description="What kind of fact it is: see `/asyncapi`.")
    version: int | None = Field(None, description="Of the fact's form. Null when the record is gone.")
    said_by: str | None = Field(None, description="The service that said it: the record's `ce_source`.")
    occurred_at: AwareDatetime = Field(description="When it happened, by the clock of who says it.")
    logged_at: AwareDatetime | None = Field(None, description="When it was put into the log.")
    superseded: bool = Field(
        False,
        description="True when an earlier record says the same fact under this `event_id`: that one counts, whatever "
        "this one says. So shows the second of two requests under one `Idempotency-Key`.",
    )
    gone: bool = Field(False, description="True when the log does not hold the record any more.")
    body: dict[str, JsonValue] | None = Field(
        None,
        description="What it says. Prompt and input are empty once the job's data were removed; a source's URL is "
        "shown without its query, and not at all once it was removed. Null when the record is gone, or cannot be read.",
    )


class HistoryAttempt(BaseModel):
    """One try at a provider call, or at an upload."""

    revision: int = Field(description="Of the job: 1, and one more for each retry that was asked for.")
    kind: str = Field(description="GENERATION or UPLOAD.")
    subject: int = Field(description="Which one: the call's number in its revision, or the output's index.")
    attempt: int = Field(description="Counted from 1.")
    result: str = Field(description="RUNNING, FAILED or SUCCEEDED, as far as is known.")
    provider: str | None = Field(description="Who was asked; null for an upload.")
    provider_id: str | None = Field(description="The call's id at its provider.")
    cost_units: int | None = Field(description="What the call counts for; null for an upload.")
    code: str | None = Field(description="Why it failed, in one word of docs/status.md.")
    message: str | None = Field(description="Why it failed, for people.")
    started_at: AwareDatetime | None = Field(description="When it began, as far as is known.")
    ended_at: AwareDatetime | None = Field(description="When it was over, as far as is known.")
    next_try_at: AwareDatetime | None = Field(description="When it is tried again, if it is.")


class History(BaseModel):
    """What was said of a job and tried for it, as far as the ledger has read."""

    job_id: UUID = Field(description="The job's name, as `/generate` gave it.")
    facts: list[HistoryFact] = Field(
        description="In the order of the log's time, then of topic and offset, within each answer. Answers follow one "
        "another by `occurred_at`."
    )
    next_cursor: str | None = Field(description="Leads on when there are more facts; null at the end.")
    attempts: list[HistoryAttempt] = Field(
        description=f"With the first answer alone. The {MOST} latest when there are more."
    )


def history(reader: StatusReader, store: Store, log: LogReader) -> APIRouter:
    """The route to a job's history."""
    router = APIRouter(prefix="/api/v1/jobs/{job_id}", tags=["jobs"])

    @router.get(
        "/history", responses=problems.responses(401, 403, 404, 422, 429, 503), summary="See what happened to a job"
    )
    async def read_history(
        caller: Reader,
        job_id: JobId,
        limit: Annotated[int, Query(ge=1, le=MOST, description="Facts of one answer, at most.", examples=[50])] = 100,
        cursor: Cursor = None,
    ) -> History:
        """Every fact that the ledger has heard of the job, with its place in the log, and every attempt.

        What it has not read yet is missing for a moment, and so are its own `job.completed` and callbacks.
        """
        after = FIRST if cursor is None else FactPlace(*read_cursor(cursor, PLACE))
        job = await reader.find(job_id, caller.tenant)
        try:
            known = await store.facts(job.job_id, after, limit + 1)
            tried = await store.attempts(job.job_id, MOST) if cursor is None else []
            page = known[:limit]
            records = await log.read((position_of(fact) for fact in page), caller.tenant)
            removed = await store.removed_revision(job.job_id)  # last: what is removed meanwhile is not shown
        except KafkaError:
            raise problems.unavailable("Kafka does not answer") from None
        except PASSING:
            raise problems.unavailable("Kafka or the job store does not answer") from None
        return History(
            job_id=job.job_id, facts=told(page, records, removed),
            next_cursor=write_cursor(page[-1].place) if len(known) > limit else None,
            attempts=sorted((HistoryAttempt.model_validate(dict(row)) for row in tried), key=_by_number),
        )  # fmt: skip

    return router


def position_of(fact: KnownFact) -> Position:
    """Where the log holds it."""
    return Position(fact.place.topic, fact.place.partition, fact.place.offset)


def told(facts: list[KnownFact], records: Mapping[Position, LogRecord], removed: int) -> list[HistoryFact]:
    """The facts as their job's owner may see them, `removed` being the last revision whose data are gone."""
    shown = [_shown(fact, records.get(position_of(fact)), removed) for fact in facts]
    return sorted(shown, key=_by_time)


def _shown(fact: KnownFact, record: LogRecord | None, removed: int) -> HistoryFact:
    known = HistoryFact(
        topic=fact.place.topic, partition=fact.place.partition, offset=fact.place.offset, event_id=fact.event_id,
        type=fact.place.topic, occurred_at=fact.place.occurred_at, superseded=fact.superseded, gone=record is None,
    )  # fmt: skip
    if record is None:
        return known
    event = _event(position_of(fact), record)
    if event is not None and event.event_id != fact.event_id:
        return known.model_copy(update={"gone": True})  # another log's record: what was heard is not there
    said: dict[str, Any] = {"said_by": _said_by(record), "logged_at": record.logged_at}
    if event is not None:
        said |= {"version": event.v, "body": body_of(event, removed)}
    return known.model_copy(update=said)


def body_of(event: Event, removed: int) -> dict[str, Any]:
    """What a fact says beside its envelope, without what was removed, and without what opens somebody's door."""
    body = event.model_dump(mode="json", exclude=ENVELOPE)
    match event:
        case JobRequested() if removed:
            body |= {"prompt": "", "input": {}}
        case MediaGenerated(source=UrlSource(url=url)):
            body["source"]["url"] = "" if event.revision <= removed else _without_query(url)
        case _:
            pass
    return body


def _event(position: Position, record: LogRecord) -> Event | None:
    try:
        return decode(position, record.key, record.value, record.headers)
    except (UnreadableRecordError, NewerVersionError):
        return None


def _said_by(record: LogRecord) -> str | None:
    """Empty when a tool that loses headers has put the record there."""
    source = dict(record.headers).get("ce_source")
    return source.decode(errors="replace") if source else None


def _without_query(url: str) -> str:
    """A signature may stand in the query, and a password before the host."""
    try:
        parts = urlsplit(url)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
    except ValueError:
        return ""


def _by_time(fact: HistoryFact) -> tuple[datetime, str, int]:
    return fact.logged_at or fact.occurred_at, fact.topic, fact.offset


def _by_number(tried: HistoryAttempt) -> tuple[int, str, int, int]:
    return tried.revision, tried.kind, tried.subject, tried.attempt
