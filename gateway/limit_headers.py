"""Says in answers how much of an allowance is left, in the fields of draft-ietf-httpapi-ratelimit-headers-10."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.limiter import Standing


class LimitHeaders:
    """Adds `RateLimit-Policy` and `RateLimit` to the answer of every request that was counted, refusals included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = scope.setdefault("state", {})

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start" and (standing := state.get("standing")):
                message["headers"] = [*message.get("headers", ()), *fields(standing)]
            await send(message)

        await self._app(scope, receive, answer)


def fields(standing: Standing) -> tuple[tuple[bytes, bytes], ...]:
    """The headers for a caller who stands there. `t` says in how many seconds there will be more."""
    soon = standing.retry_after or -(-60 // standing.per_minute)
    return (
        (b"ratelimit-policy", b'"requests";q=%d;w=60' % standing.per_minute),
        (b"ratelimit", b'"requests";r=%d;t=%d' % (standing.left, soon)),
    )
