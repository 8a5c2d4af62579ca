"""`/asyncapi`: what there is to hear on Kafka, as a page for people and as an AsyncAPI 3 document for programs."""

import json
from importlib.resources import files

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from gateway.asyncapi_page import page

SAFE = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'"}
"""The page is one file: it loads and runs nothing, from here or from elsewhere."""


def contract() -> APIRouter:
    """The page and the document, read once from the committed file."""
    document = (files("schemas") / "asyncapi.json").read_text(encoding="utf-8")
    html = page(json.loads(document))
    router = APIRouter(prefix="/asyncapi", tags=["service"])

    @router.get("", response_class=HTMLResponse, summary="What there is to hear on Kafka")
    async def asyncapi() -> HTMLResponse:
        return HTMLResponse(html, headers=SAFE)

    @router.get(".json", summary="The same as an AsyncAPI 3 document")
    async def asyncapi_json() -> Response:
        return Response(document, media_type="application/json")

    return router
