"""Where the ledger is made and joined."""

import asyncio
from contextlib import AsyncExitStack

from ledger_service.handlers import TOPICS, on_facts
from ledger_service.settings import Settings
from ledger_service.tables import SCHEMA
from stage.app import Stage
from stage.settings import load

NAME = "ledger"


def main() -> None:
    """Run until SIGTERM. Exit code 0 after a clean stop, 1 after a fault, 2 for wrong settings."""
    raise SystemExit(asyncio.run(run(load(Settings, NAME))))


async def run(settings: Settings) -> int:
    """Hear every fact, keep the projections, announce what is over."""
    async with AsyncExitStack() as stack:
        stage = await stack.enter_async_context(Stage.open(NAME, SCHEMA, settings, settings.database_url))
        return await stage.serve(topics=TOPICS, handle=on_facts, heard=lambda: None, loops=[], port=settings.port)
