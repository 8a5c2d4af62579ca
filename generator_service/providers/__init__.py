"""The providers, by the name that `MEDIA_GENERATOR_PROVIDER` and the model catalogue use.

To add one: a file with a class that keeps `protocol.Provider`, and a line here.
"""

from collections.abc import Callable, Mapping

from generator_service.providers.fake import FakeProvider
from generator_service.providers.protocol import Provider
from generator_service.settings import Settings

PROVIDERS: Mapping[str, Callable[[Settings], Provider]] = {
    "fake": lambda settings: FakeProvider(settings.reached_at, settings.fake_latency),
}
