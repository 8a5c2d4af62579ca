"""Where the generator is made and joined."""

from contextlib import AsyncExitStack
from typing import NoReturn

from generator_service.calls import REPEATABLE
from generator_service.claim import Claim
from generator_service.gates import providers_at_work
from generator_service.handlers import TOPICS, Handlers
from generator_service.media import media_routes
from generator_service.providers import open_providers, provider_of
from generator_service.renewer import Renewer
from generator_service.settings import Settings
from generator_service.shares import Shares
from generator_service.store import Store
from generator_service.sweeping import Stopper, Sweeper
from generator_service.tables import SCHEMA
from generator_service.worker import Worker
from schemas.callbacks import Doorbell, live_keys
from schemas.clock import utc_now
from stage.app import Stage
from stage.service import run_to_end
from stage.settings import load
from stage.work import Beats, Workers

NAME = "generator"


def main() -> NoReturn:
    """Run until SIGTERM. Exit code 0 after a clean stop, 1 after a fault, 2 for wrong settings."""
    run_to_end(run(load(Settings, NAME)))


async def run(settings: Settings) -> int:
    """Hear requests, make generations, say what came of them."""
    async with AsyncExitStack() as stack:
        stage = await stack.enter_async_context(Stage.open(NAME, SCHEMA, settings, settings.database_url))
        busy = await providers_at_work(stage.pool)
        providers = await stack.enter_async_context(open_providers(settings, busy))
        limits = {name: settings.limits(name) for name in providers}
        store = Store(stage.pool, NAME, stage.instance, limits, settings.caps)
        await store.take_back([n for n, provider in providers.items() if REPEATABLE & provider.capabilities], utc_now())
        lease, bell = settings.call_timeout, doorbells(settings)

        def worker(store: Store) -> Worker:
            return Worker(store, providers, settings.policy, lease, utc_now, bell)

        def said() -> None:
            stage.relay.wake()
            if settings.tenant_in_flight:
                shares.make()  # a call that ended makes room for the next one of its tenant

        shares = Shares(store, providers, worker, said)
        renewer, stopper = Renewer(stage.pool, providers, NAME, utc_now), Stopper(stage.pool, providers, utc_now)
        renewers = Workers(Beats("renewals", renewer.claim, renewer.ask, renewer.record, said), slots=8)
        stoppers = Workers(Beats("duplicates", stopper.claim, stopper.stop, stopper.record, said), slots=8)
        handlers = Handlers(store, lambda model: provider_of(model, settings), settings.models, utc_now)
        sweeper = Sweeper(store, stage.pool, handlers.hear_early, utc_now)

        def wake_all() -> None:
            shares.wake()
            sweeper.wake()
            renewers.wake()

        return await stage.serve(
            topics=TOPICS, handle=handlers.hear, heard=wake_all,
            loops=[*shares.loops, renewers.run, stoppers.run, sweeper.run],
            routes=media_routes(store), port=settings.port,
        )  # fmt: skip


def doorbells(settings: Settings) -> "DoorbellUrl":
    """How a claim's callback URL is made."""
    keys = live_keys(settings.callback_keys.get_secret_value())
    return DoorbellUrl(settings.callback_base_url.rstrip("/"), *next(iter(keys.items()), ("", "")))


class DoorbellUrl:
    """Names the URL at which a provider may call back about a claim; None when nobody could hear it."""

    def __init__(self, base_url: str, kid: str, secret: str) -> None:
        self._base_url, self._kid, self._secret = base_url, kid, secret

    def __call__(self, claim: Claim) -> str | None:
        """The URL for this attempt."""
        if not (self._base_url and self._kid):
            return None
        bell = Doorbell(claim.provider, claim.job_id, claim.call.generation_id, claim.call.attempt)
        return self._base_url + bell.path(self._kid, self._secret)
