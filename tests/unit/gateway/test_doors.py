"""The door that opens with a key: what it lets in, what it remembers, and what it asks of PostgreSQL."""

import asyncio
from dataclasses import replace
from datetime import datetime

import pytest
from starlette.datastructures import Headers

from gateway.callers import Caller, Scope
from gateway.doors import BAD_KEY, KeyDoor
from gateway.key_memory import MOST_STRANGERS, MOST_WAITING
from gateway.key_store import KnownKey
from gateway.keys import hash_of, new_key
from gateway.problems import Problem
from tests.builders import later
from tests.fakes import Keys

KEY, OTHER = new_key("test"), new_key("test")
ACME = Caller("acme", frozenset({Scope.READ}), "key_1")
GOOD = KnownKey(ACME, expires_at=None, revoked=False, suspended=False)
HOUR = 3_600.0


class Entrance:
    """A door, the keys it knows, and the time."""

    def __init__(self) -> None:
        self.keys, self.seconds = Keys(), 0.0
        self.keys.keys[hash_of(KEY)] = GOOD
        self.door = self.replica()

    def replica(self) -> KeyDoor:
        """Another gateway's door, on the same keys."""
        return KeyDoor(self.keys, self.now, lambda: self.seconds)

    def now(self) -> datetime:
        return later(self.seconds)

    async def let_in(self, key: str = KEY, door: KeyDoor | None = None) -> Caller:
        """Whom a key lets in."""
        return await (door or self.door).admit(Headers({"Authorization": f"Bearer {key}"}))

    async def answered(self) -> None:
        """Return when PostgreSQL has been asked all there was to ask."""
        asking = self.door._memory._asking
        if asking is not None:
            await asyncio.wait_for(asyncio.shield(asking), 1)

    async def refused(self, key: str = KEY) -> Problem:
        """Why a key does not."""
        with pytest.raises(Problem) as problem:
            await self.let_in(key)
        return problem.value


@pytest.fixture
def entrance() -> Entrance:
    return Entrance()


@pytest.mark.parametrize(
    "headers",
    [{"Authorization": f"Bearer {KEY}"}, {"authorization": f"bearer  {KEY} "}, {"Authorization": f"Token {KEY}"},
     {"Authorization": f"Key {KEY}"}, {"X-API-Key": KEY}, {"Authorization": "Basic YTpi", "x-api-key": KEY}],
)  # fmt: skip
async def test_a_key_is_found_wherever_people_are_used_to_put_it(entrance: Entrance, headers: dict[str, str]) -> None:
    assert await entrance.door.admit(Headers(headers)) == ACME


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer "}, {"Authorization": "Basic YTpi"}, {"X-API-Key": ""}]
)
async def test_nobody_comes_in_without_a_key(entrance: Entrance, headers: dict[str, str]) -> None:
    with pytest.raises(Problem) as problem:
        await entrance.door.admit(Headers(headers))

    assert (problem.value.status, problem.value.kind) == (401, "unauthenticated")
    assert problem.value.headers == {"WWW-Authenticate": "Bearer"}


async def test_a_mistyped_key_is_refused_without_a_question(entrance: Entrance) -> None:
    refused = await entrance.refused(KEY[:-1] + ("0" if KEY[-1] != "0" else "1"))

    assert refused.status == 401
    assert entrance.keys.asked == []


@pytest.mark.parametrize(
    "known", [None, replace(GOOD, revoked=True), replace(GOOD, expires_at=later(0)),
              replace(GOOD, revoked=True, suspended=True)],
    ids=["unknown", "revoked", "expired", "revoked, of a suspended tenant"],
)  # fmt: skip
async def test_whoever_guesses_is_not_told_what_is_wrong_with_a_key(entrance: Entrance, known: KnownKey | None) -> None:
    if known is not None:
        entrance.keys.keys[hash_of(OTHER)] = known

    for _ in range(2):  # asked, and remembered
        refused = await entrance.refused(OTHER)
        assert (refused.status, refused.detail, refused.headers) == (401, BAD_KEY, {"WWW-Authenticate": "Bearer"})


async def test_a_key_expires_at_its_moment_though_it_was_remembered(entrance: Entrance) -> None:
    entrance.keys.keys[hash_of(KEY)] = replace(GOOD, expires_at=later(5))
    assert await entrance.let_in() == ACME

    entrance.seconds = 5

    assert (await entrance.refused()).status == 401
    assert len(entrance.keys.asked) == 1


async def test_a_suspended_tenant_is_told_so(entrance: Entrance) -> None:
    entrance.keys.keys[hash_of(KEY)] = replace(GOOD, suspended=True)

    refused = await entrance.refused()

    assert (refused.status, refused.kind) == (403, "tenant-suspended")


async def test_a_key_in_use_is_looked_up_once_in_a_while_and_never_waited_for(entrance: Entrance) -> None:
    assert await entrance.let_in() == ACME
    entrance.keys.open.clear()  # from here on whoever waits for an answer waits for ever

    for entrance.seconds in (1.0, 5.0, 9.9, 10.1, 11.0, 15.0):
        assert await asyncio.wait_for(entrance.let_in(), 1) == ACME
        await asyncio.sleep(0)

    assert len(entrance.keys.asked) == 2
    entrance.keys.open.set()


@pytest.mark.parametrize("used_every", [1.0, 14.0, 29.0])
async def test_a_revoked_key_opens_no_replica_after_30_seconds(entrance: Entrance, used_every: float) -> None:
    replicas = [entrance.replica() for _ in range(3)]
    for replica in replicas:
        assert await entrance.let_in(door=replica) == ACME

    entrance.keys.keys[hash_of(KEY)] = replace(GOOD, revoked=True)
    opened = []
    while entrance.seconds < 60:
        entrance.seconds += used_every
        for replica in replicas:
            try:
                await entrance.let_in(door=replica)
            except Problem:
                continue
            finally:
                await asyncio.sleep(0)
            opened.append(entrance.seconds)

    assert max(opened, default=0) <= 30


async def test_a_key_unused_for_a_while_is_looked_up_before_it_opens_again(entrance: Entrance) -> None:
    assert await entrance.let_in() == ACME
    entrance.keys.keys[hash_of(KEY)] = replace(GOOD, revoked=True)

    entrance.seconds = 15.1

    assert (await entrance.refused()).status == 401


async def test_without_postgresql_a_key_seen_within_the_hour_opens_and_no_request_waits(entrance: Entrance) -> None:
    assert await entrance.let_in() == ACME
    entrance.keys.fault = ConnectionRefusedError()

    for began in (20.0, 600.0, HOUR - 10):  # after a quiet time the first request asks
        entrance.seconds = began
        assert await entrance.let_in() == ACME
        entrance.keys.open.clear()  # from here on whoever waits for an answer waits for ever
        for entrance.seconds in (began + 0.5, began + 1.5, began + 4.5):
            assert await asyncio.wait_for(entrance.let_in(), 1) == ACME
        entrance.keys.open.set()
        await entrance.answered()

    entrance.seconds = HOUR + 1
    refused = await entrance.refused()
    assert (refused.status, refused.kind) == (503, "unavailable")


async def test_without_postgresql_a_key_never_seen_is_neither_good_nor_bad(entrance: Entrance) -> None:
    entrance.keys.fault = ConnectionRefusedError()

    for key in (KEY, OTHER, KEY):
        refused = await entrance.refused(key)
        assert (refused.status, refused.kind) == (503, "unavailable")
        assert int(refused.headers["Retry-After"]) > 0

    assert len(entrance.keys.asked) == 1  # not again within the second
    assert (await entrance.refused("dk_test_nonsense")).status == 401


async def test_a_revocation_is_seen_once_postgresql_is_back(entrance: Entrance) -> None:
    assert await entrance.let_in() == ACME
    entrance.keys.fault = ConnectionRefusedError()
    entrance.seconds = 60
    assert await entrance.let_in() == ACME

    entrance.keys.fault, entrance.keys.keys[hash_of(KEY)] = None, replace(GOOD, revoked=True)
    entrance.seconds = 62
    await entrance.let_in()  # has it looked up beside the request
    await entrance.answered()

    assert (await entrance.refused()).status == 401


async def test_what_postgresql_once_left_unanswered_opens_no_door_after_a_quiet_time(entrance: Entrance) -> None:
    assert await entrance.let_in() == ACME
    entrance.keys.fault = ConnectionRefusedError()
    entrance.seconds = 20
    assert await entrance.let_in() == ACME
    entrance.keys.fault, entrance.keys.keys[hash_of(KEY)] = None, replace(GOOD, revoked=True)

    entrance.seconds = 3_000

    assert {problem.status for problem in await asyncio.gather(*(entrance.refused() for _ in range(20)))} == {401}


async def test_a_new_key_opens_once_postgresql_is_back(entrance: Entrance) -> None:
    entrance.keys.fault = ConnectionRefusedError()
    await entrance.refused()

    entrance.keys.fault = None
    entrance.seconds = 1.1

    assert await entrance.let_in() == ACME


async def test_a_fault_that_waiting_cannot_cure_keeps_out_nobody_who_was_let_in(entrance: Entrance) -> None:
    assert await entrance.let_in() == ACME

    entrance.keys.fault = ZeroDivisionError()
    entrance.seconds = 20

    assert await entrance.let_in() == ACME


async def test_many_requests_with_one_key_share_one_question(entrance: Entrance) -> None:
    entrance.keys.open.clear()
    requests = [asyncio.create_task(entrance.let_in()) for _ in range(50)]
    await asyncio.sleep(0)
    requests[0].cancel()  # one caller hangs up: the others are none the worse

    entrance.keys.open.set()

    assert await asyncio.gather(*requests[1:]) == [ACME] * 49
    assert entrance.keys.asked == [[hash_of(KEY)]]


async def test_a_flood_of_made_up_keys_is_a_few_questions_and_drives_out_nobody(entrance: Entrance) -> None:
    assert await entrance.let_in() == ACME
    entrance.keys.open.clear()

    flood = [asyncio.create_task(entrance.refused(new_key("test"))) for _ in range(MOST_WAITING + 100)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert await entrance.let_in() == ACME
    entrance.keys.open.set()
    statuses = {problem.status for problem in await asyncio.gather(*flood)}

    assert statuses == {401, 503}
    assert len(entrance.keys.asked) <= 3
    assert all(len(question) <= MOST_WAITING for question in entrance.keys.asked)


async def test_a_flood_of_made_up_keys_keeps_no_revoked_key_open(entrance: Entrance) -> None:
    assert await entrance.let_in() == ACME
    entrance.keys.keys[hash_of(KEY)] = replace(GOOD, revoked=True)
    entrance.seconds = 40
    entrance.keys.open.clear()
    first = asyncio.create_task(entrance.refused(new_key("test")))  # is asked for, so that the next ones wait
    await asyncio.sleep(0.01)
    flood = [asyncio.create_task(entrance.refused(new_key("test"))) for _ in range(MOST_WAITING)]
    await asyncio.sleep(0)

    revoked = asyncio.create_task(entrance.refused())
    await asyncio.sleep(0)
    entrance.keys.open.set()

    assert (await revoked).status == 401
    await asyncio.gather(first, *flood)


async def test_strangers_are_remembered_for_a_moment_and_never_too_many_of_them(entrance: Entrance) -> None:
    for _ in range(3):
        await entrance.refused(OTHER)
    assert len(entrance.keys.asked) == 1

    entrance.seconds = 5.1
    await entrance.refused(OTHER)
    assert len(entrance.keys.asked) == 2

    for _ in range(MOST_STRANGERS // 500 + 2):
        await asyncio.gather(*(entrance.refused(new_key("test")) for _ in range(500)))
    asked = len(entrance.keys.asked)
    await entrance.refused(OTHER)  # the one longest ago had to go
    assert len(entrance.keys.asked) == asked + 1


async def test_the_use_of_a_key_is_written_beside_the_requests_and_kept_while_it_cannot_be(entrance: Entrance) -> None:
    for entrance.seconds in (1.0, 2.0, 3.0):
        await entrance.let_in()

    entrance.keys.fault = ConnectionRefusedError()
    await entrance.door.write_uses()
    entrance.keys.fault = None
    await entrance.door.write_uses()
    await entrance.door.write_uses()

    assert entrance.keys.written == [{"key_1": later(3)}]


async def test_what_was_used_last_is_written_at_the_end(entrance: Entrance) -> None:
    stopping = asyncio.Event()
    running = asyncio.create_task(entrance.door.run(stopping))
    await entrance.let_in()

    stopping.set()
    await asyncio.wait_for(running, 1)

    assert entrance.keys.written == [{"key_1": later(0)}]
