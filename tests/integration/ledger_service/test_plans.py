"""At a million jobs every question is answered from an index, and reads few rows. Takes half a minute, nearly all
of them to write the million.
"""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import pytest

from bench.many_jobs import FACTS_OF_A_JOB, FIRST_AT, TENANT, fill, job_number
from darkroom.local.stack import Stack
from gateway.limit_store import KNOWS, WAITING
from gateway.store import ATTEMPTS, FACTS, FIRST, JOBS_BY_ID, Wanted, list_of_jobs
from ledger_service.store import MARK_OLD
from ledger_service.tables import SCHEMA, VIEWS
from schemas.jobs import Status
from stage.database import Pool, new_pool

JOBS = 1_000_000
WHOLE = 20_000
"""Jobs that have outputs, attempts and facts."""
PAGE = 21
MIDDLE = FIRST_AT + timedelta(seconds=JOBS // 2)
BEHIND = (MIDDLE, job_number(JOBS // 2))


@pytest.fixture(scope="module")
async def ledger(servers: Stack) -> AsyncIterator[Pool]:
    """The ledger's own tables, a million jobs in them."""
    async with await new_pool(servers.environ["LEDGER_DATABASE_URL"], schema=SCHEMA, name="test") as pool:
        await fill(pool, JOBS, whole=WHOLE, facts=WHOLE)
        yield pool


@pytest.fixture(scope="module")
async def views(servers: Stack, ledger: Pool) -> AsyncIterator[Pool]:
    """What the gateway's role sees of them."""
    async with await new_pool(servers.environ["GATEWAY_DATABASE_URL"], schema=VIEWS, name="test") as pool:
        yield pool


async def scans(pool: Pool, sql: str, *arguments: Any) -> list[dict[str, Any]]:
    """The scans of indexes by which a statement is answered when it is run. Nothing of what it changes stays.

    A scan of a table without an index fails.
    """
    async with pool.acquire() as connection:
        statement = await connection.prepare(sql)
        [explained] = await statement.explain(*arguments, analyze=True)
    nodes = list(_nodes(explained["Plan"]))
    assert not [node for node in nodes if node["Node Type"] == "Seq Scan"]
    return [node for node in nodes if "Index Name" in node]


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for inner in node.get("Plans", ()):
        yield from _nodes(inner)


def read(found: list[dict[str, Any]]) -> int:
    """The rows that scans of indexes looked at, those that they threw away included."""
    return sum(
        round((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]) for node in found
    )


def indexes(found: list[dict[str, Any]]) -> set[str]:
    """Their names."""
    return {node["Index Name"] for node in found}


@pytest.mark.parametrize("plan", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize("together", [1, 100])
async def test_the_status_of_jobs_is_read_by_their_ids(servers: Stack, views: Pool, together: int, plan: str) -> None:
    job_ids = [job_number(7 * number) for number in range(1, together + 1)]
    url = f"{servers.environ['GATEWAY_DATABASE_URL']}?plan_cache_mode={plan}"

    async with await new_pool(url, schema=VIEWS, name="test") as pool:
        found = await scans(pool, JOBS_BY_ID, job_ids, [TENANT, "somebody-else"])

    assert indexes(found) == {"jobs_pkey", "outputs_pkey", "attempts_pkey"}
    assert read(found) <= 5 * together


async def test_a_jobs_history_is_read_by_its_id(views: Pool) -> None:
    facts = await scans(views, FACTS, job_number(7), *FIRST, 101)
    attempts = await scans(views, ATTEMPTS, job_number(7), 500)

    assert (indexes(facts), read(facts)) == ({"facts_of_job"}, FACTS_OF_A_JOB)
    assert (indexes(attempts), read(attempts)) == ({"attempts_pkey"}, 2)


@pytest.mark.parametrize(
    ("wanted", "index", "most"),
    [
        (Wanted(), "jobs_of_tenant", PAGE),
        (Wanted(after=BEHIND), "jobs_of_tenant", PAGE),
        (Wanted(since=FIRST_AT, before=MIDDLE), "jobs_of_tenant", PAGE),
        (Wanted(status=Status.COMPLETED), "jobs_of_tenant", PAGE + 200),  # those that wait are passed over
        (Wanted(status=Status.FAILED), "jobs_by_status", PAGE),
        (Wanted(status=Status.FAILED, after=BEHIND), "jobs_by_status", PAGE),
        (Wanted(status=Status.CANCELLED), "jobs_by_status", 0),
        (Wanted(model="fake/painter"), "jobs_of_tenant", PAGE),
        (Wanted(model="acme/rare", after=BEHIND), "jobs_by_model", PAGE),
        (Wanted(model="acme/unheard"), "jobs_by_model", 0),
        (Wanted(metadata={"shop": "web"}), "jobs_of_tenant", PAGE),
        (Wanted(metadata={"order": "A-12345"}), "jobs_by_metadata", 1),
        (Wanted(metadata={"order": "A-12345", "shop": "web"}, after=BEHIND), "jobs_by_metadata", 1),
        (Wanted(metadata={"order": "nobody's"}, status=Status.COMPLETED), "jobs_by_metadata", 0),
    ],
    ids=str,
)
async def test_a_list_of_jobs_reads_little_more_than_it_shows(
    views: Pool, wanted: Wanted, index: str, most: int
) -> None:  # fmt: skip
    sql, arguments = list_of_jobs(TENANT, wanted, PAGE)

    found = await scans(views, sql, *arguments)

    assert indexes(found) == {index}
    assert read(found) <= most + 1


@pytest.mark.parametrize(("most", "counted"), [(50, 50), (10_000, 180)])
async def test_waiting_jobs_are_counted_without_those_that_are_over(views: Pool, most: int, counted: int) -> None:
    found = await scans(views, WAITING, TENANT, most)

    assert indexes(found) == {"jobs_by_status"}
    assert read(found) <= counted + 1
    assert await views.fetchval(WAITING, TENANT, most) == counted


async def test_whether_a_job_is_known_is_read_by_its_id(views: Pool) -> None:
    assert indexes(await scans(views, KNOWS, job_number(7), TENANT)) == {"jobs_pkey"}


async def test_due_removals_are_found_without_the_jobs_that_are_not_due(ledger: Pool) -> None:
    found = await scans(ledger, MARK_OLD, [TENANT], [FIRST_AT + timedelta(seconds=100)], FIRST_AT, 50)

    assert "jobs_to_remove" in indexes(found)
    assert read(found) <= 50 * 3 + 10  # found, named, and marked


async def test_a_list_shows_each_job_once_page_by_page(views: Pool) -> None:
    seen, after = [], None
    async with views.acquire() as connection:
        for _ in range(5):
            wanted = Wanted(status=Status.PENDING, after=after)
            sql, arguments = list_of_jobs(TENANT, wanted, 40)
            rows = await connection.fetch(sql, *arguments)
            seen += [row["job_id"] for row in rows]
            after = rows[-1]["requested_at"], rows[-1]["job_id"]

    newest_first = [job_number(number) for number in range(JOBS, JOBS - 200, -1) if number % 10 != 9]
    assert seen == newest_first
