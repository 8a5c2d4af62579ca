"""The closed list of what goes wrong."""

import pytest

from generator_service.errors import Code, code_of, failed, provider_code_in

PAID = {Code.NO_OUTPUT, Code.BAD_OUTPUT, Code.TOO_FEW_OUTPUTS, Code.OUTPUT_EXPIRED, Code.OUTCOME_UNKNOWN}


@pytest.mark.parametrize("code", sorted(PAID))
def test_what_was_or_may_have_been_paid_for_is_never_tried_again_by_itself(code: Code) -> None:
    assert not code.retryable


def test_a_failure_carries_its_codes_as_plain_text() -> None:
    failure = failed(Code.OUT_OF_MEMORY, "too big", "E1001")

    assert type(failure.code) is str
    assert (failure.code, failure.retryable, failure.provider_code) == ("out_of_memory", False, "E1001")


@pytest.mark.parametrize(
    ("text", "code", "own"),
    [
        ("The webhook URL is empty (E4875)", Code.MISCONFIGURED, "E4875"),
        ("torch.cuda.OutOfMemoryError: tried to allocate 20 GiB", Code.OUT_OF_MEMORY, None),
        ("It might have run out of memory? (E1000)", Code.PROVIDER_FAILED, "E1000"),
        ("content policy violation", Code.CONTENT_POLICY, None),
        ("TypeError: unsupported operand", Code.PROVIDER_FAILED, None),
    ],
)
def test_an_error_text_has_a_meaning(text: str, code: Code, own: str | None) -> None:
    assert (code_of(text), provider_code_in(text)) == (code, own)
