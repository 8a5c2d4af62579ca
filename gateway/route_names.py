"""What a request is called where nobody may learn what was asked: in logs and metrics."""

from starlette.types import Scope

OTHER = "other"


def route_of(scope: Scope) -> str:
    """The template of the request's route, such as `/api/v1/status/{job_id}`; `other` for none of the API's."""
    return getattr(scope.get("route"), "path", OTHER)
