"""A replay is safe: facts said again, in any order, change nothing."""

import random
from typing import Any

from schemas.topics import DEAD_LETTERS
from tests.pipeline.driver import Pipeline


async def test_every_record_said_again_and_shuffled_changes_nothing(pipeline: Pipeline) -> None:
    asks: list[dict[str, Any]] = [
        {"num_outputs": 4},
        {"model": "fake/painter", "num_outputs": 3, "input": {"fail_outputs": [0]}},
        {"input": {"fail_attempts": 1}},
        {"input": {"fail_attempts": 99}},
    ]
    ids = [await pipeline.submit(seed=number, **ask) for number in range(3) for ask in asks]
    jobs = [await pipeline.end_of(job_id) for job_id in ids]
    await pipeline.settled()
    before = (await pipeline.projections(), await pipeline.work_done(), await pipeline.objects())
    told = [record.value for record in await pipeline.records("job.completed")]

    log = [record for record in await pipeline.records() if record.topic != DEAD_LETTERS]
    again = [*log, *log]
    random.Random(17).shuffle(again)
    await pipeline.reproduce(again)
    await pipeline.settled()

    after = (await pipeline.projections(), await pipeline.work_done(), await pipeline.objects())
    told_after = [record.value for record in await pipeline.records("job.completed")]
    copies = 2 * len(told)
    assert after == before
    assert len(told_after) == len(told) + copies  # what was reproduced by hand, and not one more
    assert set(told_after) == set(told)
    assert [await pipeline.end_of(job_id) for job_id in ids] == jobs
