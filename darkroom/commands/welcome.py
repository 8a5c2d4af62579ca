"""What people see when the stack is up: where everything is, and a call to paste. Pure."""

import json
from collections.abc import Mapping

EXAMPLE = {"model": "fake/painter", "prompt": "A futuristic city at sunset", "num_outputs": 2, "seed": 12345}
NAMES = {"gateway": "API", "s3": "S3", "kafka": "Kafka", "postgres": "PostgreSQL"}


def welcome(urls: Mapping[str, str], home: str, took: float, *, keys: bool) -> str:
    """The lines to print, from the URL of every part that runs, and whether the API wants `keys`."""
    places = [(shown, urls[name]) for name, shown in NAMES.items() if name in urls]
    return "\n".join(
        [
            "",
            f"Darkroom is up, after {took:.1f} s.",
            "",
            *(f"  {name:<12}{place}" for name, place in places),
            f"  {'logs':<12}{home}/logs, or `darkroom logs NAME -f`",
            "",
            *(_call(urls["gateway"], keys) if "gateway" in urls else ()),
            f"Ctrl-C stops everything. The data stays in {home}.",
            "",
        ]
    )


def _call(api: str, keys: bool) -> list[str]:
    return [
        *(["It wants a key, in place of KEY below: `darkroom keys create -h`.", ""] if keys else ()),
        f"Ask it for two pictures (everything it can do: {api}/docs):",
        "",
        f'  curl -X POST {api}/api/v1/generate -H "Content-Type: application/json" \\',
        *(['    -H "Authorization: Bearer KEY" \\'] if keys else ()),
        f"    -d '{json.dumps(EXAMPLE)}'",
        "",
    ]
