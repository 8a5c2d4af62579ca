"""Headers that keep a browser from doing more with our answers than showing them."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    # JSON needs nothing, and nobody's page may show ours inside itself. Pages of ours bring a policy of their own.
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
NO_STORE = (b"cache-control", b"no-store")


class SafeHeaders:
    """Adds them to every answer that does not bring its own, errors included.

    What has neither Cache-Control nor ETag is kept by nobody. Strict-Transport-Security is said for `hsts_seconds`, and
    not at all for 0: TLS ends before us, so only who runs the service knows whether there is any.
    """

    def __init__(self, app: ASGIApp, hsts_seconds: int) -> None:
        self._app = app
        hsts = (b"strict-transport-security", b"max-age=%d" % hsts_seconds)
        self._always = (*ALWAYS, hsts) if hsts_seconds else ALWAYS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message["headers"]
                there = {name for name, _ in headers}
                headers.extend(header for header in self._always if header[0] not in there)
                if b"cache-control" not in there and b"etag" not in there:
                    headers.append(NO_STORE)
            await send(message)

        await self._app(scope, receive, answer)
