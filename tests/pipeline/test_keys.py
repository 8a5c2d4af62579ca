"""A gateway that wants keys beside the running system: an operator's commands, and what callers see of them."""

import asyncio
import sys
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest

from darkroom.local.ports import claim
from darkroom.local.services import healthy
from darkroom.local.stack import Stack
from gateway.keys import well_formed
from tests.pipeline.driver import Json, Pipeline, until
from tests.pipeline.operator import Answer, darkroom

ASK = {"model": "fake/painter-batch", "prompt": "a desert at dawn"}


@pytest.fixture(scope="module")
async def keyed(stack: Stack) -> AsyncIterator[str]:
    """Where a gateway listens that nobody told who may call."""
    port = claim("gateway")
    told = {name: value for name, value in stack.environ.items() if name != "GATEWAY_AUTH"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", env=told | {"GATEWAY_PORT": str(port), "SERVICE_INSTANCE": "keyed"},
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip

    async def ready() -> bool:
        try:
            return await healthy(port)
        except OSError:
            return False

    try:
        await until(ready, 30, "the gateway that wants keys")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), 15)


@pytest.fixture
def tenant() -> str:
    return f"tenant-{uuid4()}"


async def operator(stack: Stack, *words: str) -> Answer:
    """Run a command where the gateway's and the generator's databases are known."""
    return await darkroom(stack, *words, GATEWAY_DATABASE_URL=stack.environ["GATEWAY_DATABASE_URL"])


async def a_key(stack: Stack, tenant: str, *more: str) -> Json:
    """A key that may submit and read, as a program is told of it."""
    made = await operator(stack, "keys", "create", "--tenant", tenant, "--name", "test", "--scope", "submit",
                          "--scope", "read", "--json", *more)  # fmt: skip
    assert made.code == 0, made.err
    told: Json = made.json
    return told


def calling(url: str, key: Json) -> httpx.AsyncClient:
    """Somebody with this key."""
    return httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {key['key']}"}, timeout=30)


async def test_a_key_opens_its_tenants_jobs_and_a_strangers_key_none_of_them(
    pipeline: Pipeline, keyed: str, tenant: str
) -> None:
    mine, theirs = await asyncio.gather(
        *(a_key(pipeline.stack, name, "--new-tenant") for name in (tenant, f"other-{tenant}"))
    )
    async with calling(keyed, mine) as me, calling(keyed, theirs) as them, httpx.AsyncClient(base_url=keyed) as nobody:
        accepted = await me.post("/api/v1/generate", json=ASK)
        job_id = accepted.json()["job_id"]

        async def done() -> bool:
            return bool((await me.get(f"/api/v1/status/{job_id}")).json()["done"])

        await until(done, 60, "the job")
        paths = [f"/api/v1/status/{job_id}", *(f"/api/v1/jobs/{job_id}/{what}" for what in
                 ("history", "outputs/0/content"))]  # fmt: skip
        statuses = {who: [(await http.get(path)).status_code for path in paths]
                    for who, http in (("me", me), ("them", them), ("nobody", nobody))}  # fmt: skip
        removed = await them.delete(f"/api/v1/jobs/{job_id}/data")
        listed = [job["job_id"] for job in (await me.get("/api/v1/jobs")).json()["jobs"]]
        theirs_listed = (await them.get("/api/v1/jobs")).json()["jobs"]

    assert statuses == {"me": [200, 200, 302], "them": [404, 404, 404], "nobody": [401, 401, 401]}
    assert removed.status_code == 404
    assert (listed, theirs_listed) == ([job_id], [])


async def test_a_suspended_tenants_queued_calls_are_not_made_until_it_is_resumed(
    pipeline: Pipeline, keyed: str, tenant: str
) -> None:
    stack, key = pipeline.stack, await a_key(pipeline.stack, tenant, "--new-tenant")
    assert (await darkroom(stack, "pause", "model", "fake/painter-batch")).code == 0
    async with calling(keyed, key) as caller:
        accepted = await caller.post("/api/v1/generate", json=ASK)
        job_id = accepted.json()["job_id"]
        await pipeline.call_in("PENDING", job_id)

        suspended = [await operator(stack, "tenants", "suspend", tenant, "--json") for _ in range(2)]
        assert (await darkroom(stack, "resume", "model", "fake/painter-batch")).code == 0
        await pipeline.end_of(await pipeline.submit())  # asked for later, by somebody else: it overtakes
        waiting = await pipeline.call_in("PENDING", job_id)
        brakes = (await darkroom(stack, "brakes", "list", "--json")).json["brakes"]

        async def refused() -> bool:
            return (await caller.post("/api/v1/generate", json=ASK)).status_code == 403

        await until(refused, 30, "the gateway to hear of it")
        resumed = [await operator(stack, "tenants", "resume", tenant, "--json") for _ in range(2)]
        job = await pipeline.call_in("SUCCEEDED", job_id)

    assert [answer.json for answer in suspended] == [
        {"name": tenant, "suspended": True, "changed": True}, {"name": tenant, "suspended": True, "changed": False},
    ]  # fmt: skip
    assert waiting["attempt"] == 0
    assert [(brake["kind"], brake["name"]) for brake in brakes] == [("tenant", tenant)]
    assert [answer.json["changed"] for answer in resumed] == [True, False]
    assert job["attempt"] == 1


async def test_a_suspension_that_stopped_half_way_is_mended_by_saying_it_again(pipeline: Pipeline, tenant: str) -> None:
    stack, braked, refused = pipeline.stack, f"braked-{tenant}", f"refused-{tenant}"
    await asyncio.gather(*(a_key(stack, name, "--new-tenant") for name in (braked, refused)))
    assert (await darkroom(stack, "pause", "tenant", braked)).code == 0
    await pipeline.admin.execute("UPDATE gateway.tenants SET suspended_at = now() WHERE name = $1", refused)

    names = (braked, refused)
    answers = await asyncio.gather(*(operator(stack, "tenants", "suspend", name) for name in names))

    doors = "SELECT count(*) FROM gateway.tenants WHERE suspended_at IS NOT NULL AND name = ANY($1)"
    brakes = "SELECT count(*) FROM generator.brakes WHERE kind = 'tenant' AND name = ANY($1)"
    closed = [await pipeline.admin.fetchval(query, names) for query in (doors, brakes)]
    await asyncio.gather(*(operator(stack, "tenants", "resume", name) for name in names))
    opened = [await pipeline.admin.fetchval(query, names) for query in (doors, brakes)]
    assert [answer.out for answer in answers] == [f"{name} is suspended: no requests, no calls.\n" for name in names]
    assert (closed, opened) == ([2, 2], [0, 0])


async def test_a_key_is_printed_once_alone_on_stdout_and_revoked_by_its_name(
    pipeline: Pipeline, keyed: str, tenant: str
) -> None:
    stack = pipeline.stack
    words = ("keys", "create", "--tenant", tenant, "--name", "ci", "--scope", "read", "--expires", "90d")
    typo = await operator(stack, *words)
    made = await operator(stack, *words, "--new-tenant")
    key, name = made.out.strip(), made.err.split(":")[0]

    listed = await operator(stack, "keys", "list", "--tenant", tenant)
    rotated = await operator(stack, "keys", "rotate", name, "--overlap", "1h")
    revoked = [await operator(stack, "keys", "revoke", name) for _ in range(2)]
    states = {shown["id"]: shown["state"] for shown in
              (await operator(stack, "keys", "list", "--tenant", tenant, "--json")).json}  # fmt: skip

    async with httpx.AsyncClient(base_url=keyed) as http:
        answers = [(await http.get("/api/v1/jobs", headers={"X-API-Key": each})).status_code
                   for each in (key, rotated.out.strip())]  # fmt: skip

    assert (typo.code, typo.out) == (1, "")
    assert "give --new-tenant" in typo.err
    assert well_formed(key)
    assert key.startswith("dk_live_")
    assert "may read, expires 2" in made.err
    assert key not in made.err + listed.out + rotated.out
    assert f"{name}  {tenant}" in listed.out
    assert [answer.out for answer in revoked] == [
        f"{name} is revoked.\n", f"{name} is revoked, as it was before. Nothing changed.\n",
    ]  # fmt: skip
    assert sorted(states.values()) == ["good", "revoked"]
    assert answers == [401, 200]


async def test_what_cannot_be_meant_changes_nothing_and_says_why(stack: Stack) -> None:
    a_key = ("keys", "create", "--name", "x", "--tenant")
    said = {
        ("keys", "revoke", "key_0"): (1, "there is no key key_0: `darkroom keys list` shows those that are there"),
        ("tenants", "suspend", "nobody"): (1, "there is no tenant nobody: `darkroom tenants list`"),
        ("tenants", "limits", "x", "--jobs-queued", "0"): (2, "'0' is neither a number above 0 nor `default`"),
        (*a_key, "a b", "--scope", "read"): (2, "give 1 to 64 letters"),
        (*a_key, "a"): (2, "Missing option '--scope'"),
        (*a_key, "a", "--scope", "read", "--expires", "0d"): (2, "'0d' is not a time such as 90m"),
    }

    answers = await asyncio.gather(*(operator(stack, *words) for words in said))

    for answer, (code, words) in zip(answers, said.values(), strict=True):
        assert (answer.code, answer.out) == (code, "")
        assert words in answer.err


async def test_a_tenants_limits_are_set_shown_and_taken_back(pipeline: Pipeline, tenant: str) -> None:
    stack = pipeline.stack
    await a_key(stack, tenant, "--new-tenant")

    set_ = await operator(stack, "tenants", "limits", tenant, "--requests-per-minute", "600", "--jobs-queued", "50")
    back = await operator(stack, "tenants", "limits", tenant, "--jobs-queued", "default", "--json")
    listed = (await operator(stack, "tenants", "list", "--json")).json

    assert set_.out == f"{tenant}: jobs queued 50, requests per minute 600\n"
    assert back.json == {"name": tenant, "requests_per_minute": 600, "jobs_queued": None}
    assert [(each["keys"], each["requests_per_minute"]) for each in listed if each["name"] == tenant] == [(1, 600)]
