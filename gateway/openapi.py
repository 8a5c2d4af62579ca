"""What the OpenAPI document says beside what the routes say of themselves. Pure but for its installation."""

from copy import deepcopy
from functools import cache
from typing import Any, TypeAlias

from fastapi import FastAPI

from gateway.examples import EXAMPLES, refusal
from gateway.problems import PROBLEM_JSON, problem_content

Part: TypeAlias = dict[str, Any]

DESCRIPTION = """Turns a request for pictures, sound or video into files in your own bucket.

Send a job to `/api/v1/generate`, then look at `/api/v1/status/{job_id}` until it says `done`. A 202 means that the job
is kept: it will reach a final status, never be lost, and never be paid for twice.

Whatever goes wrong is `application/problem+json` (RFC 9457) with a stable `type`; docs/problems.md lists them all.
Beside the statuses that an operation lists, any call may get 400, 408, 414 or 431 for what is no HTTP request, comes
too slowly, or has an endless URL or endless headers, 404 for an unknown path, and 405 for a method that the path does
not know. Names in an answer that you do not know are new: ignore them."""

TAGS = {
    "jobs": "Make media, and see what becomes of them.",
    "models": "What can be asked for, and how.",
    "service": "Who answers here, and what it says elsewhere.",
    "operations": "For those who run the service: a key needs the scope `operate`.",
}

HEADERS: dict[str, Part] = {
    "X-Request-Id": {
        "description": "Names this request in our logs. One that you send is kept when it is 1 to 128 letters, digits "
        "and `._:-`.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,128}$"},
        "example": "8f2f9c1e-5f0e-4a3d-9a53-0a8f1f2f7c11",
    },
    "Location": {
        "description": "Where to look next: the job's status, or a link to the file that works for an hour.",
        "schema": {"type": "string", "format": "uri-reference"},
        "example": "/api/v1/status/6009d616-4b74-86cf-88d8-7186de4a1853",
    },
    "Idempotency-Key": {
        "description": "The key that names the job: yours, or one that was made. The same call under it is one job.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
        "example": "order-4711",
    },
    "ETag": {
        "description": "Changes whenever the answer does. Send it as `If-None-Match` to hear of changes alone.",
        "schema": {"type": "string", "pattern": '^(W/)?"[^"]+"$'},
        "example": '"0f1e2d3c4b5a69788796a5b4c3d2e1f0"',
    },
    "Retry-After": {
        "description": "Seconds to wait before the same is tried again.",
        "schema": {"type": "integer", "minimum": 1},
        "example": 5,
    },
    "WWW-Authenticate": {
        "description": "How to say who you are.",
        "schema": {"type": "string"},
        "example": "Bearer",
    },
    "RateLimit": {
        "description": "How many requests are left of the allowance (`r`), and when there are more (`t`, seconds).",
        "schema": {"type": "string"},
        "example": '"requests";r=598;t=1',
    },
    "RateLimit-Policy": {
        "description": "The allowance: how many requests (`q`) in how many seconds (`w`).",
        "schema": {"type": "string"},
        "example": '"requests";q=600;w=60',
    },
}

WITH_STATUS = {"401": ("WWW-Authenticate",), "429": ("Retry-After",), "503": ("Retry-After",)}
"""Headers of every refusal of this status that is a problem."""
WITH_ANSWER = {
    ("/api/v1/generate", "202"): ("Location", "Idempotency-Key"),
    ("/api/v1/generate", "503"): ("Idempotency-Key",),
    ("/api/v1/status/{job_id}", "200"): ("ETag",),
    ("/api/v1/status/{job_id}", "304"): ("ETag",),
    ("/api/v1/models", "200"): ("ETag",),
    ("/api/v1/models", "304"): ("ETag",),
    ("/api/v1/models/{name}", "200"): ("ETag",),
    ("/api/v1/models/{name}", "304"): ("ETag",),
    ("/api/v1/jobs/{job_id}/outputs/{index}/content", "302"): ("Location",),
}
"""Headers of one route's answers."""
REASONS = {
    "401": "No key, or none that is good.",
    "403": "The key is good, but not for this.",
    "404": "There is none, or it is not yours.",
    "409": "Not as things stand.",
    "410": "It was there, and was removed.",
    "413": "The body is too large.",
    "415": "The body is not JSON.",
    "422": "Something in it cannot be meant: `errors` names each field.",
    "429": "Too much at present.",
    "500": "A bug of ours: the `request_id` names it.",
    "503": "Something that is needed does not answer. Try the same again.",
}

FRAMEWORKS_OWN = ("HTTPValidationError", "ValidationError")
"""FastAPI's forms of what is wrong with a request. We answer with problems."""
UNSAID = "Successful Response"
"""What FastAPI says where nobody says anything."""


def describe(app: FastAPI) -> None:
    """Let `app.openapi()`, and so `/openapi.json`, be the whole document. The routes must all be there."""
    routes_alone = app.openapi

    @cache
    def openapi() -> Part:
        return completed(routes_alone())

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way to extend the document


def completed(document: Part) -> Part:
    """FastAPI's document with what only we know: our words, our problems instead of its own, and headers."""
    document = deepcopy(document)
    schemas = {name: it for name, it in document["components"]["schemas"].items() if name not in FRAMEWORKS_OWN}
    operations = [(path, each) for path, methods in document["paths"].items() for each in methods.values()]
    for path, operation in operations:
        _complete(path, operation, schemas)
    for name, schema in schemas.items():
        schema |= {"examples": [EXAMPLES[name]]} if name in EXAMPLES else {}
    tags = {tag for _, operation in operations for tag in operation["tags"]}
    document["components"] |= {
        "schemas": schemas,
        "headers": {name: header for name, header in HEADERS.items() if f"headers/{name}'" in str(operations)},
    }
    document["info"]["description"] = DESCRIPTION
    return document | {"tags": [{"name": name, "description": TAGS[name]} for name in TAGS if name in tags]}


def _complete(path: str, operation: Part, schemas: Part) -> None:
    for parameter in operation.get("parameters", ()):
        parameter["schema"] = _of_text(parameter["schema"])
    for body in operation.get("requestBody", {}).get("content", {}).values():
        body["schema"] = _named(body["schema"], schemas)
    answers: Part = operation["responses"]
    if "HTTPValidationError" in str(answers.get("422")):
        del answers["422"]  # a guess of the framework's: a route that can answer so says so itself
    answers["500"] = {"content": {PROBLEM_JSON: {}}, "description": ""}
    of_all = ("X-Request-Id", *(("RateLimit", "RateLimit-Policy") if "429" in answers else ()))
    for status, answer in answers.items():
        names = [*of_all, *WITH_ANSWER.get((path, status), ())]
        answer["description"] = _what(answer, schemas)
        if PROBLEM_JSON in answer.get("content", {}):
            answer |= {"content": _refusal(status), "description": REASONS[status]}
            names += WITH_STATUS.get(status, ())
        references = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
        answer["headers"] = references | answer.get("headers", {})
    operation["responses"] = dict(sorted(answers.items()))


def _refusal(status: str) -> Part:
    content = problem_content()
    content[PROBLEM_JSON]["example"] = refusal(status)
    return content


def _of_text(schema: Part) -> Part:
    """A parameter's schema without null, which nobody can write into a URL or a header."""
    meant = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    rest = {word: said for word, said in schema.items() if word not in ("anyOf", "description", "title")}
    return rest | meant[0] if len(meant) == 1 else rest | {"anyOf": meant} if meant else rest


def _what(answer: Part, schemas: Part) -> str:
    """What an answer is: in its own words, or in those of the object that it brings."""
    schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
    meant = schemas.get(schema.get("$ref", "").rpartition("/")[2], {})
    words: str = answer["description"] if answer["description"] != UNSAID else meant.get("description", UNSAID)
    return words


def _named(schema: Part, schemas: Part) -> Part:
    """A reference to a schema, which from now on stands among the others."""
    if "title" not in schema:
        return schema
    schemas |= schema.pop("$defs", {})
    schemas[schema["title"]] = schema
    return {"$ref": f"#/components/schemas/{schema['title']}"}
