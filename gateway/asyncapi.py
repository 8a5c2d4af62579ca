"""`/asyncapi`: what there is to hear on Kafka, as a page for people and as an AsyncAPI 3 document for programs."""

import json
from importlib.resources import files

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from gateway.asyncapi_page import page
from gateway.content_policy import policy_for

DOCUMENT = {"type": "object", "required": ["asyncapi", "info", "channels", "operations", "components"]}


def contract() -> APIRouter:
    """The page and the document, read once from the committed file."""
    document = (files("schemas") / "asyncapi.json").read_text(encoding="utf-8")
    html = page(json.loads(document))
    headers = {"Content-Security-Policy": policy_for(html)}
    router = APIRouter(prefix="/asyncapi", tags=["service"])

    @router.get(
        "", response_class=HTMLResponse, summary="What there is to hear on Kafka", response_description="A page."
    )
    async def asyncapi() -> HTMLResponse:
        """Every topic with its facts, for people."""
        return HTMLResponse(html, headers=headers)

    @router.get(
        ".json", summary="The same as an AsyncAPI 3 document", response_class=Response,
        responses={200: {"description": "The document.", "content": {"application/json": {"schema": DOCUMENT}}}},
    )  # fmt: skip
    async def asyncapi_json() -> Response:
        """Every topic with its facts, for programs."""
        return Response(document, media_type="application/json")

    return router
