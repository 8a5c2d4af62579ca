"""The gateway's limit: the smallest FastAPI app that does the same for a caller, with nothing else around it.

`python -m bench.bare_gateway PORT FOLDER` answers what lies in FOLDER, as one process with the server, the event loop
and the garbage collector's settings of a service. Nothing of ours lies on its way from request to answer.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import uvicorn
from aiokafka import AIOKafkaProducer
from fastapi import FastAPI, HTTPException, Response
from pydantic import AwareDatetime, BaseModel, Field

from bench.running import as_a_service_collects, say
from darkroom.local.home import make_home
from darkroom.local.part import Part
from darkroom.local.ports import HOST, claim
from darkroom.local.prepare import exchange
from darkroom.local.supervisor import Supervisor
from schemas.events import JobRequested
from schemas.identity import PARTITIONS
from schemas.wire import Record, encode
from stage.database import Pool
from stage.settings import KafkaSettings

NAME = "bare"
ASK: dict[str, Any] = {
    "model": "fake/painter", "prompt": "A futuristic city at sunset, seen from the sea", "num_outputs": 4,
    "seed": 12_345, "output_format": "jpg", "metadata": {"order": "A-7", "shop": "web"},
}  # fmt: skip
"""What every POST asks for, on both sides."""
ACCEPTED, SHOWN = "accepted.json", "shown.json"
CONNECTIONS = 4  # to PostgreSQL, as many as the gateway has


class Ask(BaseModel):
    """A job to make: the fields of the gateway's own model, with types and no other rules."""

    model: str
    prompt: str
    num_outputs: int = 1
    seed: int | None = None
    output_format: str | None = None
    input: dict[str, Any] = Field(default_factory=dict)
    metadata: dict[str, str] = Field(default_factory=dict)
    deadline: AwareDatetime | None = None
    max_attempts: int | None = None


def build(producer: AIOKafkaProducer, pool: Pool, record: Record, accepted: bytes, shown: bytes) -> FastAPI:
    """The routes, and under `/alone` the same without Kafka and PostgreSQL. Their answers are ready bytes."""
    app = FastAPI(openapi_url=None)
    places = cycle(range(PARTITIONS))
    headers = list(record.headers)

    @app.post("/api/v1/generate")
    async def generate(ask: Ask) -> Response:
        place = next(places)
        await producer.send_and_wait(record.topic, record.value, key=record.key, partition=place, headers=headers)
        return Response(accepted, 202, media_type="application/json")

    @app.get("/api/v1/status/{job_id}")
    async def status(job_id: UUID) -> Response:
        if await pool.fetchrow("SELECT * FROM jobs WHERE job_id = $1", job_id) is None:
            raise HTTPException(404)
        return Response(shown, media_type="application/json")

    @app.post("/alone/api/v1/generate")
    async def parse(ask: Ask) -> Response:
        return Response(accepted, 202, media_type="application/json")

    @app.get("/alone/api/v1/status/{job_id}")
    async def answer(job_id: UUID) -> Response:
        return Response(shown, media_type="application/json")

    return app


async def serve(port: int, folder: Path) -> None:
    """Serve until the process is ended."""
    said = JobRequested.say(UUID(int=8 << 76), "dev", datetime.now(UTC), **ASK)
    access = KafkaSettings.model_validate(os.environ)
    async with AsyncExitStack() as opened:
        producer = await opened.enter_async_context(
            AIOKafkaProducer(**access.kafka_client_options(), acks="all", enable_idempotence=False, linger_ms=0)
        )
        pool = await opened.enter_async_context(
            asyncpg.create_pool(
                os.environ["GATEWAY_DATABASE_URL"], min_size=CONNECTIONS, max_size=CONNECTIONS,
                server_settings={"search_path": "ledger_v1", "jit": "off"}, reset=_keep,
            )
        )  # fmt: skip
        record = encode(said, source="gateway")
        app = build(producer, pool, record, (folder / ACCEPTED).read_bytes(), (folder / SHOWN).read_bytes())
        as_a_service_collects()
        config = uvicorn.Config(
            app, host=HOST, port=port, log_config=None, access_log=False, server_header=False, lifespan="off"
        )
        await uvicorn.Server(config).serve()


async def _keep(_: object) -> None:
    """Without the round trip that asyncpg makes when a connection goes back: the gateway makes none either."""


@asynccontextmanager
async def bare_gateway(folder: Path, environ: dict[str, str]) -> AsyncIterator[tuple[int, int]]:
    """Its process and port, until the end. Its log lies in `folder`/bare."""
    home, port = folder / NAME, claim(NAME)
    make_home(home)

    async def ready() -> bool:
        answer = await exchange(port, b"GET /none HTTP/1.1\r\nHost: bare\r\nConnection: close\r\n\r\n")
        return answer.startswith(b"HTTP/1.1 404")

    argv = (sys.executable, "-m", "bench.bare_gateway", str(port), str(folder))
    part = Part(name=NAME, argv=argv, env=environ, port=port, url=f"http://{HOST}:{port}", ready=ready)
    supervisor = Supervisor(home, say)
    try:
        await supervisor.start(part, 0)
        yield supervisor.keeper(NAME).describe().pid or 0, port
    finally:
        await supervisor.stop()


if __name__ == "__main__":
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
