"""When a request may leave, and what is known of one that came to nothing."""

import httpx
import pytest

from generator_service.boot_time import boot_time
from generator_service.providers.transport import AnswerLost, NeverSent, OneShot, Refused, Trip

HEADERS, BODY = "http11.send_request_headers.started", "http11.send_request_body.started"


class Line(httpx.AsyncBaseTransport):
    """Goes as far as it is told, then breaks or answers."""

    def __init__(self, steps: tuple[str, ...], end: Exception | httpx.Response) -> None:
        self.steps, self.end, self.timeouts = steps, end, list[object]()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.timeouts.append(request.extensions["timeout"])
        for step in self.steps:
            await request.extensions["trace"](step, {})
        if isinstance(self.end, Exception):
            raise self.end
        return self.end


async def send(line: Line) -> httpx.Response:
    async with httpx.AsyncClient(transport=OneShot(2, line), base_url="http://provider.example") as client:
        return await client.post("/", json={"prompt": "a lighthouse"}, timeout=None)


@pytest.mark.parametrize("event", [HEADERS, BODY])
async def test_nothing_leaves_once_the_claim_has_run_out(event: str) -> None:
    with pytest.raises(NeverSent):
        await Trip(send_by=boot_time()).watch(event, {})


async def test_a_claim_that_lasts_lets_everything_leave() -> None:
    trip = Trip(send_by=boot_time() + 60)
    for event in ("connection.connect_tcp.started", HEADERS, BODY):
        await trip.watch(event, {})

    assert trip.written


@pytest.mark.parametrize("steps", [(), ("connection.connect_tcp.started",), (HEADERS,)])
async def test_without_its_body_a_request_was_never_sent(steps: tuple[str, ...]) -> None:
    with pytest.raises(NeverSent):
        await send(Line(steps, httpx.ConnectError("refused")))


@pytest.mark.parametrize("fault", [httpx.ReadTimeout("slow"), httpx.WriteError("half"), ConnectionResetError()])
async def test_once_its_body_began_to_leave_the_answer_is_lost(fault: Exception) -> None:
    with pytest.raises(AnswerLost):
        await send(Line((HEADERS, BODY), fault))


async def test_a_fault_is_told_without_its_own_words() -> None:
    with pytest.raises(NeverSent) as told:
        await send(Line((), httpx.LocalProtocolError("Illegal header value b'Bearer secret'")))

    assert "secret" not in str(told.value)
    assert told.value.__suppress_context__


@pytest.mark.parametrize("status", [301, 404, 429, 503])
async def test_what_is_no_success_is_refused_with_all_that_was_said(status: int) -> None:
    with pytest.raises(Refused) as told:
        await send(Line((HEADERS, BODY), httpx.Response(status, headers={"Retry-After": "3"}, content=b"{}")))

    assert (told.value.status, told.value.headers["retry-after"], told.value.body) == (status, "3", b"{}")


async def test_every_request_has_a_timeout_whatever_its_client_says() -> None:
    line = Line((HEADERS, BODY), httpx.Response(200))

    await send(line)

    assert line.timeouts == [{"connect": 2, "read": 2, "write": 2, "pool": 2}]
