"""A tenant's jobs: what may be asked of the list, and what one of its entries shows."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import httpx
import pytest

from gateway.app import build
from gateway.callers import OpenDoor
from gateway.listing import MOST, listing
from gateway.request_id import RequestIds
from gateway.store import Wanted, list_of_jobs
from schemas.jobs import Status
from stage.service import health_routes
from tests.builders import ANOTHER_JOB, JOB, NOON, later
from tests.fakes import Views


def a_row(job_id: UUID = JOB, **changes: Any) -> dict[str, Any]:
    return {
        "job_id": job_id, "status": "COMPLETED", "revision": 1, "model": "fake/painter", "num_outputs": 2,
        "metadata": {"order": "A-17"}, "error_message": None, "retry_count": 0, "requested_at": NOON,
        "updated_at": later(3), "started_at": later(1), "completed_at": later(3), "data_removed_at": None,
    } | changes  # fmt: skip


class Lists(Views):
    """The ledger's views, which remember what was listed."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        super().__init__()
        self._rows = rows
        self.wanted: list[tuple[str, Wanted, int]] = []
        self.fault: Exception | None = None

    async def jobs(self, tenant: str, wanted: Wanted, limit: int) -> Any:
        if self.fault:
            raise self.fault
        self.wanted.append((tenant, wanted, limit))
        return self._rows[:limit]


@asynccontextmanager
async def asking(lists: Lists) -> AsyncIterator[httpx.AsyncClient]:
    app = RequestIds(build([listing(lists)], health_routes({}), OpenDoor()))
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


async def test_an_entry_shows_how_a_job_stands_and_neither_prompt_nor_outputs() -> None:
    async with asking(Lists(a_row())) as client:
        answer = (await client.get("/api/v1/jobs")).json()

    [job] = answer["jobs"]
    assert (job["job_id"], job["status"], job["done"], job["created_at"]) == (
        str(JOB), "COMPLETED", True, "2026-01-12T12:00:00Z",
    )  # fmt: skip
    assert job["links"] == {"status": f"/api/v1/status/{JOB}", "history": f"/api/v1/jobs/{JOB}/history"}
    assert not job.keys() & {"prompt", "input", "media"}
    assert answer["next_cursor"] is None


async def test_every_filter_is_asked_of_the_ledger_for_this_tenant() -> None:
    lists = Lists()
    async with asking(lists) as client:
        answer = await client.get("/api/v1/jobs", params={
            "status": "FAILED", "model": "acme/portraits", "metadata": ["order=A=17", "shop="], "limit": 7,
            "created_from": "2026-01-12T12:00:00Z", "created_before": "2026-01-12T13:00:00+01:00",
        })  # fmt: skip

    assert answer.status_code == 200
    wanted = Wanted(Status.FAILED, "acme/portraits", {"order": "A=17", "shop": ""}, NOON, NOON)
    assert lists.wanted == [("dev", wanted, 8)]


async def test_a_cursor_leads_on_behind_the_last_job_that_was_shown() -> None:
    lists = Lists(a_row(JOB, requested_at=later(5)), a_row(ANOTHER_JOB, requested_at=later(4)))
    async with asking(lists) as client:
        first = (await client.get("/api/v1/jobs", params={"limit": 1})).json()
        await client.get("/api/v1/jobs", params={"limit": 1, "cursor": first["next_cursor"]})

    assert [job["job_id"] for job in first["jobs"]] == [str(JOB)]
    assert lists.wanted[1][1].after == (later(5), JOB)


@pytest.mark.parametrize(
    "params",
    [{"status": "DONE"}, {"metadata": "order"}, {"metadata": "=17"}, {"metadata": "order=\x00"}, {"model": "a\x00b"},
     {"limit": str(MOST + 1)}, {"cursor": "nonsense"}, {"created_from": "yesterday"},
     {"created_before": "0001-01-01T00:00:00Z"}],
    ids=str,
)  # fmt: skip
async def test_what_cannot_be_meant_is_refused_by_name(params: dict[str, str]) -> None:
    async with asking(Lists()) as client:
        answer = await client.get("/api/v1/jobs", params=params)

    assert (answer.status_code, answer.json()["errors"][0]["field"].rpartition(".")[2]) == (422, next(iter(params)))


async def test_without_the_job_store_the_list_is_unavailable_for_now() -> None:
    lists = Lists()
    lists.fault = ConnectionRefusedError()
    async with asking(lists) as client:
        answer = await client.get("/api/v1/jobs")

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


def test_only_what_is_asked_for_is_a_condition() -> None:
    sql, arguments = list_of_jobs("dev", Wanted(model="m", after=(NOON, JOB)), 20)

    assert "WHERE tenant = $1 AND model = $2 AND (requested_at, job_id) < ($3, $4) ORDER BY" in sql
    assert arguments == ["dev", "m", NOON, JOB, 20]
