"""How many requests of a caller are let in, and what the answers say of it."""

import asyncio
from dataclasses import replace

import asyncpg
import pytest

from gateway.callers import DEVELOPER, Limits
from gateway.limit_headers import fields
from gateway.limiter import AWAY, FORGET, Limiter, Standing
from gateway.meter import KEPT
from tests.unit.gateway.buckets import Buckets, Clock
from tests.unit.gateway.http import calling

ACME = replace(DEVELOPER, tenant="acme", key_id="key_1")


async def let_in(limiter: Limiter, many: int) -> int:
    """How many of so many requests of one caller go on."""
    answers = [await limiter.admit(ACME) for _ in range(many)]
    return sum(1 for answer in answers if answer is not None and not answer.retry_after)


async def test_replicas_share_one_allowance() -> None:
    clock = Clock()
    buckets = Buckets(clock)
    one, two = (Limiter(buckets, 60, clock) for _ in range(2))

    assert (await let_in(one, 40), await let_in(two, 40)) == (40, 20)

    clock.at += 10

    assert (await let_in(one, 40), await let_in(two, 40)) == (10, 0)


async def test_whoever_is_refused_is_told_when_to_come_again_and_is_let_in_then() -> None:
    clock = Clock()
    limiter = Limiter(Buckets(clock), 6, clock)
    await let_in(limiter, 6)

    assert await limiter.admit(ACME) == Standing(6, 0, retry_after=10)

    clock.at += 10

    assert await limiter.admit(ACME) == Standing(6, 0, retry_after=0)


async def test_a_flood_over_the_limit_asks_the_database_no_more() -> None:
    clock = Clock()
    buckets = Buckets(clock)
    limiter = Limiter(buckets, 60, clock)
    await let_in(limiter, 61)
    before = len(buckets.asked)

    assert await let_in(limiter, 1_000) == 0
    assert len(buckets.asked) == before


async def test_requests_of_one_moment_ask_once_for_all_of_them() -> None:
    buckets = Buckets(clock := Clock())
    limiter = Limiter(buckets, 600, clock)

    answers = await asyncio.gather(*(limiter.admit(ACME) for _ in range(50)))

    assert all(answer and not answer.retry_after for answer in answers)
    assert buckets.asked == [("key key_1", 50)]


async def test_keys_and_tenants_have_allowances_of_their_own() -> None:
    limiter = Limiter(Buckets(clock := Clock()), 1, clock)

    callers = [DEVELOPER, ACME, replace(ACME, key_id="key_2"), replace(DEVELOPER, tenant="key_1")]
    answers = [await limiter.admit(caller) for caller in callers]

    assert [answer and answer.retry_after for answer in answers] == [0, 0, 0, 0]


async def test_a_tenants_own_limit_goes_before_the_setting() -> None:
    limiter = Limiter(Buckets(clock := Clock()), 600, clock)

    answer = await limiter.admit(replace(ACME, limits=Limits(requests_per_minute=7)))

    assert answer == Standing(7, 6, 0)


async def test_without_a_limit_nothing_is_counted() -> None:
    buckets = Buckets()

    assert await Limiter(buckets, 0).admit(ACME) is None
    assert buckets.asked == []


async def test_with_the_database_away_a_replica_limits_by_itself_from_where_it_stood() -> None:
    clock = Clock()
    buckets = Buckets(clock)
    limiter = Limiter(buckets, 60, clock)
    await let_in(limiter, 20)
    buckets.fault = ConnectionRefusedError()

    assert await let_in(limiter, 100) == 40

    clock.at += 5

    assert await let_in(limiter, 100) == 5


async def test_a_database_that_is_back_is_asked_again() -> None:
    clock = Clock()
    buckets = Buckets(clock)
    limiter = Limiter(buckets, 60, clock)
    buckets.fault = ConnectionRefusedError()
    await let_in(limiter, 10)
    buckets.fault = None

    clock.at += AWAY
    await let_in(limiter, 1)  # asks, and waits for nothing
    await asyncio.sleep(0)
    asked = len(buckets.asked)
    await let_in(limiter, 100)

    assert len(buckets.asked) > asked
    assert buckets.buckets["key key_1"].tokens < 1


async def test_a_database_that_refuses_to_count_holds_back_nobody_and_ends_nothing() -> None:
    clock, stopping = Clock(), asyncio.Event()
    buckets = Buckets(clock)
    limiter = Limiter(buckets, 60, clock)
    await let_in(limiter, 2)
    await asyncio.gather(*(limiter.admit(ACME) for _ in range(2)))
    buckets.fault = asyncpg.InsufficientPrivilegeError()
    stopping.set()

    assert await let_in(limiter, 10) == 10
    await limiter.run(stopping)


async def test_a_bug_in_a_question_is_not_taken_for_an_outage() -> None:
    buckets = Buckets()
    buckets.fault = ZeroDivisionError()

    with pytest.raises(ZeroDivisionError):
        await Limiter(buckets, 60).admit(ACME)


async def test_what_nobody_used_goes_back_and_who_is_gone_is_forgotten() -> None:
    clock = Clock()
    buckets = Buckets(clock)
    limiter = Limiter(buckets, 600, clock)
    await asyncio.gather(*(limiter.admit(ACME) for _ in range(2)))
    await limiter.admit(ACME)  # leases as many as it is likely to need
    lent = 600 - buckets.buckets["key key_1"].tokens
    await limiter.sweep(clock.at)
    kept = 600 - buckets.buckets["key key_1"].tokens

    clock.at += KEPT
    buckets.buckets["key key_1"].at = clock.at  # nothing comes in meanwhile
    await limiter.sweep(clock.at)
    back = 600 - buckets.buckets["key key_1"].tokens
    await limiter.sweep(clock.at + FORGET)

    assert (lent, kept, back) == (10, 10, 3)
    assert limiter._tabs == {}


async def test_a_replica_that_stops_gives_back_all_it_has() -> None:
    clock, stopping = Clock(), asyncio.Event()
    buckets = Buckets(clock)
    limiter = Limiter(buckets, 600, clock)
    await let_in(limiter, 2)
    stopping.set()

    await limiter.run(stopping)

    assert buckets.buckets["key key_1"].tokens == 598


@pytest.mark.parametrize(
    ("standing", "policy", "limit"),
    [
        (Standing(6_000, 5_999, 0), b'"requests";q=6000;w=60', b'"requests";r=5999;t=1'),
        (Standing(7, 3, 0), b'"requests";q=7;w=60', b'"requests";r=3;t=9'),
        (Standing(7, 0, 4), b'"requests";q=7;w=60', b'"requests";r=0;t=4'),
    ],
)
def test_the_headers_say_the_policy_what_is_left_and_when_there_is_more(
    standing: Standing, policy: bytes, limit: bytes
) -> None:
    assert fields(standing) == ((b"ratelimit-policy", policy), (b"ratelimit", limit))


async def test_every_answer_says_what_is_left_and_the_one_too_many_when_to_come_again() -> None:
    async with calling(limits=Buckets(Clock()), requests_per_minute=3) as client:
        answers = [await client.get("/api/v1/status/nothing") for _ in range(2)]
        answers += [await client.post("/api/v1/generate", content="{}") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [404, 404, 422, 429]
    assert {answer.headers["RateLimit-Policy"] for answer in answers} == {'"requests";q=3;w=60'}
    assert [answer.headers["RateLimit"].split(";")[1] for answer in answers] == ["r=2", "r=1", "r=0", "r=0"]
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 20
    assert answers[-1].json()["type"] == "urn:darkroom:problem:rate-limited"


async def test_health_and_docs_are_not_counted() -> None:
    async with calling(limits=Buckets(), requests_per_minute=1) as client:
        answers = [await client.get(path) for path in ("/health", "/", "/docs", "/openapi.json")]

    assert {answer.status_code for answer in answers} == {200}
    assert not any("RateLimit" in answer.headers for answer in answers)
