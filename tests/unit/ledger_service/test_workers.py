"""How many processes fold, what each may hold, and what a worker says."""

import pickle

import pytest

from ledger_service.gather import LIMIT, TOGETHER, limit_of_each
from ledger_service.log import LogSilentError
from ledger_service.workers import MOST, SIZE_BYTES, WorkerDiedError, Workers, message
from schemas.wire import NewerVersionError
from stage.settings import KafkaSettings

KAFKA = KafkaSettings.model_validate({"KAFKA_BOOTSTRAP_SERVERS": "kafka:9092"})


class AwkwardError(Exception):
    """Cannot be made from its words alone."""

    def __init__(self, topic: str, offset: int) -> None:
        super().__init__(f"{topic} at {offset}")


def heard(said: bytes) -> int | Exception:
    assert int.from_bytes(said[:SIZE_BYTES]) == len(said) - SIZE_BYTES
    told: int | Exception = pickle.loads(said[SIZE_BYTES:])  # noqa: S301 - made here
    return told


def test_a_short_log_is_folded_by_one_process_and_a_long_one_by_a_few() -> None:
    workers = Workers(KAFKA, "postgresql://ledger@db/darkroom")

    assert [workers.worth(records) for records in (0, 99_999)] == [1, 1]
    assert 1 <= workers.worth(1_000_000_000) <= MOST


def test_as_many_processes_fold_as_people_said() -> None:
    assert Workers(KAFKA, "postgresql://ledger@db/darkroom", 7).worth(10) == 7


@pytest.mark.parametrize("processes", [1, 2, 4, 12])
def test_however_many_processes_fold_they_hold_no_more_than_is_allowed_together(processes: int) -> None:
    each = limit_of_each(processes)

    assert 0 < each <= LIMIT
    assert each * processes <= TOGETHER


def test_the_password_of_the_database_is_not_shown() -> None:
    assert "secret" not in repr(Workers(KAFKA, "postgresql://ledger:secret@db/darkroom"))


@pytest.mark.parametrize(
    "told", [7, LogSilentError("nothing came"), NewerVersionError("media.stored 2"), WorkerDiedError("with -9")]
)
def test_what_a_worker_says_is_heard_as_it_was_said(told: int | Exception) -> None:
    assert repr(heard(message(told))) == repr(told)


def test_a_fault_that_cannot_be_sent_is_told_in_words() -> None:
    told = heard(message(AwkwardError("media.stored", 5)))

    assert isinstance(told, WorkerDiedError)
    assert str(told) == "AwkwardError: media.stored at 5"
