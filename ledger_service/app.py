"""Where the ledger is made and joined."""

from contextlib import AsyncExitStack
from typing import NoReturn

from ledger_service.emptied import refuse_to_begin_again
from ledger_service.handlers import TOPICS, on_facts
from ledger_service.removal import Remover
from ledger_service.settings import Settings, ages
from ledger_service.tables import SCHEMA
from schemas.clock import utc_now
from stage.app import Stage
from stage.service import run_to_end
from stage.settings import load

NAME = "ledger"
LANES = 2  # PostgreSQL writes one while Python folds the other, which takes twice as long: a third would only wait


def main() -> NoReturn:
    """Run until SIGTERM. Exit code 0 after a clean stop, 1 after a fault, 2 for wrong settings."""
    run_to_end(run(load(Settings, NAME)))


async def run(settings: Settings) -> int:
    """Hear every fact, keep the projections, announce what is over, and say what is old enough to be removed."""
    async with AsyncExitStack() as stack:
        stage = await stack.enter_async_context(Stage.open(NAME, SCHEMA, settings, settings.database_url))
        await refuse_to_begin_again(stage.pool, stage.ends)
        kept = ages(settings.remove_after)
        loops = [Remover(stage.pool, kept, utc_now, said=stage.relay.wake).run] if kept else []
        return await stage.serve(
            topics=TOPICS, handle=on_facts, heard=lambda: None, loops=loops, port=settings.port, lanes=LANES
        )
