"""The AsyncAPI 3 document: every topic, its messages, who says and who hears them. Made from the facts' own classes."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from schemas.contract.json_schemas import Schema, inlined
from schemas.contract.speakers import PUBLIC, SAID_BY, SERVICES
from schemas.events import FACTS
from schemas.topics import DEAD_LETTERS, Topic, topics

Part: TypeAlias = dict[str, Any]

ABOUT = """\
Everything that happens to a job is said as a fact, on a topic of its own. A subscriber of `job.completed` learns of
every finished job without asking. Facts are said **at least once**: the header `ce_id` is the fact's identity, so a
second record with the same `ce_id` is a repeat. The key is the job's id, so all records of a job lie in one partition
of their topic; where order counts, `revision` says it. Readers ignore fields that they do not know; within a version
only optional fields are added and bounds widened."""

REPLICAS = 3  # what production needs

KEY = {"type": "string", "format": "uuid", "description": "The job's id."}

HEADERS: Part = {
    "type": "object",
    "description": "CloudEvents 1.0 in binary mode, each value UTF-8 text.",
    "properties": {
        "ce_specversion": {"type": "string", "const": "1.0", "description": "The version of CloudEvents."},
        "ce_id": {"type": "string", "format": "uuid", "description": "The fact's identity: a repeat has the same."},
        "ce_type": {"type": "string", "description": "What kind of fact this is: the topic's name."},
        "ce_source": {"type": "string", "description": "The service that says it, such as `/darkroom/ledger`."},
        "ce_subject": {"type": "string", "format": "uuid", "description": "The job that it is about."},
        "ce_time": {"type": "string", "format": "date-time", "description": "When it happened."},
        "content-type": {"type": "string", "const": "application/json", "description": "What the value is."},
        "traceparent": {"type": "string", "description": "W3C Trace Context, where there is a trace."},
    },
    "required": ["ce_specversion", "ce_id", "ce_type", "ce_source", "ce_subject", "ce_time", "content-type"],
}

LETTER: Part = {
    "type": "object",
    "description": "The headers of the unreadable record, and these.",
    "properties": {
        "dlq-topic": {"type": "string", "description": "The topic where it lies."},
        "dlq-partition": {"type": "string", "description": "The partition, in decimal digits."},
        "dlq-offset": {"type": "string", "description": "The offset, in decimal digits."},
        "dlq-reason": {"type": "string", "description": "Why nobody can read it. Never quotes the value."},
        "dlq-left-out-bytes": {"type": "string", "description": "Its size, when it was too large to be carried."},
    },
    "required": ["dlq-topic", "dlq-partition", "dlq-offset", "dlq-reason"],
}


def document(
    schemas: Mapping[str, Schema], hears: Mapping[str, Sequence[str]], examples: Mapping[str, Mapping[str, Part]]
) -> Part:
    """The document. `schemas` and `examples` (by a name of their own) are by fact and version as `name_of` says;
    `hears` names the topics that each service reads.
    """
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Darkroom: facts on Kafka",
            "version": "1.0.0",
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"kafka": _server()},
        "channels": {topic.name: _channel(topic, schemas) for topic in topics(REPLICAS)},
        "operations": _operations(schemas, hears),
        "components": {
            "messages": {name: _message(name, schema, examples.get(name, {})) for name, schema in schemas.items()}
            | {DEAD_LETTERS: _dead_letter()},
            "schemas": {name: _payload(schema) for name, schema in schemas.items()}
            | {"cloudevents": HEADERS, "dead-letter": LETTER},
        },
    }


def _server() -> Part:
    return {
        "host": "{bootstrap}",
        "protocol": "kafka",
        "description": "The Kafka of your installation, as `KAFKA_BOOTSTRAP_SERVERS` names it.",
        "variables": {"bootstrap": {"default": "localhost:9092", "description": "host:port of any broker"}},
    }


def _channel(topic: Topic, schemas: Mapping[str, Schema]) -> Part:
    fact = FACTS.get(topic.name)
    said = " ".join((fact.__doc__ or "").split()) if fact else "Records that nobody can read, untouched, and why."
    numbers = {name: int(value) for name, value in topic.config.items() if name != "cleanup.policy"}
    kafka = {
        "topic": topic.name,
        "partitions": topic.partitions,
        "replicas": REPLICAS,
        "topicConfiguration": {"cleanup.policy": [topic.config["cleanup.policy"]], **numbers},
        "bindingVersion": "0.5.0",
    }
    return {
        "address": topic.name,
        "title": topic.name,
        "description": said,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _messages_of(topic.name, schemas)},
        "tags": [{"name": "public" if topic.name in PUBLIC else "internal"}],
        "bindings": {"kafka": kafka},
    }


def _messages_of(topic: str, schemas: Iterable[str]) -> list[str]:
    return [name for name in schemas if name.rpartition(".v")[0] == topic] or [DEAD_LETTERS]


def _operations(schemas: Mapping[str, Schema], hears: Mapping[str, Sequence[str]]) -> Part:
    """What each service says and hears."""
    found: Part = {}
    for service in SERVICES:
        says = [topic for topic, speakers in SAID_BY.items() if service in speakers]
        if heard := hears.get(service, ()):
            says.append(DEAD_LETTERS)
        for topic in says:
            found[f"{service}.says.{topic}"] = _operation(service, "send", topic, schemas)
        for topic in heard:
            group = {"groupId": {"type": "string", "const": service}, "bindingVersion": "0.5.0"}
            found[f"{service}.hears.{topic}"] = _operation(service, "receive", topic, schemas) | {
                "bindings": {"kafka": group}
            }
    return found


def _operation(service: str, action: str, topic: str, schemas: Mapping[str, Schema]) -> Part:
    channel = f"#/channels/{topic}"
    return {
        "action": action,
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{name}"} for name in _messages_of(topic, schemas)],
        "tags": [{"name": service, "description": SERVICES[service]}],
    }


def _message(name: str, schema: Schema, examples: Mapping[str, Part]) -> Part:
    return {
        "name": name,
        "title": schema["title"],
        "contentType": "application/json",
        "headers": {"$ref": "#/components/schemas/cloudevents"},
        "payload": {"$ref": f"#/components/schemas/{name}"},
        "bindings": {"kafka": {"key": KEY, "bindingVersion": "0.5.0"}},
        "examples": [_example(each, payload) for each, payload in sorted(examples.items())],
    }


def _example(name: str, said: Part) -> Part:
    """A record with the headers that `wire.encode` gives it."""
    headers = {
        "ce_specversion": "1.0",
        "ce_id": said["event_id"],
        "ce_type": said["type"],
        "ce_source": f"/darkroom/{SAID_BY[said['type']][0]}",
        "ce_subject": said["job_id"],
        "ce_time": said["occurred_at"],
        "content-type": "application/json",
    }
    return {"name": name, "headers": headers, "payload": said}


def _payload(schema: Schema) -> Schema:
    """The schema without what only a file of its own needs: the rest is also JSON Schema draft 7, as AsyncAPI wants."""
    return {word: value for word, value in inlined(schema).items() if word not in ("$schema", "$id")}


def _dead_letter() -> Part:
    return {
        "name": DEAD_LETTERS,
        "title": "DeadLetter",
        "description": "The key and the value are those of the unreadable record, byte for byte.",
        "headers": {"$ref": "#/components/schemas/dead-letter"},
        "contentType": "application/octet-stream",
    }
