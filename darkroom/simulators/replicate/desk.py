"""What every call goes through: the token, the rate limit, the faults of answers."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from darkroom.simulators.answers import CutShort, problem, wait_for_client
from darkroom.simulators.clock import SimulatedClock
from darkroom.simulators.faults import Subject
from darkroom.simulators.replicate.create import NOT_FOUND, invalid
from darkroom.simulators.replicate.faults.answers import (
    AnswerFault,
    Delay,
    DropAnswer,
    GatewayError,
    Refuse,
    Throttle,
)
from darkroom.simulators.replicate.limits import Limit, headers, take, throttled
from darkroom.simulators.replicate.validate import InvalidField
from darkroom.simulators.replicate.world import World

F = TypeVar("F", bound=AnswerFault)
Act = Callable[[], Awaitable[Response]]
Refusal = Callable[[Sequence[AnswerFault]], Response | None]

UNAUTHENTICATED = "You did not pass a valid authentication token"
NO_CREDIT = "You have insufficient credit to run this model."  # the real words are not known
LOW_CREDIT = Limit(6, 1)


class Desk:
    """Answers calls, in the order in which the real thing looks at them: token, limit, then what was asked."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def answer(self, request: Request, subject: Subject, faults: list[AnswerFault], act: Act) -> Response:
        """Do `act` and give its answer, unless something is in the way before or goes wrong after."""
        if not self._knows(request.headers):
            return self._unauthenticated()
        told, throttle = self._limit(request, subject.call)
        if throttle:
            return throttle
        answer = await answered(request, self._world.clock, faults, self._refusal, act)
        if answer.status_code not in (401, 429):
            answer.headers.update(told)
        return answer

    def strike(self, subject: Subject) -> list[AnswerFault]:
        """The faults of this answer."""
        return self._world.plan.strike(subject, AnswerFault)

    def _knows(self, told: Mapping[str, str]) -> bool:
        scheme, _, token = told.get("authorization", "").partition(" ")
        return scheme in ("Bearer", "Token") and bool(token) and self._world.settings.token in (None, token)

    def _limit(self, request: Request, call: str) -> tuple[dict[str, str], Response | None]:
        """The headers about the limit, and the 429 when it is used up."""
        settings, limits = self._world.settings, self._world.buckets
        per_minute = {"create": settings.creates_per_minute, "get": settings.gets_per_minute}
        each = per_minute.get(call, settings.others_per_minute)
        low = settings.low_credit and call == "create"
        limit = LOW_CREDIT if low else Limit(each, each)
        key = (request.headers["authorization"], call if call in per_minute else "other")
        leave, limits[key] = take(limit, limits.get(key), self._world.clock.now().timestamp())
        if leave.granted:
            return headers(leave), None
        body = throttled(leave.wait, "low_credit" if low else "plain")
        return {}, JSONResponse(body, 429, headers(leave) | {"retry-after": str(leave.wait)})

    def _refusal(self, faults: Sequence[AnswerFault]) -> Response | None:
        for fault in faults:
            if isinstance(fault, Throttle):
                left = (
                    {} if fault.body == "bare" else {"ratelimit-remaining": "0", "ratelimit-reset": str(fault.seconds)}
                )
                after = {"retry-after": str(fault.seconds)} if fault.header else {}
                return JSONResponse(throttled(fault.seconds, fault.body), 429, left | after)
            if isinstance(fault, Refuse):
                return self._refused(fault)
        return None

    def _refused(self, fault: Refuse) -> Response:
        match fault.status:
            case 401:
                return self._unauthenticated()
            case 402:
                return problem(402, fault.detail or NO_CREDIT, "Insufficient credit")
            case 404:
                return problem(404, fault.detail or NOT_FOUND)
            case _:
                field = InvalidField("invalid_type", "input.prompt", fault.detail or "Invalid type. Expected: string")
                return invalid([field]).answer

    def _unauthenticated(self) -> Response:
        body = {"title": "Unauthenticated", "detail": UNAUTHENTICATED, "status": 401}
        return JSONResponse(body, 401, media_type="application/problem+json")


async def answered(
    request: Request, clock: SimulatedClock, faults: Sequence[AnswerFault], refuse: Refusal, act: Act
) -> Response:
    """The answer of `act`, late, lost or replaced as the faults ask for; what `refuse` finds comes before it."""
    delay, gateway = _first(faults, Delay), _first(faults, GatewayError)
    if delay and delay.accept == "late":
        await clock.sleep(delay.seconds)
    if delay and delay.accept == "after" and not await _wait(request, clock, delay):
        return CutShort(Response())
    if refusal := refuse(faults):
        return refusal
    if gateway and not gateway.accepted:
        return _from_between(gateway)
    answer = await act()
    if delay and delay.accept == "before":
        await _wait(request, clock, delay)
    if gateway:
        return _from_between(gateway)
    drop = _first(faults, DropAnswer)
    return CutShort(answer, drop.sent) if drop else answer


async def _wait(request: Request, clock: SimulatedClock, delay: Delay) -> bool:
    return await wait_for_client(request, clock, clock.now() + timedelta(seconds=delay.seconds))


def _first(faults: Sequence[AnswerFault], kind: type[F]) -> F | None:
    return next((fault for fault in faults if isinstance(fault, kind)), None)


def _from_between(fault: GatewayError) -> Response:
    """As proxies answer: no JSON."""
    page = f"<html><body><h1>{fault.status} Server Error</h1></body></html>"
    return Response(page, fault.status, media_type="text/html")
