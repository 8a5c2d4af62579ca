"""docs/status.md says of statuses, phases and codes what the code does."""

import ast
import re
from collections.abc import Iterator
from itertools import chain, combinations, product

from generator_service.errors import Code
from ledger_service.fold import Job, fold, standing
from ledger_service.outputs import Output
from schemas.events import Event
from schemas.jobs import OutputStatus, Phase, Status
from tests.builders import (
    JOB,
    NOON,
    TENANT,
    a_doubt,
    a_failed_generation,
    a_failed_upload,
    a_generated_output,
    a_request,
    a_stored_output,
    a_submission,
    at,
)
from tests.repository.tree import ROOT

PAGE = (ROOT / "docs" / "status.md").read_text()
FACTS = (
    a_submission(), a_doubt(), a_doubt(held=True), a_failed_generation(final=False), a_generated_output(),
    a_failed_upload(final=False), a_stored_output(), a_failed_generation(attempt=2),
    a_failed_generation(code="cancelled"), a_failed_generation(code="deadline_exceeded"),
)  # fmt: skip
CARRIES_A_CODE = {"FetchError", "StoreError", "NotStored"}


def table(heading: str) -> list[list[str]]:
    """The rows of the table whose first column has this heading, without their code marks."""
    rows = re.search(rf"^\| {re.escape(heading)} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", PAGE, flags=re.MULTILINE)
    assert rows, heading
    return [[cell.strip().replace("`", "") for cell in row.strip("|").split("|")] for row in rows[1].splitlines()]


def an_output(index: int, status: OutputStatus) -> Output:
    """An output that stands so."""
    output = Output(1, index)
    match status:
        case OutputStatus.PROCESSING:
            output.generation_attempts = 1
        case OutputStatus.COMPLETED:
            output.s3_key, output.stored_at = "jobs/0", NOON
        case OutputStatus.PENDING:
            pass
        case _:
            codes = {OutputStatus.CANCELLED: "cancelled", OutputStatus.EXPIRED: "deadline_exceeded"}
            output.error_code, output.failed_at = codes.get(status, "content_policy"), NOON
    assert output.status is status
    return output


def job_status(statuses: tuple[OutputStatus, ...]) -> str:
    """What the ledger makes of a job whose outputs stand so."""
    outputs = {(1, index): an_output(index, status) for index, status in enumerate(statuses)}
    job = Job(JOB, TENANT, NOON, num_outputs=len(statuses), requested_at=NOON, outputs=outputs)
    return standing(job).status.value


def on_the_page(statuses: tuple[OutputStatus, ...]) -> str:
    """What the page makes of it: its first line that fits."""
    for outputs, status in table("its outputs are"):
        how, wanted = outputs.split()
        if set(statuses) == {wanted} if how == "only" else wanted in statuses:
            return status
    return "nothing"


def test_every_combination_of_outputs_gives_the_job_the_status_of_the_page() -> None:
    together = [each for count in range(1, 5) for each in product(OutputStatus, repeat=count)]

    wrong = [each for each in together if on_the_page(each) != job_status(each)]

    assert wrong == []


def test_the_page_names_every_status_of_a_job_and_which_are_final() -> None:
    assert {row[0]: row[1] for row in table("status")} == {
        status.value: "yes" if status.terminal else "no" for status in Status
    }


def test_every_phase_comes_with_the_statuses_of_the_page() -> None:
    heard = chain.from_iterable(combinations(FACTS, count) for count in range(len(FACTS) + 1))

    seen = {(output.phase.value, output.status.value) for output in map(after, heard)}

    listed = {(row[0], status.strip()) for row in table("phase") for status in row[1].split(",")}
    assert seen == listed
    assert {phase for phase, _ in listed} == {phase.value for phase in Phase}


def after(facts: tuple[Event, ...]) -> Output:
    """The one output of a job of which these facts were heard."""
    job = Job(JOB, TENANT, NOON)
    for offset, fact in enumerate((a_request(), *facts)):
        fold(job, fact, at(fact, offset))
    return job.media[0]


def test_the_page_lists_each_code_with_who_says_it_and_no_other() -> None:
    listed = {(row[0], row[1]) for row in table("code")}

    assert listed == {(code.value, "generator") for code in Code} | {(code, "uploader") for code in uploader_codes()}


def test_each_code_leaves_an_output_as_the_page_says() -> None:
    ended = {row[0]: row[2] for row in table("code")}

    assert ended == {code: Output(1, 0, error_code=code, failed_at=NOON).status.value for code in ended}


def test_the_page_says_of_a_providers_failure_whether_it_is_tried_again() -> None:
    tried_again = {row[0] for row in table("code") if row[1] == "generator" and "as often as we may try" in row[3]}

    assert tried_again == {code.value for code in Code if code.retryable}


def uploader_codes() -> set[str]:
    """Every code that the uploader's source gives to a failure."""
    trees = [ast.parse(file.read_text()) for file in sorted((ROOT / "uploader_service").glob("*.py"))]
    found = set(filter(None, chain.from_iterable(_codes(node) for tree in trees for node in ast.walk(tree))))
    assert len(found) > 5
    return found


def _codes(node: ast.AST) -> Iterator[str]:
    """The codes that one piece of source names: as an argument, as a default, or in a variable called `code`."""
    match node:
        case ast.Call(func=ast.Name(id=name), args=[ast.Constant(value=str(code)), *_]) if name in CARRIES_A_CODE:
            yield code
        case ast.keyword(arg="code", value=ast.Constant(value=str(code))):
            yield code
        case ast.FunctionDef(args=ast.arguments(kwonlyargs=names, kw_defaults=defaults)):
            named = dict(zip((each.arg for each in names), defaults, strict=True))
            match named.get("code"):
                case ast.Constant(value=str(code)):
                    yield code
        case ast.Assign(targets=[ast.Name(id="code")], value=ast.IfExp(body=ast.Constant(value=one),
                                                                       orelse=ast.Constant(value=other))):  # fmt: skip
            yield from (str(one), str(other))
