"""How people give a span of time to a command."""

from datetime import timedelta

import click

from stage.spans import span_in


class Span(click.ParamType[timedelta]):
    """How long, or how long ago: such as 90m, 24h or 7d."""

    name = "span"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """The span of time that is meant."""
        if isinstance(value, timedelta):
            return value
        span = span_in(str(value))
        if not span:
            self.fail(f"{value!r} is not a time such as 90m, 24h or 7d", param, ctx)
        return span
