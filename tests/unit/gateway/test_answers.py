"""An answer is made once for as long as the job stays the same, and never given a moment longer."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from gateway.answers import Answers
from schemas.jobs import Job, Media, OutputStatus, Phase, Status, pending_job
from tests.builders import ANOTHER_JOB, JOB, NOON, later
from tests.fakes import Links, Views, row_of
from tests.unit.gateway.http import calling

STORED = Media(index=0, status=OutputStatus.COMPLETED, phase=Phase.DONE, s3_key="jobs/0d0/x/1/0.jpg")


def a_job(**changes: Any) -> Job:
    return pending_job(
        job_id=JOB, model="m", prompt="a city", num_outputs=1, seed=None, output_format=None, input={"a": 1},
        metadata={}, deadline=None, created_at=NOON,
    ).model_copy(update=changes)  # fmt: skip


class Windows(Links):
    """Links that change when a test says so, and how many were asked for."""

    def __init__(self) -> None:
        self.opened, self.asked = NOON, 0

    def window(self) -> datetime:
        return self.opened

    def link(self, key: str) -> tuple[str, datetime]:
        self.asked += 1
        return f"https://media/{key}?{self.opened:%H%M}", self.opened


def test_a_row_that_stays_the_same_is_one_answer_and_its_links_are_asked_for_once() -> None:
    signer = Windows()
    answers = Answers(signer)

    first, second = [answers.of(row_of(a_job(media=(STORED,)))) for _ in range(2)]

    assert second is first
    assert signer.asked == 1


DIFFERENT: dict[str, Callable[[], Job]] = {
    "a status": lambda: a_job(status=Status.PROCESSING),
    "a moment": lambda: a_job(updated_at=later(1)),
    "an output": lambda: a_job(media=(STORED.model_copy(update={"size": 1}),)),
    "a removal": lambda: a_job(media=(STORED.model_copy(update={"removed": True}),)),
    "a prompt": lambda: a_job(prompt=""),
    "1 and true": lambda: a_job(input={"a": True}),
    "1 and 1.0": lambda: a_job(input={"a": 1.0}),
}


@pytest.mark.parametrize("change", DIFFERENT.values(), ids=DIFFERENT)
def test_whatever_changes_is_another_answer_and_so_is_the_way_back(change: Callable[[], Job]) -> None:
    answers, changed = Answers(Windows()), change()

    before, after, back = [answers.of(row_of(job)) for job in (a_job(), changed, a_job())]

    assert before.etag != after.etag
    assert json.loads(after.body)["input"] == changed.input
    assert back == before


def test_new_links_are_another_answer() -> None:
    signer = Windows()
    answers = Answers(signer)
    before = answers.of(row_of(a_job(media=(STORED,))))

    signer.opened = later(900)
    after = answers.of(row_of(a_job(media=(STORED,))))

    assert json.loads(after.body)["media"][0]["presigned_media_url"] == "https://media/jobs/0d0/x/1/0.jpg?1215"
    assert before.etag != after.etag


def test_an_answer_that_was_made_while_links_changed_is_made_anew() -> None:
    class Turning(Windows):
        """The quarter of an hour ends between the first look at it and the link."""

        def link(self, key: str) -> tuple[str, datetime]:
            self.opened = later(900)
            return super().link(key)

    signer = Turning()
    answers = Answers(signer)

    answers.of(row_of(a_job(media=(STORED,))))
    answers.of(row_of(a_job(media=(STORED,))))

    assert signer.asked == 2


def test_two_jobs_have_an_answer_each() -> None:
    answers = Answers(Windows())

    shown = [answers.of(row_of(a_job(job_id=job_id))).job_id for job_id in (JOB, ANOTHER_JOB, JOB)]

    assert shown == [JOB, ANOTHER_JOB, JOB]


def test_no_more_bytes_are_kept_than_there_may_be() -> None:
    size = len(Answers(Windows()).of(row_of(a_job())).body)
    answers = Answers(Windows(), most=3 * size)

    for number in range(20):
        answers.of(row_of(a_job(job_id=UUID(int=number))))

    assert list(answers._kept) == [UUID(int=number) for number in (17, 18, 19)]


def test_those_that_changed_least_lately_go_first() -> None:
    size = len(Answers(Windows()).of(row_of(a_job(updated_at=later(1)))).body)
    answers = Answers(Windows(), most=2 * size)

    for number, second in ((1, 1), (2, 1), (1, 2), (3, 1)):
        answers.of(row_of(a_job(job_id=UUID(int=number), updated_at=later(second))))

    assert list(answers._kept) == [UUID(int=1), UUID(int=3)]


def test_an_answer_that_changes_over_and_over_takes_the_place_of_one() -> None:
    size = len(Answers(Windows()).of(row_of(a_job())).body)
    answers = Answers(Windows(), most=3 * size)
    other = answers.of(row_of(a_job(job_id=ANOTHER_JOB)))

    for second in range(10, 60):
        answers.of(row_of(a_job(updated_at=later(second))))

    assert answers.of(row_of(a_job(job_id=ANOTHER_JOB))) is other


def test_an_answer_that_is_larger_than_all_that_may_be_kept_is_given_all_the_same() -> None:
    answers = Answers(Windows(), most=10)

    assert json.loads(answers.of(row_of(a_job())).body)["job_id"] == str(JOB)


async def test_what_the_views_do_not_show_a_caller_is_not_shown_from_what_was_kept() -> None:
    async with calling(views=Views(a_job(), None, following=9)) as client:
        mine = await client.get(f"/api/v1/status/{JOB}")
        theirs = await client.get(f"/api/v1/status/{JOB}")
        asked = await client.get(f"/api/v1/status/{JOB}", headers={"If-None-Match": mine.headers["ETag"]})

    assert [answer.status_code for answer in (mine, theirs, asked)] == [200, 404, 404]
