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
async def open_providers(settings: Settings) -> AsyncIterator[Mapping[str, Provider]]:
    """The providers that the settings lead to, and the fake. One that is not known ends the process, exit code 2."""
    wanted = {settings.media_generator_provider, *(provider for _, provider in settings.routes)}
    for name in sorted(wanted - PROVIDERS.keys()):
        setting = "MEDIA_GENERATOR_PROVIDER" if name == settings.media_generator_provider else "GENERATOR_ROUTES"
        refuse("generator", setting, f"{name!r} is not known; known: {', '.join(PROVIDERS)}")
    async with AsyncExitStack() as stack:
        yield {name: await stack.enter_async_context(PROVIDERS[name](settings)) for name in sorted(wanted | {"fake"})}
