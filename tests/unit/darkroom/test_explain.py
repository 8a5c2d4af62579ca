"""Why a job is where it is: every place where it can be, in words, and what would move it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from darkroom.commands.explain import as_object, words
from darkroom.explaining.outputs import explain
from darkroom.explaining.seen import Seen, Why
from generator_service.explain import COUNTED, GeneratorSees, PlannedCall, PulledBrake, SharedAccount
from generator_service.tables import State as CallState
from ledger_service.explain import KnownJob, KnownOutput, LedgerSees
from stage.progress import Progress
from tests.builders import JOB, NOON, later
from uploader_service.explain import KnownUpload, UploaderSees
from uploader_service.tables import State as UploadState

CALL = UUID("7a0e1d52-6c0f-5d1b-9b1e-0f1c4a3d2e11")
NOTHING = Progress({}, {})
SOON = "2026-01-12 12:01:00Z"


def a_call(state: str = "PENDING", **changes: Any) -> PlannedCall:
    call = PlannedCall(
        id=CALL, revision=1, outputs=[0], tenant="dev", provider="replicate", model="acme/portraits", state=state,
        attempt=0 if state == "PENDING" else 1, owner=None, due_at=NOON, intent_at=NOON, submitted_at=NOON,
        cancel_at=None, deadline=None, provider_id=None, seeks=None, last_error=None, due_before=0,
    )  # fmt: skip
    return replace(call, **changes)


def an_upload(state: str = "PENDING", **changes: Any) -> KnownUpload:
    upload = KnownUpload(
        index=0, revision=1, state=state, attempt=1, fetch_attempts=0, store_attempts=0, since=NOON, owner=None,
        due_at=later(60), spooled_by="uploader-1" if state == "SPOOLED" else None, last_error=None,
    )  # fmt: skip
    return replace(upload, **changes)


def a_ledger(status: str = "PROCESSING", phase: str = "generating", **changes: Any) -> LedgerSees:
    job = KnownJob("dev", "PROCESSING", 1, "acme/portraits", 1, NOON, requested_offset=41)
    output = KnownOutput(0, 1, status, phase, None, None, None, 1)
    return LedgerSees(job, [replace(output, **changes)], NOTHING)


def a_generator(*calls: PlannedCall, **changes: Any) -> GeneratorSees:
    return replace(GeneratorSees(calls, [1] if calls else [], [], [], {}, NOTHING), **changes)


def an_uploader(*uploads: KnownUpload, progress: Progress = NOTHING) -> UploaderSees:
    return UploaderSees(uploads, progress)


def why(*, at: float = 1, **changes: Any) -> Why:
    """Why the one output of a job is where it is, so many seconds after noon."""
    seen: dict[str, Any] = {"ledger": a_ledger(), "generator": a_generator(), "uploader": an_uploader(), "ends": {}}
    [output] = explain(Seen(JOB, **seen | changes), later(at)).outputs
    return output.why


def test_a_held_call_names_the_commands_that_settle_it() -> None:
    held = why(generator=a_generator(a_call("HELD", due_at=later(60), last_error="not found at the provider")))

    assert held.stage == "reconciling"
    assert held.words.startswith("held: the answer to its attempt of 2026-01-12 12:00:00Z was lost")
    assert held.moves == f"darkroom held adopt {CALL} PROVIDER_ID, or darkroom held give-up {CALL}"
    assert (held.attempt, held.last_error, held.next_try_at) == (1, "not found at the provider", later(60))


@pytest.mark.parametrize(("kind", "name"), [("provider", "replicate"), ("model", "acme/portraits"), ("tenant", "dev")])
def test_a_paused_call_names_the_command_that_lets_it_go_on(kind: str, name: str) -> None:
    brakes = [PulledBrake("tenant", "acme", NOON, ""), PulledBrake(kind, name, NOON, "the invoice looks wrong")]

    paused = why(generator=a_generator(a_call(), brakes=brakes))

    assert paused.words == f"paused: {kind} {name}, since 2026-01-12 12:00:00Z: the invoice looks wrong"
    assert (paused.stage, paused.moves) == ("queued", f"darkroom resume {kind} {name}")


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (a_call(cancel_at=NOON), "was cancelled: it ends without being asked for"),
        (a_call(deadline=NOON), "deadline has passed: it ends without being asked for"),
        (a_call(due_at=later(60), attempt=2), f"attempt 2 failed, and is tried again at {SOON}"),
        (a_call(due_at=later(60)), f"it could not be asked, and is tried again at {SOON}"),
        (a_call(due_before=3), "waiting for its turn since 2026-01-12 12:00:00Z: 3 calls are due before it"),
        (a_call(due_before=1), "1 call is due before it"),
        (a_call(due_before=COUNTED + 1), "more than 1,000 calls are due before it"),
        (a_call("INTENT", owner="generator-2", due_at=later(60)), f"if generator-2 has died, it goes on from {SOON}"),
        (a_call("IN_DOUBT", due_at=later(60)), f"was lost, and the call is looked for; next look at {SOON}"),
        (a_call("IN_DOUBT", seeks=CALL), "is looked for before another one is paid for"),
        (a_call("SUBMITTED", provider_id="gm3q"), "runs at replicate as gm3q since 2026-01-12 12:00:00Z; next look at"),
        (a_call("SUBMITTED", provider_id="gm3q", cancel_at=NOON), "and was asked to stop"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)  # fmt: skip
def test_a_call_says_what_it_waits_for(call: PlannedCall, said: str) -> None:
    assert said in why(generator=a_generator(call)).words


def test_a_call_waits_for_the_rate_limit_until_its_provider_may_be_asked() -> None:
    accounts = {"replicate": SharedAccount(0.0, later(60), 1, 1), "fake": SharedAccount(0.0, later(900), 1, 1)}

    limited = why(generator=a_generator(a_call(due_at=later(60), last_error="429"), accounts=accounts))

    assert limited.words == f"waiting for the rate limit of replicate until {SOON}"


@pytest.mark.parametrize(
    ("reason", "moves"),
    [
        ("insufficient_credit", "see to the account at replicate: its token, its credit"),
        ("the provider asks for fewer calls", None),
    ],
)
def test_a_call_whose_account_rests_says_why_and_what_would_help(reason: str, moves: str | None) -> None:
    accounts = {"replicate": SharedAccount(9.0, later(60), 1, 1, reason)}

    resting = why(generator=a_generator(a_call(), accounts=accounts))

    assert resting.words == f"waiting until {SOON}, when replicate may be asked again: {reason}"
    assert resting.moves == moves


@pytest.mark.parametrize(("tokens", "limited"), [(0.4, True), (1.0, False), (-7.0, False)])
def test_an_empty_bucket_is_the_rate_limit_and_one_without_a_rate_is_not(tokens: float, limited: bool) -> None:
    accounts = {"replicate": SharedAccount(tokens, NOON, 1, 1)}

    waiting = why(generator=a_generator(a_call(), accounts=accounts)).words

    assert waiting.startswith("waiting for the rate limit of replicate: the account's calls") == limited


def test_a_call_that_is_due_for_long_tells_where_to_look() -> None:
    accounts = {"replicate": SharedAccount(60.0, None, 12, 90)}

    late, soon = (why(at=seconds, generator=a_generator(a_call(), accounts=accounts)).moves for seconds in (31, 29))

    assert soon is None
    assert late is not None
    assert "GENERATOR_COST_A_DAY is reached (so far 12 calls of 90 cost units)" in late


@pytest.mark.parametrize(
    ("upload", "said"),
    [
        (an_upload(owner="uploader-2"), f"by uploader-2; if that one has died, it goes on from {SOON}"),
        (an_upload("SPOOLED", owner="uploader-1"), "being stored by uploader-1"),
        (an_upload("WAITING"), f"what the earlier revision has left is looked for, next at {SOON}"),
        (an_upload(due_at=NOON), "waiting to be fetched since 2026-01-12 12:00:00Z"),
        (an_upload(fetch_attempts=2), f"fetching it failed 2 times; next try at {SOON}"),
        (an_upload(last_error="spool_full"), f"the uploader's disk is full; next try at {SOON}"),
        (an_upload("ASKED"), f"the provider is asked where it lies now. Without an answer it fails at {SOON}"),
        (an_upload("SPOOLED"), "waiting in the spool of uploader-1 since 2026-01-12 12:00:00Z"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)  # fmt: skip
def test_an_upload_says_what_it_waits_for(upload: KnownUpload, said: str) -> None:
    explained = why(generator=a_generator(a_call("SUCCEEDED", due_at=None)), uploader=an_uploader(upload))

    assert said in explained.words
    assert explained.stage == "storing"


def test_a_spooled_output_says_since_when_the_store_is_away_and_when_it_is_tried() -> None:
    spooled = why(uploader=an_uploader(an_upload("SPOOLED", store_attempts=3, last_error="storage_failed")))

    assert spooled.words == (
        "spooled on uploader-1: the store is away since 2026-01-12 12:00:00Z or later, 3 tries failed, next try at "
        + SOON
    )
    assert (spooled.last_error, spooled.next_try_at) == ("storage_failed", later(60))
    assert "S3_ENDPOINT_URL" in (spooled.moves or "")


def test_a_request_that_the_generator_has_not_read_says_how_many_records_are_before_it() -> None:
    unread = why(generator=a_generator(progress=Progress({"job.requested": 40}, {})))

    assert unread.words == "the generator has not read it yet: 2 records of job.requested behind"
    assert unread.moves == "see that the generator runs, and what its log says"


def test_a_request_that_was_read_and_not_planned_is_looked_for_in_the_dead_letters() -> None:
    assert "topic dlq" in (why(generator=a_generator(progress=Progress({"job.requested": 42}, {}))).moves or "")


def test_a_retry_waits_for_what_its_service_has_not_read() -> None:
    ledger = a_ledger(revision=2, phase="queued", status="PENDING")
    first = a_call("SUCCEEDED", due_at=None)
    ends = {"retry.requested": 9}

    early = why(ledger=ledger, generator=a_generator(first, early_retries=[2]))
    unplanned = why(ledger=ledger, generator=a_generator(first), ends=ends)
    to_store = why(ledger=ledger, generator=a_generator(first, planned=[1, 2]), ends=ends)
    unseen = why(ledger=ledger, generator=a_generator(first, planned=[1, 2]), uploader=None)

    assert "waits until the generator has read the job's own request" in early.words
    assert unplanned.words == "the generator has not read it yet: 9 records of retry.requested behind"
    assert to_store.words == "the uploader has not read it yet: 9 records of retry.requested behind"
    assert unseen.words == "to be stored again; what the uploader makes of it could not be seen"


@pytest.mark.parametrize(
    ("call", "uploads", "topic", "reader", "done"),
    [
        (a_call("SUCCEEDED", due_at=None), [], "media.generated", "uploader", "it was generated"),
        (a_call("FAILED", due_at=None, last_error="invalid_input"), [], "generation.failed", "ledger",
         "generating it has failed for good (invalid_input)"),
        (a_call("SUCCEEDED", due_at=None), [an_upload("STORED", due_at=None)], "media.stored", "ledger",
         "it was stored"),
        (a_call("SUCCEEDED", due_at=None), [an_upload("FAILED", due_at=None, last_error="key_conflict")],
         "upload.failed", "ledger", "storing it has failed for good (key_conflict)"),
    ],
)  # fmt: skip
def test_what_is_done_waits_for_the_next_service_or_for_kafka(
    call: PlannedCall, uploads: list[KnownUpload], topic: str, reader: str, done: str
) -> None:
    said = Progress({}, {topic: 1})

    def explained(**changes: Any) -> str:
        told: dict[str, Any] = {
            "generator": a_generator(call),
            "uploader": an_uploader(*uploads),
            "ends": {topic: 5},
        } | changes
        return why(**told).words

    assert explained() == f"{done}; the {reader} has not read it yet: 5 records of {topic} behind"
    assert explained(ends=None) == f"{done}; the {reader} has not read it yet; how far behind it is could not be seen"
    if not (uploads and reader == "uploader"):
        assert explained(**{reader: None}) == f"{done}; what the {reader} makes of it could not be seen"
    speaker = "uploader" if uploads else "generator"
    at = (
        {"uploader": an_uploader(*uploads, progress=said)}
        if uploads
        else {"generator": a_generator(call, progress=said)}
    )
    assert explained(**at) == f"{done}; the {speaker} could not say so yet: 1 fact of this job wait for Kafka ({topic})"


def test_an_output_that_is_over_says_how_it_ended() -> None:
    stored = why(ledger=a_ledger("COMPLETED", "done"))
    failed = why(ledger=a_ledger("FAILED", "done", error_code="content_policy", error_message="refused"))

    assert (stored.stage, stored.words, stored.moves) == ("done", "it was stored", None)
    assert (failed.words, failed.last_error) == ("it ended as FAILED", "content_policy: refused")
    assert "a retry of the job" in (failed.moves or "")


def test_without_the_generators_tables_the_ledgers_word_is_given() -> None:
    heard = why(generator=None, ledger=a_ledger(phase="reconciling", cause="the answer was lost"))
    nothing = why(generator=None, ledger=replace(a_ledger(), outputs=[]))

    assert (heard.stage, heard.last_error) == ("reconciling", "the answer was lost")
    assert "could not be seen" in heard.words
    assert "nothing was heard of it" in nothing.words


def test_without_the_ledger_the_other_tables_tell_the_outputs() -> None:
    explained = explain(Seen(JOB, generator=a_generator(a_call(outputs=[0, 2]))), NOON)

    assert explained.known
    assert [(each.index, each.status) for each in explained.outputs] == [(0, None), (2, None)]
    assert "could not be seen" in explained.summary


def test_a_job_that_nobody_knows_may_be_among_what_was_not_read() -> None:
    empty = LedgerSees(None, [], Progress({"job.requested": 5}, {}))

    behind = explain(Seen(JOB, empty, a_generator(), an_uploader(), {"job.requested": 6}), NOON)
    never = explain(Seen(JOB, empty, None, None, {"job.requested": 5}), NOON)

    assert (behind.known, never.known) == (False, False)
    assert behind.summary.endswith("what was not read yet: 1 record by the ledger, 6 records by the generator")
    assert never.summary == f"nothing that could be seen knows job {JOB}"


@pytest.mark.parametrize("state", [state for state in CallState if state not in ("SUCCEEDED", "FAILED")])
def test_every_state_of_a_call_has_words(state: CallState) -> None:
    assert why(generator=a_generator(a_call(state.value))).words


@pytest.mark.parametrize("state", [state for state in UploadState if state not in ("STORED", "FAILED")])
def test_every_state_of_an_upload_has_words(state: UploadState) -> None:
    assert why(uploader=an_uploader(an_upload(state.value))).stage == "storing"


def test_people_read_of_outputs_that_stand_alike_once_and_of_what_was_not_seen() -> None:
    ledger = replace(a_ledger(), job=KnownJob("dev", "PROCESSING", 1, "acme/portraits", 2, NOON, 41))
    call = a_call("HELD", outputs=[0, 1], due_at=NOON + timedelta(days=1), last_error="not found")
    seen = Seen(JOB, ledger, a_generator(call), None, {}, {"the uploader's tables": "UPLOADER_DATABASE_URL is not set"})
    found = explain(seen, NOON)

    said = words(seen, found).splitlines()

    assert said[0].endswith(
        "of tenant dev: PROCESSING, revision 1, 2 outputs of acme/portraits, requested 2026-01-12 12:00:00Z"
    )
    assert said[1].startswith("outputs 0, 1 (reconciling, attempt 1): held: ")
    assert said[2:4] == ["    last error: not found", "    next: 2026-01-13 12:00:00Z"]
    assert said[5] == "Could not see the uploader's tables: UPLOADER_DATABASE_URL is not set"
    assert as_object(seen, found)["unseen"] == {"the uploader's tables": "UPLOADER_DATABASE_URL is not set"}
