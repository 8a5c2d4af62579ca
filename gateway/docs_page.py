"""`/docs`: the HTTP API as a page to read and to try. It loads nothing from elsewhere."""

from fastapi import APIRouter
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse

from gateway.content_policy import policy_for

STATIC = "static-offline-docs"
"""Where the application serves Swagger UI's own files. Relative, as all links of the page: a prefix changes nothing."""


def docs_page(title: str) -> APIRouter:
    """The page, made once."""
    page = get_swagger_ui_html(
        openapi_url="openapi.json",
        title=title,
        swagger_js_url=f"{STATIC}/swagger-ui-bundle.js",
        swagger_css_url=f"{STATIC}/swagger-ui.css",
        swagger_favicon_url=f"{STATIC}/favicon.png",
        swagger_ui_parameters={"validatorUrl": None, "docExpansion": "list", "defaultModelsExpandDepth": 0},
    )
    html = bytes(page.body).decode()
    headers = {"Content-Security-Policy": policy_for(html)}
    router = APIRouter(include_in_schema=False)

    @router.get("/docs", response_class=HTMLResponse)
    async def docs() -> HTMLResponse:
        return HTMLResponse(html, headers=headers)

    return router
