"""The providers, by the name that `MEDIA_GENERATOR_PROVIDER`, the routes and the model catalogue use.

To add one: a file with a class that keeps `protocol.Provider`, and a line in `PROVIDERS`.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

from generator_service.providers.cog import cog_provider
from generator_service.providers.fake import fake_provider
from generator_service.providers.protocol import Provider
from generator_service.providers.replicate import replicate_provider
from generator_service.settings import Settings
from schemas.catalogue import maker_of
from stage.settings import refuse
from stage.telemetry import get_logger

log = get_logger(__name__)

PROVIDERS: Mapping[str, Callable[[Settings], AbstractAsyncContextManager[Provider]]] = {
    "fake": fake_provider,
    "replicate": replicate_provider,
    "cog": cog_provider,
}


def provider_of(model: str, settings: Settings) -> str:
    """Who makes `model`: the first route that fits, else what the catalogue says, else the default provider."""
    return maker_of(model, settings.routes, settings.media_generator_provider, settings.models)


@asynccontextmanager
async def open_providers(settings: Settings, busy: Mapping[str, int]) -> AsyncIterator[Mapping[str, Provider]]:
    """The providers that the settings and the model catalogue lead to, the fake, and those that still have calls under
    way.

    One that the settings speak of and that is not known, or that they lead to and that is not set up, ends the process,
    exit code 2. Of the `busy` ones (calls by name) such a one is left out and said: its calls wait until somebody sets
    it up again.
    """
    leads = {provider_of(model, settings): "MODELS_DIRECTORY" for model in settings.models}
    leads |= {provider: "GENERATOR_ROUTES" for _, provider in settings.routes}
    leads[settings.media_generator_provider] = "MEDIA_GENERATOR_PROVIDER"
    named = settings.spoken_of | leads
    for name in sorted(named.keys() - PROVIDERS.keys()):
        refuse("generator", named[name], f"{name!r} is not known; known: {', '.join(PROVIDERS)}")
    async with AsyncExitStack() as stack:
        opened = {n: await stack.enter_async_context(PROVIDERS[n](settings)) for n in sorted(leads.keys() | {"fake"})}
        for name, calls in busy.items():
            if name in opened:
                continue
            try:
                opened[name] = await stack.enter_async_context(PROVIDERS[name](settings))
            except (KeyError, SystemExit):  # not known any more, or not set up: no reason to stop everything else
                log.error("calls wait for a provider that is not set up", provider=name, calls=calls)
        yield opened
