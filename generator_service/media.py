"""What the fake provider made, served like any provider's files."""

import asyncio

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from generator_service.providers.fake import draw, extension_of
from generator_service.store import Store

TYPES = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp", "wav": "audio/wav"}


def media_routes(store: Store) -> list[BaseRoute]:
    """`/media/{generation}/{index}.{extension}`: the bytes, drawn when asked for. 404 for anything not planned, 410 for
    what was removed.
    """

    async def media(request: Request) -> Response:
        index, _, extension = request.path_params["name"].partition(".")
        call = await store.call_of(request.path_params["generation"])
        if call is None or index not in map(str, call.outputs) or extension != extension_of(call):
            raise HTTPException(404)
        if not call.prompt:  # its data was removed, and another prompt makes another picture
            raise HTTPException(410)
        content = await asyncio.to_thread(draw, call, int(index))
        return Response(content, media_type=TYPES[extension])

    return [Route("/media/{generation:uuid}/{name}", media)]
