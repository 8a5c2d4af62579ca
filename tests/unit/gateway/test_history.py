"""A job's history: every fact at its place in the log, nothing of what was removed, and nothing of anybody else's."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from aiokafka.errors import KafkaConnectionError

from gateway.app import build
from gateway.callers import OpenDoor
from gateway.history import MOST, body_of, history, position_of, told
from gateway.log_reading import LogReader, LogRecord
from gateway.request_id import RequestIds
from gateway.status import StatusReader
from gateway.store import FIRST, FactPlace, KnownFact
from schemas.events import Event, StagedSource, UrlSource
from schemas.identity import partition_of
from schemas.jobs import Job, pending_job
from schemas.wire import Position, encode
from stage.service import health_routes
from tests.builders import (
    JOB,
    NOON,
    a_failed_upload,
    a_generated_output,
    a_request,
    a_stored_output,
    a_submission,
    later,
    one_of_each,
)
from tests.fakes import Ends, Links, Tail, Views

SECRET = "xylophone"
JOB_SHOWN = pending_job(
    job_id=JOB, model="m", prompt="a city", num_outputs=1, seed=None, output_format=None, input={}, metadata={},
    deadline=None, created_at=NOON,
)  # fmt: skip


def known(event: Event, offset: int) -> KnownFact:
    """A fact as the ledger's tables have it."""
    partition = partition_of(str(event.job_id).encode())
    return KnownFact(FactPlace(event.occurred_at, event.topic, partition, offset), event.event_id)


def logged(event: Event, seconds: float = 0, source: str = "generator") -> LogRecord:
    """A fact as the log has it, put there so many seconds after noon."""
    record = encode(event, source=source)
    return LogRecord(record.key, record.value, record.headers, later(seconds))


class Books(Views):
    """The ledger's views, with facts and attempts of one job."""

    def __init__(self, job: Job | None, facts: Iterable[KnownFact] = (), attempts: Any = (), removed: int = 0) -> None:
        super().__init__(job)
        self._facts, self._attempts, self._removed = list(facts), list(attempts), removed
        self.fault: Exception | None = None

    async def facts(self, job_id: UUID, after: FactPlace, limit: int) -> list[KnownFact]:
        if self.fault:
            raise self.fault
        return [fact for fact in sorted(self._facts, key=lambda fact: fact.place) if fact.place > after][:limit]

    async def attempts(self, job_id: UUID, limit: int) -> Any:
        return self._attempts[:limit]

    async def removed_revision(self, job_id: UUID) -> int:
        return self._removed


class Shelf(LogReader):
    """A log that holds these records, or does not answer."""

    def __init__(self, records: dict[Position, LogRecord], fault: Exception | None = None) -> None:
        self._records, self._fault = records, fault
        self.asked: list[Position] = []
        self.tenant = ""

    async def read(self, positions: Iterable[Position], tenant: str) -> dict[Position, LogRecord]:
        self.asked, self.tenant = list(positions), tenant
        if self._fault:
            raise self._fault
        return {place: self._records[place] for place in self.asked if place in self._records}


@asynccontextmanager
async def asking(books: Books, shelf: Shelf) -> AsyncIterator[httpx.AsyncClient]:
    reader = StatusReader(books, Ends(0), Tail(), Links())
    app = RequestIds(build([history(reader, books, shelf)], health_routes({}), OpenDoor()))
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


def written(*events: Event) -> tuple[list[KnownFact], dict[Position, LogRecord]]:
    """These facts in the ledger and in the log, each a second after the one before."""
    facts = [known(event, offset) for offset, event in enumerate(events)]
    records = {position_of(fact): logged(event, fact.place.offset) for fact, event in zip(facts, events, strict=True)}
    return facts, records


PATH = f"/api/v1/jobs/{JOB}/history"


async def test_every_fact_is_shown_at_its_place_with_who_said_it_and_what() -> None:
    submission = a_submission(occurred_at=later(1))
    facts, records = written(a_request(), submission)
    shelf = Shelf(records)
    async with asking(Books(JOB_SHOWN, facts), shelf) as client:
        answer = (await client.get(PATH)).json()

    assert shelf.tenant == "dev"
    assert answer["facts"][1] == {
        "topic": "generation.submitted", "partition": facts[1].place.partition, "offset": 1,
        "event_id": str(submission.event_id), "type": "generation.submitted", "version": 1,
        "said_by": "/darkroom/generator", "occurred_at": "2026-01-12T12:00:01Z", "logged_at": "2026-01-12T12:00:01Z",
        "superseded": False,
        "gone": False,
        "body": {"revision": 1, "generation": 0, "attempt": 1, "provider": "fake", "provider_id": "fake-1",
                 "outputs": [0], "cost_units": 0},
    }  # fmt: skip
    assert answer["facts"][0]["body"]["prompt"] == "A futuristic city at sunset"
    assert (answer["job_id"], answer["next_cursor"], answer["attempts"]) == (str(JOB), None, [])


@pytest.mark.parametrize("event", one_of_each(), ids=lambda event: event.topic)
def test_no_body_repeats_its_envelope(event: Event) -> None:
    assert not body_of(event, 0).keys() & {"event_id", "job_id", "tenant", "occurred_at", "type", "v"}


def test_facts_stand_in_the_order_of_the_log_then_of_topic_and_offset() -> None:
    late, early, same = a_stored_output(), a_request(occurred_at=later(9)), a_submission(occurred_at=later(8))
    facts = [known(late, 4), known(early, 9), known(same, 1)]
    seconds = {late.topic: 2.0, early.topic: 1.0, same.topic: 1.0}
    records = {position_of(fact): logged(event, seconds[event.topic]) for fact, event in zip(
        facts, (late, early, same), strict=True)}  # fmt: skip

    assert [fact.topic for fact in told(facts, records, 0)] == [same.topic, early.topic, late.topic]


def test_a_record_that_the_log_lost_shows_as_gone() -> None:
    [fact] = told([known(a_request(), 3)], {}, 0)

    assert (fact.gone, fact.body, fact.version, fact.said_by, fact.logged_at) == (True, None, None, None, None)
    assert (fact.topic, fact.offset) == ("job.requested", 3)


def test_another_record_at_the_same_place_is_never_taken_for_the_fact() -> None:
    heard = known(a_request(), 3)
    for there in (a_request(revision=2, prompt=SECRET), a_request(job_id=uuid4(), prompt=SECRET)):
        [fact] = told([heard], {position_of(heard): logged(there)}, 0)

        assert fact.body is None
        assert SECRET not in fact.model_dump_json()


def test_a_record_without_headers_or_that_cannot_be_read_is_shown_as_far_as_it_goes() -> None:
    event = a_request()
    heard = known(event, 3)
    bare = logged(event)
    [headerless] = told([heard], {position_of(heard): LogRecord(bare.key, bare.value, [], NOON)}, 0)
    [broken] = told([heard], {position_of(heard): LogRecord(bare.key, b"{", bare.headers, NOON)}, 0)

    assert (headerless.said_by, headerless.body is None) == (None, False)
    assert (broken.said_by, broken.body, broken.gone) == ("/darkroom/generator", None, False)


def test_what_was_removed_is_not_shown() -> None:
    request = a_request(prompt=SECRET, input={SECRET: SECRET}, metadata={"order": "17"})
    made = [a_generated_output(revision=number, source=UrlSource(url=f"https://x/{SECRET}")) for number in (1, 2)]
    facts, records = written(request, *made)

    asked, first, second = told(facts, records, removed=1)

    assert asked.body is not None
    assert (asked.body["prompt"], asked.body["input"], asked.body["metadata"]) == ("", {}, {"order": "17"})
    assert SECRET not in asked.model_dump_json() + first.model_dump_json()
    assert SECRET in second.model_dump_json()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://cdn.example/a.png?X-Amz-Signature=xylophone#xylophone", "https://cdn.example/a.png"),
        ("https://me:secret@cdn.example:8443/a.png", "https://cdn.example:8443/a.png"),
        ("http://[xylophone", ""),
    ],
)
def test_a_source_is_shown_without_what_opens_it(url: str, shown: str) -> None:
    body = body_of(a_generated_output(source=UrlSource(url=url)), 0)

    assert body["source"] == {"kind": "url", "url": shown, "expires_at": None}


def test_a_staged_source_has_no_url_to_hide() -> None:
    source = StagedSource(key="staged/1", sha256="0" * 64, size=3)

    assert body_of(a_generated_output(source=source), 0)["source"] == source.model_dump()


async def test_pages_follow_one_another_and_only_the_first_shows_attempts() -> None:
    attempt = dict.fromkeys(("provider_id", "code", "message", "started_at", "ended_at", "next_try_at")) | {
        "revision": 1, "kind": "GENERATION", "subject": 0, "attempt": 2, "result": "FAILED", "provider": "fake",
        "cost_units": 3,
    }  # fmt: skip
    tries = [a_failed_upload(final=False, attempt=n, occurred_at=later(n)) for n in range(1, 6)]
    facts, records = written(*tries)
    seen: list[int] = []
    shown: list[int] = []
    cursor: dict[str, str] = {}
    books = Books(JOB_SHOWN, facts, attempts=[attempt, attempt | {"attempt": 1}])
    async with asking(books, Shelf(records)) as client:
        while True:
            answer = (await client.get(PATH, params={"limit": 2, **cursor})).json()
            seen += [fact["offset"] for fact in answer["facts"]]
            shown.append(len(answer["attempts"]))
            if answer["next_cursor"] is None:
                break
            cursor = {"cursor": answer["next_cursor"]}
        first = (await client.get(PATH)).json()

    assert seen == [0, 1, 2, 3, 4]
    assert shown == [2, 0, 0]
    assert [each["attempt"] for each in first["attempts"]] == [1, 2]


@pytest.mark.parametrize(
    "params",
    [{"cursor": "nonsense"}, {"cursor": "W10"}, {"cursor": "é"}, {"limit": "0"}, {"limit": str(MOST + 1)},
     {"cursor": "WyIyMDI2LTAxLTEyVDEyOjAwOjAwWiIsIlx1MDAwMCIsMCwwXQ"}],
)  # fmt: skip
async def test_a_cursor_of_nobodys_and_a_limit_beyond_the_most_are_refused(params: dict[str, str]) -> None:
    async with asking(Books(JOB_SHOWN), Shelf({})) as client:
        answer = await client.get(PATH, params=params)

    assert (answer.status_code, answer.json()["errors"][0]["field"].rpartition(".")[2]) == (422, next(iter(params)))


async def test_a_job_that_is_not_the_callers_has_no_history() -> None:
    facts, records = written(a_request())
    shelf = Shelf(records)
    async with asking(Books(None, facts), shelf) as client:
        answer = await client.get(PATH)

    assert (answer.status_code, answer.json()["type"]) == (404, "urn:darkroom:problem:no-such-job")
    assert shelf.asked == []


@pytest.mark.parametrize("fault", [KafkaConnectionError(), TimeoutError()], ids=repr)
async def test_without_kafka_the_history_is_unavailable_for_now(fault: Exception) -> None:
    async with asking(Books(JOB_SHOWN), Shelf({}, fault)) as client:
        answer = await client.get(PATH)

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


async def test_without_the_job_store_the_history_is_unavailable_for_now() -> None:
    books = Books(JOB_SHOWN)
    books.fault = ConnectionRefusedError()
    async with asking(books, Shelf({})) as client:
        assert (await client.get(PATH)).status_code == 503


async def test_the_most_that_one_answer_holds_stands_in_openapi() -> None:
    async with asking(Books(JOB_SHOWN), Shelf({})) as client:
        described = (await client.get("/openapi.json")).json()["paths"]["/api/v1/jobs/{job_id}/history"]["get"]

    [limit] = [each["schema"] for each in described["parameters"] if each["name"] == "limit"]
    assert (limit["maximum"], limit["default"]) == (500, 100)
    assert {"404", "422", "503"} <= described["responses"].keys()


def test_the_first_page_begins_before_every_fact() -> None:
    assert known(a_request(occurred_at=FIRST.occurred_at), 0).place > FIRST
