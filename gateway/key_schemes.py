"""How the API's description says where a key goes."""

from typing import Any

from fastapi import FastAPI

WANT_KEYS = ("/api/", "/metrics")
"""Below these every route wants a key."""
SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "`Authorization: Bearer <key>`, as `darkroom keys "
               "create` printed it. Not needed where the gateway runs with `GATEWAY_AUTH=open`."},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same key in a header of its "
               "own."},
}  # fmt: skip
EITHER: list[dict[str, list[str]]] = [{name: []} for name in SCHEMES]


def describe_keys(app: FastAPI) -> None:
    """Name both ways to bring a key, on every route of the API."""
    plain = app.openapi

    def described() -> dict[str, Any]:
        document = plain()  # kept by FastAPI: to name them again changes nothing
        document.setdefault("components", {})["securitySchemes"] = SCHEMES
        for path, operations in document["paths"].items():
            if path.startswith(WANT_KEYS):
                for operation in operations.values():
                    operation["security"] = EITHER
        return document

    app.openapi = described  # type: ignore[method-assign]  # as FastAPI's documentation does it
