"""The real generator, which can be told to die or stop at named points: `python -m tests.chaos.generator`."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextvars import ContextVar
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from generator_service import adoption, app
from generator_service.calls import Finished
from generator_service.handlers import Handlers
from generator_service.providers.replicate import ReplicateProvider
from generator_service.providers.transport import Trip
from generator_service.store import Store
from stage import outbox
from tests.chaos.points import ORDERS, Orders, Point

P = ParamSpec("P")
R = TypeVar("R")
Method = Callable[P, Awaitable[R]]

ON_ITS_WAY = 0.002  # seconds: bytes have left for the broker by then, and its answer has mostly not come
_creating: ContextVar[bool] = ContextVar("creating", default=False)


def after(method: Method[P, R], reached: Callable[[R], None]) -> Callable[P, Coroutine[Any, Any, R]]:
    """The method, with a point behind it."""

    @wraps(method)
    async def then(*args: P.args, **kwargs: P.kwargs) -> R:
        result = await method(*args, **kwargs)
        reached(result)
        return result

    return then


def lay_points(orders: Orders) -> None:
    """Put every point into this process, around the product's own methods."""

    def reach(point: Point, when: Callable[[Any], bool] = lambda _: True) -> Callable[[Any], None]:
        return lambda result: orders.reach(point) if when(result) else None

    def has_some(result: Any) -> bool:
        return bool(result)

    def is_over(result: Any) -> bool:
        return isinstance(result, Finished)

    for owner, name, reached in (
        (Handlers, "on_job_requested", reach(Point.PLANNED)),
        (Store, "claim_to_make", reach(Point.CLAIMED, has_some)),
        (Store, "record", reach(Point.RECORDED, has_some)),
        (adoption, "_adopt", reach(Point.ADOPTED, has_some)),
        (ReplicateProvider, "submit", reach(Point.ANSWERED)),
        (ReplicateProvider, "poll", reach(Point.FINISHED, is_over)),
        (ReplicateProvider, "find", reach(Point.FOUND)),
    ):
        setattr(owner, name, after(getattr(owner, name), reached))
    _lay_in_the_request(orders)
    _lay_in_the_relay(orders)


def _lay_in_the_request(orders: Orders) -> None:
    submit, watch = ReplicateProvider.submit, Trip.watch

    async def submitting(*args: Any) -> Any:
        token = _creating.set(True)
        try:
            return await submit(*args)
        finally:
            _creating.reset(token)

    async def watching(trip: Trip, event: str, about: Any) -> None:
        await watch(trip, event, about)
        if _creating.get() and event.endswith("send_request_body.started"):
            orders.reach(Point.SENDING)
        if _creating.get() and event.endswith("receive_response_headers.started"):
            orders.reach(Point.ASKED)

    ReplicateProvider.submit = submitting  # type: ignore[assignment,method-assign]
    Trip.watch = watching  # type: ignore[assignment,method-assign]


def _lay_in_the_relay(orders: Orders) -> None:
    publish = outbox.publish  # type: ignore[attr-defined]

    async def publishing(client: Any, records: Sequence[Any]) -> None:
        said = asyncio.ensure_future(publish(client, records))
        if records:
            await asyncio.sleep(ON_ITS_WAY)
            orders.reach(Point.SAYING)
        await said
        if records:
            orders.reach(Point.ACKNOWLEDGED)

    outbox.publish = publishing  # type: ignore[assignment,attr-defined]


if __name__ == "__main__":
    lay_points(Orders(Path(os.environ[ORDERS])))
    app.main()
