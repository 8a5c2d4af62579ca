"""Prints each finished job once, as a line of JSON: `python subscriber.py localhost:9092 outcomes.sqlite`.

The file keeps the outcomes by `ce_id`, so that a repeat is told from a new one, and how far was read: delete it, and
everything is read again from the beginning. Needs `pip install aiokafka jsonschema` and the published schema.
"""

import asyncio
import json
import sqlite3
import sys
from pathlib import Path

from aiokafka import AIOKafkaConsumer
from jsonschema import validate

SCHEMA = json.loads((Path(__file__).parents[1] / "schemas/json/job.completed.v1.json").read_text(encoding="utf-8"))


async def main(servers: str, file: str) -> None:
    """Read until stopped. A record that breaks the contract, or is of a version that is not ours, stops it too."""
    kept = sqlite3.connect(file)
    kept.execute("CREATE TABLE IF NOT EXISTS outcomes (ce_id TEXT PRIMARY KEY, value TEXT)")
    kept.execute("CREATE TABLE IF NOT EXISTS offsets (partition INTEGER PRIMARY KEY, next INTEGER)")
    following = dict(kept.execute("SELECT partition, next FROM offsets"))
    async with AIOKafkaConsumer("job.completed", bootstrap_servers=servers) as consumer:
        for place in consumer.assignment():
            consumer.seek(place, following.get(place.partition, 0))
        async for record in consumer:
            validate(value := json.loads(record.value), SCHEMA)
            with kept:  # the header ce_id says the same as event_id, but tools that copy records may lose headers
                outcome = (value["event_id"], json.dumps(value))
                if kept.execute("INSERT OR IGNORE INTO outcomes VALUES (?, ?)", outcome).rowcount:
                    print(outcome[1], flush=True)  # noqa: T201 - who reads this is whom it is for
                kept.execute("INSERT OR REPLACE INTO offsets VALUES (?, ?)", (record.partition, record.offset + 1))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
