"""The AsyncAPI document is whole and true, and the page that shows it loads nothing from anywhere."""

import json
import re
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from typing import Any

import pytest
from jsonschema import Draft7Validator  # type: ignore[import-untyped]

import generator_service.handlers
import ledger_service.handlers
import uploader_service.handlers
from gateway.asyncapi_page import page
from schemas.contract import files
from schemas.contract.speakers import PUBLIC, SAID_BY, SERVICES
from schemas.events import FACTS
from schemas.topics import DEAD_LETTERS, topics
from schemas.wire import Position, dead_letter, encode
from tests.contract.facts import GOLDEN
from tests.unit.gateway.http import calling

DOCUMENT: dict[str, Any] = json.loads(files.ASYNCAPI.read_text(encoding="utf-8"))
HEARS = {
    "generator": generator_service.handlers.TOPICS,
    "uploader": uploader_service.handlers.TOPICS,
    "ledger": ledger_service.handlers.TOPICS,
}

MAY_HOLD: Mapping[str, frozenset[str]] = {
    "": frozenset({"asyncapi", "info", "defaultContentType", "servers", "channels", "operations", "components"}),
    "servers/*": frozenset({"host", "protocol", "description", "variables"}),
    "channels/*": frozenset({"address", "title", "description", "messages", "tags", "bindings"}),
    "operations/*": frozenset({"action", "channel", "messages", "tags", "bindings"}),
    "components": frozenset({"messages", "schemas"}),
    "components/messages/*": frozenset(
        {"name", "title", "description", "contentType", "headers", "payload", "bindings", "examples"}
    ),
}
"""The fields of AsyncAPI 3.0.0 that the document uses, of those that each object may have."""


def parts(pattern: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects that a pattern of MAY_HOLD names, with their places."""
    found: list[tuple[str, Any]] = [("", DOCUMENT)]
    for step in filter(None, pattern.split("/")):
        found = [
            (f"{place}/{name}", part)
            for place, whole in found
            for name, part in whole.items()
            if step in (name, "*")
        ]  # fmt: skip
    yield from found


def references(part: Any) -> Iterator[str]:
    """Every `$ref` in the document."""
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for inner in part.values():
            yield from references(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from references(inner)


def at(reference: str) -> Any:
    found: Any = DOCUMENT
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found


@pytest.mark.parametrize("pattern", MAY_HOLD)
def test_every_object_has_the_fields_that_the_standard_knows_and_no_other(pattern: str) -> None:
    found = list(parts(pattern))

    assert found
    assert {place: set(part) - MAY_HOLD[pattern] for place, part in found if set(part) - MAY_HOLD[pattern]} == {}


def test_names_are_such_as_the_standard_allows() -> None:
    names = [*DOCUMENT["components"]["messages"], *DOCUMENT["components"]["schemas"]]

    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert [name for name in names if not re.fullmatch(r"[a-zA-Z0-9.\-_]+", name)] == []


def test_every_reference_leads_somewhere() -> None:
    found = set(references(DOCUMENT))

    assert found
    for reference in found:
        assert at(reference), reference


def test_the_messages_of_an_operation_are_those_of_its_channel() -> None:
    for name, operation in DOCUMENT["operations"].items():
        channel = operation["channel"]["$ref"]
        expected = {f"{channel}/messages/{message}" for message in at(channel)["messages"]}
        assert {each["$ref"] for each in operation["messages"]} == expected, name


def test_every_topic_is_a_channel_as_it_is_made_in_a_cluster() -> None:
    shown = {name: channel["bindings"]["kafka"] for name, channel in DOCUMENT["channels"].items()}

    for topic in topics(3):
        kafka = shown.pop(topic.name)
        config = {name: str(value) for name, value in kafka["topicConfiguration"].items() if name != "cleanup.policy"}
        cleanup = {"cleanup.policy": ",".join(kafka["topicConfiguration"]["cleanup.policy"])}
        assert (kafka["topic"], kafka["partitions"], config | cleanup) == (topic.name, topic.partitions, topic.config)
    assert shown == {}


def said_and_heard(action: str) -> set[tuple[str, str]]:
    """Which service says or hears which topic, as the document has it."""
    return {
        (operation["tags"][0]["name"], operation["channel"]["$ref"].removeprefix("#/channels/"))
        for operation in DOCUMENT["operations"].values()
        if operation["action"] == action
    }


def test_a_service_hears_what_its_code_hears() -> None:
    assert said_and_heard("receive") == {(service, topic) for service, heard in HEARS.items() for topic in heard}


def test_every_fact_is_said_by_somebody_and_dead_letters_by_whoever_hears() -> None:
    letters = {(service, DEAD_LETTERS) for service in HEARS}

    assert set(SAID_BY) == set(FACTS)
    assert {service for speakers in SAID_BY.values() for service in speakers} == set(SERVICES)
    assert said_and_heard("send") == letters | {(by, topic) for topic, speakers in SAID_BY.items() for by in speakers}


def test_what_is_meant_for_others_is_marked_and_holds_no_prompt_and_no_url() -> None:
    public = {name for name, channel in DOCUMENT["channels"].items() if {"name": "public"} in channel["tags"]}

    assert public == set(PUBLIC) == {"job.completed", "data.removed"}
    for topic in public:
        words = set(re.findall(r'"(\w+)":', json.dumps(DOCUMENT["components"]["schemas"][f"{topic}.v1"])))
        assert words & {"prompt", "input", "url", "source"} == set()


@pytest.mark.parametrize("name", DOCUMENT["components"]["schemas"])
def test_a_schema_in_the_document_is_one_of_draft_7_and_needs_no_other(name: str) -> None:
    schema = DOCUMENT["components"]["schemas"][name]

    Draft7Validator.check_schema(schema)
    assert "$ref" not in json.dumps(schema)
    assert "$defs" not in json.dumps(schema)


@pytest.mark.parametrize("name", GOLDEN)
def test_an_example_is_a_golden_record_with_the_headers_that_it_really_has(name: str) -> None:
    fact = GOLDEN[name]
    message = DOCUMENT["components"]["messages"][f"{fact.topic}.v1"]
    [example] = [each for each in message["examples"] if each["name"] == name]

    record = encode(fact, source=SAID_BY[fact.topic][0])
    headers = {header: (content or b"").decode() for header, content in record.headers}
    headers["ce_time"] = example["payload"]["occurred_at"]  # the same moment: Z or +00:00
    assert example["headers"] == headers
    assert Draft7Validator(at(message["headers"]["$ref"])).is_valid(example["headers"])
    assert Draft7Validator(at(message["payload"]["$ref"])).is_valid(example["payload"])


def test_the_headers_that_the_document_names_are_those_that_a_record_may_carry() -> None:
    record = encode(GOLDEN["job.completed.v1"], source="ledger", traceparent="00-1-1-01")
    letter = dead_letter(Position("job.completed", 0, 0), b"k", b"v" * 500_000, [], "why")

    schemas = DOCUMENT["components"]["schemas"]
    assert {name for name, _ in record.headers} == set(schemas["cloudevents"]["properties"])
    assert {name for name, _ in letter.headers} == set(schemas["dead-letter"]["properties"])


class Seen(HTMLParser):
    """What a page holds: its ids, where it links to, what it loads and what it runs."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loads: list[str] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.ids += [given["id"] or ""] if "id" in given else []
        self.links += [given["href"] or ""] if tag == "a" else []
        self.loads += [tag] if tag in ("script", "link", "img", "iframe", "object") or "src" in given else []
        self.loads += [name for name in given if name.startswith("on")]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


async def test_the_gateway_serves_the_page_and_the_document() -> None:
    async with calling() as client:
        shown, document = await client.get("/asyncapi"), await client.get("/asyncapi.json")

    assert (shown.status_code, document.status_code) == (200, 200)
    assert shown.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in shown.headers["content-security-policy"]
    assert document.headers["content-type"] == "application/json"
    assert document.json() == DOCUMENT
    assert shown.text == page(DOCUMENT)


def test_the_page_is_well_formed_and_loads_and_runs_nothing() -> None:
    html = page(DOCUMENT)
    seen = Seen(html)

    assert (seen.loads, seen.open) == ([], [])
    assert "url(" not in html
    assert "@import" not in html


def test_the_page_has_an_anchor_for_every_topic_and_no_dead_link() -> None:
    seen = Seen(page(DOCUMENT))

    assert len(seen.ids) == len(set(seen.ids))
    assert set(seen.ids) == {"top", "headers", *DOCUMENT["channels"]}
    assert {link for link in seen.links if not link.startswith("#")} == {"asyncapi.json", "docs"}
    assert {link.removeprefix("#") for link in seen.links if link.startswith("#")} == set(seen.ids)


def test_the_page_shows_every_field_with_its_words() -> None:
    html = page(DOCUMENT)

    assert "<td><code>outputs[].error.code</code></td>" in html
    assert "<td><code>source(UrlSource).expires_at</code></td>" in html
    assert "<td>When it is tried again; left out when it is not.</td>" in html


def test_what_the_document_says_cannot_become_part_of_the_page() -> None:
    evil = '<script>alert("x")</script>'
    document = json.loads(files.ASYNCAPI.read_text(encoding="utf-8").replace("acme", json.dumps(evil)[1:-1]))
    for channel in document["channels"].values():
        channel["description"] += evil
    document["info"]["title"] = evil

    html = page(document)

    assert Seen(html).loads == []
    assert html.count("&lt;script&gt;") > len(document["channels"])


EVENTS = (files.HERE.parent / "docs" / "events.md").read_text(encoding="utf-8")


def test_the_page_on_events_names_every_topic_and_who_says_it() -> None:
    _, _, table = EVENTS.partition("## Every topic")

    rows = dict(re.findall(r"^\| `([\w.]+)` \| ([\w, ]+) \|", table, re.MULTILINE))

    assert rows == {topic: ", ".join(speakers) for topic, speakers in SAID_BY.items()} | {DEAD_LETTERS: "any reader"}


def test_the_page_on_events_shows_a_record_that_keeps_the_contract() -> None:
    [shown] = re.findall(r"```text\n(.*?)```", EVENTS, re.DOTALL)
    headers, _, value = shown.partition("\n\n")

    said = json.loads(value)
    names = [line.partition(":")[0] for line in headers.splitlines()]
    assert Draft7Validator(DOCUMENT["components"]["schemas"]["job.completed.v1"]).is_valid(said)
    assert (names, said["event_id"] in headers) == (DOCUMENT["components"]["schemas"]["cloudevents"]["required"], True)
