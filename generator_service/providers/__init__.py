"""The providers, by the name that `MEDIA_GENERATOR_PROVIDER`, the routes and the model catalogue use.

To add one: a file with a class that keeps `protocol.Provider`, and a line in `PROVIDERS`.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from fnmatch import fnmatchcase

from generator_service.providers.cog import cog_provider
from generator_service.providers.fake import fake_provider
from generator_service.providers.protocol import Provider
from generator_service.providers.replicate import replicate_provider
from generator_service.settings import Settings
from schemas.catalogue import catalogue
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
    for pattern, provider in settings.routes:
        if fnmatchcase(model, pattern):
            return provider
    card = catalogue().get(model)
    return card.provider if card else settings.media_generator_provider


@asynccontextmanager
async def open_providers(settings: Settings, busy: Mapping[str, int]) -> AsyncIterator[Mapping[str, Provider]]:
    """The providers that the settings lead to, the fake, and those that still have calls under way.

    One that the settings lead to and that is not known or not set up ends the process, exit code 2. Of the `busy` ones
    (calls by name) such a one is left out and said: its calls wait until somebody sets it up again.
    """
    wanted = {settings.media_generator_provider, *(provider for _, provider in settings.routes)}
    for name in sorted(wanted - PROVIDERS.keys()):
        setting = "MEDIA_GENERATOR_PROVIDER" if name == settings.media_generator_provider else "GENERATOR_ROUTES"
        refuse("generator", setting, f"{name!r} is not known; known: {', '.join(PROVIDERS)}")
    async with AsyncExitStack() as stack:
        opened = {n: await stack.enter_async_context(PROVIDERS[n](settings)) for n in sorted(wanted | {"fake"})}
        for name, calls in busy.items():
            if name in opened:
                continue
            try:
                opened[name] = await stack.enter_async_context(PROVIDERS[name](settings))
            except (KeyError, SystemExit):  # not known any more, or not set up: no reason to stop everything else
                log.error("calls wait for a provider that is not set up", provider=name, calls=calls)
        yield opened
