"""The supervisor with small real processes: what dies comes back, what must stop stops, nothing is left."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest

from darkroom.local.home import sole_supervisor
from darkroom.local.known_ports import claim_ports
from darkroom.local.part import LocalError, Part
from darkroom.local.ports import claim
from darkroom.local.processes import end_leftovers, living
from darkroom.local.running import end, parts_of
from darkroom.local.services import healthy
from darkroom.local.state import State, read_state
from darkroom.local.supervisor import Supervisor

HERE = Path(__file__).parent
SERVER = HERE / "small_server.py"
ROOT = HERE.parents[2]
MODULE = "tests.integration.local.small_supervisor"


def a_part(name: str, *arguments: str) -> Part:
    port = claim(name)
    return Part(
        name=name,
        argv=(sys.executable, str(SERVER), str(port), *arguments),
        env=dict(os.environ),
        port=port,
        url=f"http://127.0.0.1:{port}",
        ready=lambda: healthy(port),
    )


def pid_of(supervisor: Supervisor, name: str) -> int:
    pid = supervisor.keeper(name).describe().pid
    assert pid is not None
    return pid


async def until(supervisor: Supervisor, name: str, state: State, restarts: int = 0) -> None:
    async with asyncio.timeout(10):
        now = supervisor.keeper(name).describe()
        while now.state is not state or now.restarts < restarts:
            await asyncio.sleep(0.01)
            now = supervisor.keeper(name).describe()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
async def supervisor(tmp_path: Path, said: list[str]) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(tmp_path, said.append)
    with sole_supervisor(tmp_path):
        yield supervisor
        await supervisor.stop(within=1)


async def test_a_part_is_ready_when_it_answers_and_gone_after_the_stop(supervisor: Supervisor, tmp_path: Path) -> None:
    await supervisor.start(a_part("one"), layer=0)
    pid = pid_of(supervisor, "one")

    await supervisor.stop()

    assert not psutil.pid_exists(pid)
    assert [part.state for part in parts_of(tmp_path)] == [State.STOPPED]


async def test_a_part_that_is_killed_comes_back_later_each_time_and_the_reason_is_said(
    supervisor: Supervisor, said: list[str]
) -> None:
    await supervisor.start(a_part("one"), layer=0)
    first = pid_of(supervisor, "one")

    began = time.monotonic()
    os.kill(first, signal.SIGKILL)
    await until(supervisor, "one", State.READY, restarts=1)
    os.kill(pid_of(supervisor, "one"), signal.SIGKILL)
    await until(supervisor, "one", State.READY, restarts=2)

    assert pid_of(supervisor, "one") != first
    assert time.monotonic() - began > 0.5 + 1.0
    told = [line for line in said if "SIGKILL" in line]
    assert "starting it again in 0.5 s" in told[0]
    assert "starting it again in 1 s" in told[1]
    assert "one.log" in told[0]


async def test_a_start_cuts_the_backoff_short(supervisor: Supervisor) -> None:
    await supervisor.start(a_part("one"), layer=0)
    keeper = supervisor.keeper("one")
    for _ in range(4):  # the next pause would be 8 s
        await keeper.kill(revive=True)
        await keeper.start()

    async with asyncio.timeout(4):
        await keeper.kill(revive=True)
        await keeper.start()

    assert keeper.describe().state is State.READY


async def test_what_is_killed_for_good_stays_dead_until_it_is_started(supervisor: Supervisor) -> None:
    await supervisor.start(a_part("one"), layer=0)
    keeper = supervisor.keeper("one")

    await keeper.kill(revive=False)
    await asyncio.sleep(0.8)

    assert keeper.describe().state is State.STOPPED
    await keeper.start()
    assert keeper.describe().state is State.READY


async def test_a_part_that_dies_before_it_is_ready_is_not_tried_again_and_its_last_words_are_told(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    with pytest.raises(LocalError, match=r"one did not start \(exit code 3\) after saying: no settings: its log is .*"):
        await supervisor.start(a_part("one", "--die", "no settings"), layer=0)

    assert [part.state for part in parts_of(tmp_path)] == [State.FAILED]


async def test_a_program_that_is_not_there_is_named(supervisor: Supervisor) -> None:
    part = a_part("one")
    missing = Part(name="one", argv=("/no/such/program",), env={}, port=part.port, url=part.url, ready=part.ready)

    with pytest.raises(LocalError, match="cannot run /no/such/program: No such file or directory"):
        await supervisor.start(missing, layer=0)


async def test_layers_stop_last_first_and_one_that_ignores_the_signal_is_killed_in_time(supervisor: Supervisor) -> None:
    await supervisor.start(a_part("server"), layer=0)
    await supervisor.start(a_part("service", "--stubborn"), layer=1)
    stubborn, order = pid_of(supervisor, "service"), []
    part = supervisor.keeper("server").part

    async def watch() -> None:
        while psutil.pid_exists(stubborn):
            assert await healthy(part.port)
            await asyncio.sleep(0.02)
        order.append("service")

    began = time.monotonic()
    await asyncio.gather(watch(), supervisor.stop(within=1.0))

    assert order == ["service"]
    assert 0.4 < time.monotonic() - began < 1.0
    assert not psutil.pid_exists(stubborn)


async def test_to_be_cancelled_while_stopping_means_kill_at_once(supervisor: Supervisor) -> None:
    await supervisor.start(a_part("service", "--stubborn"), layer=0)
    stubborn = pid_of(supervisor, "service")
    stopping = asyncio.create_task(supervisor.stop(within=60))
    await asyncio.sleep(0.1)

    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(stopping, 2)

    assert not psutil.pid_exists(stubborn)


async def test_a_part_that_is_paused_still_stops_when_asked(supervisor: Supervisor) -> None:
    await supervisor.start(a_part("one"), layer=0)
    os.kill(pid_of(supervisor, "one"), signal.SIGSTOP)

    began = time.monotonic()
    await supervisor.stop()

    assert time.monotonic() - began < 2


async def test_a_stranger_with_a_reused_pid_is_left_alone(supervisor: Supervisor) -> None:
    await supervisor.start(a_part("one"), layer=0)
    described = supervisor.keeper("one").describe()
    assert described.created is not None
    stranger = described.model_copy(update={"created": described.created - 60})

    assert end_leftovers([stranger]) == []
    assert psutil.pid_exists(pid_of(supervisor, "one"))


async def test_a_second_supervisor_of_a_home_is_refused_and_told_who_has_it(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    with pytest.raises(LocalError, match=f"in use by the supervisor with pid {os.getpid()}"), sole_supervisor(tmp_path):
        pytest.fail("there are two")


async def test_a_taken_port_is_named_with_the_cure(supervisor: Supervisor, tmp_path: Path) -> None:
    part = a_part("one")
    await supervisor.start(part, layer=0)

    with pytest.raises(LocalError, match=f"port {part.port} .gateway. is taken.*--port gateway=N"):
        claim_ports(tmp_path, ["gateway"], {"gateway": part.port})


def test_ports_stay_the_same_from_run_to_run(tmp_path: Path) -> None:
    first = claim_ports(tmp_path, ["kafka", "s3"], {})

    assert claim_ports(tmp_path, ["kafka", "s3"], {}) == first


class TestAKilledSupervisor:
    """What is left when it was killed with -9, and how the next one deals with it."""

    @pytest.fixture(autouse=True)
    def left(self, tmp_path: Path) -> Iterator[None]:
        """One part that ignores SIGTERM."""
        command = (sys.executable, "-m", MODULE, str(tmp_path), str(claim("stubborn")), str(SERVER))
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert "ready" in process.stdout.readline()
            process.kill()
        yield
        left = read_state(tmp_path)
        assert left is not None
        end_leftovers(left.parts, patience=0)

    def test_its_parts_are_shown_as_they_are(self, tmp_path: Path) -> None:
        (part,) = parts_of(tmp_path)

        assert part.state is State.READY
        assert living(part) is not None

    def test_its_parts_are_ended_by_the_next(self, tmp_path: Path) -> None:
        before = read_state(tmp_path)
        assert before is not None

        with sole_supervisor(tmp_path):
            ended = end_leftovers(before.parts, patience=0.5)

        assert [part.name for part in ended] == ["stubborn"]
        assert living(before.parts[0]) is None

    def test_down_ends_them_too_and_says_so_and_then_finds_nothing(self, tmp_path: Path) -> None:
        assert "Ended what a killed run had left" in end(tmp_path)
        assert "Nothing runs" in end(tmp_path)
        assert [part.state for part in parts_of(tmp_path)] == [State.STOPPED]

    def test_ps_prints_json(self, tmp_path: Path) -> None:
        command = (sys.executable, "-m", "darkroom", "ps", "--json", "--home", str(tmp_path))
        (part,) = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout)

        assert set(part) == {"name", "pid", "port", "url", "state", "restarts"}
        assert part["name"] == "stubborn"
