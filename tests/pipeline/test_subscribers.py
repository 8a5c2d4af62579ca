"""Whoever listens learns of each finished job, once after telling repeats apart, and of all of them again on demand."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from schemas.contract import files
from schemas.contract.speakers import SAID_BY
from schemas.identity import partition_of
from schemas.topics import DEAD_LETTERS
from tests.pipeline.driver import Pipeline, until
from tests.repository.tree import ROOT

EXAMPLE = ROOT / "examples" / "subscriber.py"


class Subscriber:
    """The example, running: what it has printed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.heard: list[dict[str, Any]] = []

    @classmethod
    @asynccontextmanager
    async def of(cls, pipeline: Pipeline, file: Path, folder: Path) -> AsyncIterator["Subscriber"]:
        """Run it in `folder` on nothing but its libraries; ended as a person ends it."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(folder / "examples" / "subscriber.py"), pipeline.bootstrap, str(file),
            cwd=folder, env={"PATH": os.environ["PATH"]}, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        running = cls(process)
        reading = asyncio.create_task(running._read())
        try:
            yield running
            assert process.returncode is None, "the subscriber ended by itself"
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            await process.wait()
            await reading

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.heard.append(json.loads(line))

    async def hears(self, outcomes: set[tuple[str, int]]) -> None:
        """Return once it has printed all of these jobs and revisions."""

        async def there() -> bool:
            return outcomes <= set(map(outcome, self.heard))

        await until(there, 60, "the subscriber to hear of its jobs")


def outcome(value: dict[str, Any]) -> tuple[str, int]:
    return (value["job_id"], value["revision"])


@pytest.fixture
def alone(tmp_path: Path) -> Path:
    """The example and the published schema, and nothing else of ours."""
    for name in ("examples/subscriber.py", "schemas/json/job.completed.v1.json"):
        there = tmp_path / "elsewhere" / name
        there.parent.mkdir(parents=True)
        there.write_bytes((ROOT / name).read_bytes())
    return tmp_path / "elsewhere"


async def three_jobs(pipeline: Pipeline) -> dict[tuple[str, int], str]:
    """One that is stored, one of which a part fails, one that fails: how each ended."""
    asks: list[dict[str, Any]] = [
        {"num_outputs": 2},
        {"model": "fake/painter", "num_outputs": 2, "input": {"fail_outputs": [0]}},
        {"input": {"fail_attempts": 99}},
    ]
    ids = [await pipeline.submit(seed=number, **ask) for number, ask in enumerate(asks)]
    return {(str(job_id), 1): (await pipeline.end_of(job_id))["status"] for job_id in ids}


async def completions(pipeline: Pipeline) -> list[Any]:
    return await pipeline.records("job.completed")


def test_the_example_is_short_and_imports_nothing_of_ours() -> None:
    code = EXAMPLE.read_text(encoding="utf-8")

    ours = {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()}
    imported = {line.split()[1].split(".")[0] for line in code.splitlines() if line.startswith(("import ", "from "))}
    assert len(code.splitlines()) < 40
    assert imported & ours == set()


async def test_a_subscriber_sees_each_finished_job_once_though_records_come_twice(
    pipeline: Pipeline, alone: Path, tmp_path: Path
) -> None:
    async with Subscriber.of(pipeline, tmp_path / "outcomes.sqlite", alone) as subscriber:
        jobs = await three_jobs(pipeline)
        await subscriber.hears(set(jobs))
        await pipeline.reproduce(await completions(pipeline))
        later = await three_jobs(pipeline)
        await subscriber.hears(set(later))

    mine = [value for value in subscriber.heard if outcome(value) in jobs | later]
    assert {outcome(value): value["status"] for value in mine} == jobs | later
    assert set(jobs.values()) == {"COMPLETED", "PARTIAL", "FAILED"}
    assert len(set(map(outcome, subscriber.heard))) == len(subscriber.heard)


async def test_a_subscriber_that_is_started_again_goes_on_where_it_was(
    pipeline: Pipeline, alone: Path, tmp_path: Path
) -> None:
    file = tmp_path / "outcomes.sqlite"
    jobs = await three_jobs(pipeline)
    async with Subscriber.of(pipeline, file, alone) as first:
        await first.hears(set(jobs))

    later = await three_jobs(pipeline)
    async with Subscriber.of(pipeline, file, alone) as second:
        await second.hears(set(later))

    # It was ended at any moment: what it had printed and not yet written down is printed again, and nothing else.
    assert set(map(outcome, second.heard)) & set(map(outcome, first.heard)) <= {outcome(first.heard[-1])}


async def test_a_subscriber_that_forgets_everything_gets_every_outcome_again(
    pipeline: Pipeline, alone: Path, tmp_path: Path
) -> None:
    file = tmp_path / "outcomes.sqlite"
    jobs = await three_jobs(pipeline)
    await pipeline.settled()
    everything = {outcome(json.loads(record.value)) for record in await completions(pipeline)}
    async with Subscriber.of(pipeline, file, alone) as first:
        await first.hears(everything)

    file.unlink()
    async with Subscriber.of(pipeline, file, alone) as again:
        await again.hears(everything)

    told = {outcome(value): value for value in first.heard}
    assert set(jobs) <= everything
    assert {key: value for value in again.heard if (key := outcome(value)) in told} == told
    assert len(set(map(outcome, again.heard))) == len(again.heard)


async def test_every_record_is_said_by_whom_the_document_names_and_keeps_to_its_schema(pipeline: Pipeline) -> None:
    validators = {name: Draft202012Validator(schema) for name, schema in files.today().items()}
    keys = {job_id.encode() for job_id, _ in await three_jobs(pipeline)}
    await pipeline.settled()

    facts = [record for record in await pipeline.records() if record.key in keys and record.topic != DEAD_LETTERS]

    topics = {record.topic for record in facts}
    assert topics >= {"job.requested", "generation.submitted", "media.stored", "job.completed"}
    for record in facts:
        headers, value = dict(record.headers), json.loads(record.value)
        speaker = headers["ce_source"].decode().removeprefix("/darkroom/")
        assert speaker in SAID_BY[record.topic]
        assert list(validators[f"{record.topic}.v{value['v']}"].iter_errors(value)) == []
        assert (headers["ce_id"].decode(), headers["ce_type"].decode()) == (value["event_id"], record.topic)
        assert record.key.decode() == headers["ce_subject"].decode() == value["job_id"]
        assert record.partition == partition_of(record.key)


async def test_kafkas_own_console_consumer_shows_each_finished_job_with_its_event_id(pipeline: Pipeline) -> None:
    jobs = await three_jobs(pipeline)
    said = await completions(pipeline)

    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "darkroom", "kafka", "console-consumer"),
        *("--topic", "job.completed", "--from-beginning"),
        *("--max-messages", str(len(said)), "--timeout-ms", "30000"),
        *("--formatter-property", "print.key=true", "--formatter-property", "print.headers=true"),
        env=os.environ | {"PYTHONPATH": str(ROOT), "KAFKA_BOOTSTRAP_SERVERS": pipeline.bootstrap},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), 60)

    assert process.returncode == 0, err.decode()
    shown = [line.split("\t") for line in out.decode().splitlines()]
    assert len(shown) == len(said)
    assert {key for _, key, _ in shown} >= {job_id for job_id, _ in jobs}
    for headers, key, value in shown:
        assert f"ce_id:{json.loads(value)['event_id']}" in headers.split(",")
        assert json.loads(value)["job_id"] == key
