"""What people may send: every bad field is named with its reason, and what they sent is not given back."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request

from gateway.asks import BODY_BYTES, PROMPT_BYTES, Asks, JobAsk, job_named
from gateway.problems import MOST_ERRORS, Problem
from schemas.catalogue import catalogue
from schemas.identity import job_id_of
from schemas.wire import decode, encode
from tests.builders import a_request, at
from tests.unit.gateway.http import calling

SECRET = "xylophone"
ASKS = Asks(catalogue())
LEAST = {"model": "fake/painter", "prompt": "a city"}


def a_post(body: bytes, pieces: int = 1, **headers: str) -> Request:
    """A request whose body arrives in pieces."""
    size = len(body) // pieces + 1
    parts = [body[start : start + size] for start in range(0, len(body), size)] or [b""]
    messages = [{"type": "http.request", "body": part, "more_body": part is not parts[-1]} for part in parts]

    async def receive() -> Any:
        return messages.pop(0)

    names = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": names}, receive)


async def asked(body: bytes | dict[str, Any]) -> JobAsk:
    return await ASKS.read(a_post(json.dumps(body, ensure_ascii=False).encode() if isinstance(body, dict) else body))


async def refused(body: bytes | dict[str, Any]) -> dict[str, str]:
    """The reason for each bad field."""
    with pytest.raises(Problem) as problem:
        await asked(body)
    assert (problem.value.status, problem.value.kind) == (422, "invalid-input")
    assert SECRET not in problem.value.detail
    return {error.field: error.reason for error in problem.value.errors}


async def test_model_and_prompt_are_enough() -> None:
    ask = await asked(LEAST)

    assert (ask.num_outputs, ask.seed, ask.output_format, ask.input, ask.metadata) == (1, None, None, {}, {})
    assert (ask.deadline, ask.max_attempts) == (None, None)


async def test_what_the_documents_page_proposes_to_try_is_accepted() -> None:
    async with calling() as client:
        proposed = (await client.get("/openapi.json")).json()["components"]["schemas"]["JobAsk"]["examples"]
        answers = [await client.post("/api/v1/generate", json=each) for each in proposed]

    assert [answer.status_code for answer in answers] == [202]
    assert answers[0].json()["warnings"] == []


async def test_everything_that_may_be_asked_is_taken_whole() -> None:
    body = LEAST | {
        "num_outputs": 10, "seed": -5, "output_format": "png", "input": {"a": [1, {"b": None}]},
        "metadata": {"order": "A-17"}, "deadline": "2099-01-01T00:00:00+02:00", "max_attempts": 1,
    }  # fmt: skip

    ask = await asked(body)

    assert ask.model_dump(mode="json") == body


@pytest.mark.parametrize(
    "prompt",
    [
        "Ein Schloß im Nebel, 星空 🌆", "zwei\nZeilen\r\n\tund ein Tab", "👩\u200d👩\u200d👧", "e\u0301",
        "\u202eאב", "\ufffe\U0010ffff", "\\u0000",
    ],
    ids=ascii,
)  # fmt: skip
@pytest.mark.parametrize("ensure_ascii", [True, False])
async def test_a_prompt_in_any_script_is_kept_whole(prompt: str, ensure_ascii: bool) -> None:
    ask = await asked(json.dumps(LEAST | {"prompt": prompt}, ensure_ascii=ensure_ascii).encode())

    assert ask.prompt == prompt


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"model": None}, "model", "Input should be a valid string"),
        ({"model": ""}, "model", "String should match pattern"),
        ({"model": "../" + SECRET}, "model", "String should match pattern"),
        ({"model": SECRET + "\n"}, "model", "String should match pattern"),
        ({"model": "x" * 257}, "model", "String should match pattern"),
        ({"prompt": ""}, "prompt", "is empty"),
        ({"prompt": " \n\t "}, "prompt", "is empty"),
        ({"prompt": 5}, "prompt", "Input should be a valid string"),
        ({"prompt": SECRET + "\0"}, "prompt", "holds control characters"),
        ({"prompt": SECRET + "\x1b[31m"}, "prompt", "holds control characters"),
        ({"prompt": SECRET + "\x7f"}, "prompt", "holds control characters"),
        ({"prompt": SECRET * (PROMPT_BYTES // 9 + 1)}, "prompt", f"takes more than {PROMPT_BYTES} bytes"),
        ({"prompt": "ü" * (PROMPT_BYTES // 2 + 1)}, "prompt", f"takes more than {PROMPT_BYTES} bytes"),
        ({"num_outputs": 0}, "num_outputs", "Input should be greater than or equal to 1"),
        ({"num_outputs": 11}, "num_outputs", "Input should be less than or equal to 10"),
        ({"num_outputs": 1.5}, "num_outputs", "Input should be a valid integer, got a number with a fractional part"),
        ({"num_outputs": SECRET}, "num_outputs", "Input should be a valid integer, unable to parse string"),
        ({"num_outputs": 10**30}, "num_outputs", "Input should be less than or equal to 10"),
        ({"seed": 2**53}, "seed", "Input should be less than or equal to 9007199254740991"),
        ({"seed": [SECRET]}, "seed", "Input should be a valid integer"),
        ({"output_format": "../../x"}, "output_format", "String should match pattern"),
        ({"output_format": "JPG"}, "output_format", "String should match pattern"),
        ({"output_format": "gif"}, "output_format", "fake/painter makes jpg, png, webp"),
        ({"input": [SECRET]}, "input", "Input should be an object"),
        ({"input": {"a": [{"b": SECRET + "\x01"}]}}, "input", "holds control characters"),
        ({"input": {"a\x01": 1}}, "input", "holds control characters"),
        ({"metadata": {"order": 17}}, "metadata.order", "Input should be a valid string"),
        ({"metadata": {"order": "a\x01"}}, "metadata.order", "holds control characters"),
        ({"metadata": {"order": "x" * 513}}, "metadata.order", "String should have at most 512 characters"),
        ({"metadata": {"x" * 65: "a"}}, f"metadata.{'x' * 65}.[key]", "String should have at most 64 characters"),
        ({"metadata": {"": "a"}}, "metadata..[key]", "String should have at least 1 character"),
        ({"metadata": {str(n): "" for n in range(51)}}, "metadata", "Dictionary should have at most 50 items"),
        ({"deadline": "tomorrow"}, "deadline", "Input should be a valid datetime or date, input is too short"),
        ({"deadline": "2099-01-01T00:00:00"}, "deadline", "Input should have timezone info"),
        ({"max_attempts": 0}, "max_attempts", "Input should be greater than or equal to 1"),
        ({"max_attempts": 21}, "max_attempts", "Input should be less than or equal to 20"),
        ({"max_attempts": SECRET}, "max_attempts", "Input should be a valid integer, unable to parse string"),
        ({"deadline": "9999-12-31T23:59:59-14:00"}, "deadline", "Input should be less than 9999-01-01T00:00:00Z"),
    ],
    ids=lambda value: ascii(value)[:40],
)  # fmt: skip
async def test_a_bad_field_is_named_with_its_reason(changes: dict[str, Any], field: str, reason: str) -> None:
    reasons = await refused(LEAST | changes)

    assert list(reasons) == [field]
    assert reason in reasons[field]


async def test_every_bad_field_is_named_at_once() -> None:
    reasons = await refused({"prompt": "", "num_outputs": 0, "seed": "x", "metadata": {"a": 1}})

    assert set(reasons) == {"model", "prompt", "num_outputs", "seed", "metadata.a"}


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
async def test_a_number_that_is_none_is_refused_wherever_it_stands(number: str) -> None:
    body = json.dumps(LEAST | {"input": {"a": [{"b": 42.5}]}}).replace("42.5", number)

    assert await refused(body.encode()) == {"input": "holds a number that is not finite"}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "Invalid JSON: EOF while parsing a value at line 1 column 0"),
        (b"[]", "Input should be an object"),
        (b"null", "Input should be an object"),
        (b'"' + SECRET.encode() + b'"', "Input should be an object"),
        (b"model=m&prompt=p", "Invalid JSON: expected value at line 1 column 1"),
        (b'{"prompt": "' + SECRET.encode(), "Invalid JSON: EOF while parsing a string at line 1 column 21"),
        (b'\xef\xbb\xbf{"model": "m", "prompt": "p"}', "Invalid JSON: expected value at line 1 column 1"),
        (json.dumps(LEAST).encode("utf-16"), "Invalid JSON: expected value at line 1 column 1"),
        ('{"model": "m", "prompt": "ü"}'.encode("latin-1"), "Invalid JSON: invalid unicode code point"),
        (b'{"model": "m", "prompt": "\\ud800"}', "Invalid JSON: unexpected end of hex escape"),
        (b'{"model": "m", "prompt": "\\udc00 x"}', "Invalid JSON: lone leading surrogate in hex escape"),
        (b'{"model": "m", "prompt": "\\ud800\\ud800"}', "Invalid JSON: lone leading surrogate in hex escape"),
        (b'{"model": "m", "prompt": "\n\x00"}', "Invalid JSON: control character"),
        (b'{"seed": ' + b"9" * 5_000 + b"}", "Invalid JSON: number out of range"),
        (b'{"input": ' + b"[" * 5_000 + b"]" * 5_000 + b"}", "Invalid JSON: recursion limit exceeded"),
        (b'{"a": ' * 5_000 + b"1" + b"}" * 5_000, "Invalid JSON: recursion limit exceeded"),
    ],
    ids=lambda value: ascii(value)[:44],
)
async def test_what_is_no_json_object_in_utf_8_is_refused(body: bytes, reason: str) -> None:
    reasons = await refused(body)

    assert list(reasons) == ["body"]
    assert reason in reasons["body"]


async def test_thousands_of_bad_fields_are_not_all_given_back() -> None:
    reasons = await refused(LEAST | {"metadata": {str(number): 0 for number in range(9_000)}})

    assert len(reasons) == MOST_ERRORS


async def test_a_body_of_the_largest_size_is_read_and_one_more_byte_is_not() -> None:
    body = json.dumps(LEAST).encode()

    assert (await ASKS.read(a_post(body.ljust(BODY_BYTES), pieces=7))).prompt == "a city"
    with pytest.raises(Problem) as problem:
        await ASKS.read(a_post(body.ljust(BODY_BYTES + 1), pieces=7))
    assert (problem.value.status, problem.value.kind) == (413, "body-too-large")


async def test_a_body_announced_as_too_large_is_not_read() -> None:
    request = a_post(b"", content_length=str(BODY_BYTES + 1))

    with pytest.raises(Problem, match=f"more than {BODY_BYTES} bytes"):
        await ASKS.read(request)


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=6,
    ).map(json.dumps)
    | st.dictionaries(
        st.sampled_from([*JobAsk.model_fields, "else"]),
        st.none() | st.text(max_size=5) | st.integers() | st.floats() | st.lists(st.text(max_size=3), max_size=2),
    ).map(json.dumps)
    | st.text(max_size=20)
)
async def test_whatever_is_sent_is_either_a_job_that_can_be_said_or_refused(body: str) -> None:
    try:
        ask = await asked(body.encode(errors="surrogatepass"))
    except Problem:
        return

    fields = ask.model_dump(include=set(JobAsk.model_fields))
    request = a_request(**fields)
    record = encode(request, source="gateway")
    assert decode(at(request), record.key, record.value) == request


async def test_input_as_deep_as_it_may_be_is_said_and_read_again() -> None:
    depth = 190
    ask = await asked(b'{"model": "m", "prompt": "p", "input": {"a": ' + b"[" * depth + b"]" * depth + b"}}")
    request = a_request(input=ask.input)

    record = encode(request, source="gateway")

    assert decode(at(request), record.key, record.value) == request


async def test_unknown_fields_are_ignored_and_named() -> None:
    ask = await asked(LEAST | {"num_output": 4, "Prompt": SECRET, "x" * 100: 1})

    assert ask.num_outputs == 1
    assert ASKS.warnings(ask) == [
        "unknown field ignored: Prompt", "unknown field ignored: num_output", f"unknown field ignored: {'x' * 64}",
    ]  # fmt: skip


async def test_without_unknown_fields_there_is_no_warning() -> None:
    assert ASKS.warnings(await asked(LEAST)) == []


def test_a_key_names_the_same_job_each_time() -> None:
    assert job_named("dev", "order-1") == job_named("dev", "order-1") == (job_id_of("dev", "order-1"), "order-1")


def test_a_job_without_a_key_is_a_new_one_under_a_key_that_is_given_back() -> None:
    (first, key), (second, _) = job_named("dev", None), job_named("dev", None)

    assert first != second
    assert job_named("dev", key) == (first, key)


@pytest.mark.parametrize("key", ["", "x" * 256, "schlüssel", "a\tb", "a\nb", "a\x00b", "\x7f"], ids=ascii)
def test_a_key_that_no_header_can_carry_is_refused(key: str) -> None:
    with pytest.raises(Problem, match="Idempotency-Key: must be 1 to 255 printable ASCII characters"):
        job_named("dev", key)
