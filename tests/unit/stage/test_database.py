"""Nobody waits for an answer longer than they said, whatever becomes of the question."""

import asyncio

import pytest

from stage.database import within


class Question:
    """Answered when a test says so. Once cancelled it goes on all the same, as a query does until PostgreSQL agrees."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.cancelled = asyncio.Event()
        self.over = asyncio.Event()

    async def ask(self) -> str:
        try:
            return await asyncio.shield(self.answer)
        except asyncio.CancelledError:
            self.cancelled.set()
            return await self.answer
        finally:
            self.over.set()


async def test_an_answer_in_time_is_given() -> None:
    question = Question()
    question.answer.set_result("yes")

    assert await within(5, question.ask()) == "yes"


async def test_a_fault_in_time_escapes() -> None:
    question = Question()
    question.answer.set_exception(ConnectionRefusedError())

    with pytest.raises(ConnectionRefusedError):
        await within(5, question.ask())


async def test_nobody_waits_for_a_question_that_does_not_end_when_it_is_cancelled() -> None:
    question = Question()
    asking = asyncio.create_task(within(0.05, question.ask()))

    await asyncio.wait((asking,), timeout=2)

    assert asking.done()
    assert isinstance(asking.exception(), TimeoutError)
    await asyncio.wait_for(question.cancelled.wait(), 2)
    assert not question.over.is_set()
    question.answer.set_result("too late")
    await asyncio.wait_for(question.over.wait(), 2)


async def test_a_fault_that_comes_too_late_is_nobodys(caplog: pytest.LogCaptureFixture) -> None:
    question = Question()
    with pytest.raises(TimeoutError):
        await within(0.01, question.ask())
    await asyncio.wait_for(question.cancelled.wait(), 2)

    question.answer.set_exception(ConnectionResetError())
    await asyncio.wait_for(question.over.wait(), 2)
    await asyncio.sleep(0)

    assert caplog.records == []


async def test_who_stops_waiting_takes_the_question_back() -> None:
    question = Question()
    asking = asyncio.create_task(within(5, question.ask()))
    await asyncio.sleep(0.01)

    asking.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(asking, 2)
    await asyncio.wait_for(question.cancelled.wait(), 2)
    question.answer.set_result("too late")
    await asyncio.wait_for(question.over.wait(), 2)
