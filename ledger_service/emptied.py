"""An empty ledger before a full log: to read it all again would announce every job again."""

import asyncio

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from ledger_service import store
from schemas.events import JobCompleted
from schemas.identity import PARTITIONS
from stage.database import PASSING, Pool
from stage.kafka import LogEnds
from stage.telemetry import get_logger

log = get_logger(__name__)

PAUSE = 1.0


async def refuse_to_begin_again(pool: Pool, ends: LogEnds) -> None:
    """Return when the ledger may begin to read, waiting for Kafka and PostgreSQL as long as it takes.

    Ends the process with exit code 1 when the log holds `job.completed`, which only a ledger says, and this one
    remembers no fact: it was emptied or replaced. Before a log without them, however long, it may begin: nobody was
    told anything yet.
    """
    while True:
        try:
            # In this order: what a ledger beside us has said by now, it remembers by now.
            if not await _something_was_said(ends):
                return
            async with pool.acquire() as connection:
                emptied = await store.is_empty(connection)
        except (KafkaError, *PASSING) as fault:
            log.warning("the log is asked again what was said", fault=type(fault).__name__, next_try_in_s=PAUSE)
            await asyncio.sleep(PAUSE)
            continue
        if emptied:
            log.critical("the ledger is empty and the log is not: run `darkroom ledger rebuild`")
            raise SystemExit(1)
        return


async def _something_was_said(ends: LogEnds) -> bool:
    places = [TopicPartition(JobCompleted.topic, number) for number in range(PARTITIONS)]
    begins, last = await ends.beginnings(places), await ends.ends(places)
    return any(begins[place] < last[place] for place in places)
