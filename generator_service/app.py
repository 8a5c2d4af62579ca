"""Where the generator is made and joined."""

from contextlib import AsyncExitStack
from typing import NoReturn

from generator_service.calls import Capability
from generator_service.handlers import TOPICS, Handlers
from generator_service.media import media_routes
from generator_service.providers import PROVIDERS
from generator_service.settings import Settings
from generator_service.store import Store
from generator_service.tables import SCHEMA
from generator_service.worker import Worker
from schemas.clock import utc_now
from stage.app import Stage
from stage.service import run_to_end
from stage.settings import load, refuse
from stage.work import Beats, Workers

NAME = "generator"


def main() -> NoReturn:
    """Run until SIGTERM. Exit code 0 after a clean stop, 1 after a fault, 2 for wrong settings."""
    settings = load(Settings, NAME)
    if settings.media_generator_provider not in PROVIDERS:
        known = ", ".join(PROVIDERS)
        refuse(NAME, "MEDIA_GENERATOR_PROVIDER", f"{settings.media_generator_provider!r} is not known; known: {known}")
    run_to_end(run(settings))


async def run(settings: Settings) -> int:
    """Hear requests, make generations, say what came of them."""
    async with AsyncExitStack() as stack:
        stage = await stack.enter_async_context(Stage.open(NAME, SCHEMA, settings, settings.database_url))
        store = Store(stage.pool, NAME, stage.instance)
        providers = {name: make(settings) for name, make in PROVIDERS.items()}
        repeatable = [name for name, provider in providers.items() if Capability.CLIENT_ID in provider.capabilities]
        await store.take_back(repeatable, utc_now())
        worker = Worker(store, providers, settings, utc_now)
        workers = Workers(Beats("generations", worker.claim, worker.work, worker.record, stage.relay.wake))
        handlers = Handlers(store, settings.media_generator_provider, utc_now)
        return await stage.serve(
            topics=TOPICS, handle=handlers.on_job_requested, heard=workers.wake,
            loops=[workers.run], routes=media_routes(store), port=settings.port,
        )  # fmt: skip
