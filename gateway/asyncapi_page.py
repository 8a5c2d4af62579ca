"""Pure: an AsyncAPI document as one HTML page, without scripts, that shows what a subscriber wants to know."""

import json
import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, TypeAlias

from gateway.asyncapi_style import STYLE

Part: TypeAlias = Mapping[str, Any]

DAY = 24 * 3_600 * 1_000  # milliseconds


def page(document: Part) -> str:
    """The whole page. Everything that comes from the document is escaped."""
    info, channels = document["info"], document["channels"]
    public = [name for name, channel in channels.items() if _public(channel)]
    others = [name for name in channels if name not in public]
    body = "".join((*(_topic(document, name) for name in (*public, *others)), _headers(document)))
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(info["title"])}</title><style>{STYLE}</style></head>
<body>
<nav aria-label="Topics"><a class="home" href="#top">Darkroom</a>
{_links("For other systems", public)}{_links("Inside", others)}
<p class="group">More</p><ul><li><a href="#headers">Headers</a></li><li><a href="asyncapi.json">asyncapi.json</a></li>
<li><a href="docs">The HTTP API</a></li></ul></nav>
<main id="top"><h1>{escape(info["title"])}</h1>
<p class="lead">{_prose(info["description"])}</p>
<p>The same as an <a href="asyncapi.json">AsyncAPI {escape(document["asyncapi"])} document</a>, for programs.</p>
{body}</main></body></html>
"""


def _links(title: str, names: list[str]) -> str:
    items = "".join(f'<li><a href="#{escape(name)}">{escape(name)}</a></li>' for name in names)
    return f'<p class="group">{title}</p><ul>{items}</ul>'


def _topic(document: Part, name: str) -> str:
    channel = document["channels"][name]
    badge = '<span class="badge">public</span>' if _public(channel) else ""
    messages = [_resolved(document, reference) for reference in channel["messages"].values()]
    return f"""<section id="{escape(name)}"><h2><a href="#{escape(name)}">{escape(name)}</a>{badge}</h2>
<p>{_prose(channel["description"])}</p>
<dl class="facts">{_key_facts(document, name)}</dl>
{"".join(_message(document, message) for message in messages)}</section>
"""


def _key_facts(document: Part, name: str) -> str:
    kafka = document["channels"][name]["bindings"]["kafka"]
    retention = kafka["topicConfiguration"]["retention.ms"]
    messages = document["channels"][name]["messages"].values()
    keyed = any("bindings" in _resolved(document, reference) for reference in messages)
    rows = {
        "Said by": _parties(document, name, "send"),
        "Heard by": _parties(document, name, "receive") or "nobody of ours",
        "Key": "the job's id" if keyed else "that of the unreadable record",
        "Partitions": str(kafka["partitions"]),
        "Kept": "for ever" if retention < 0 else f"{retention // DAY} days",
    }
    return "".join(f"<div><dt>{term}</dt><dd>{escape(value)}</dd></div>" for term, value in rows.items())


def _parties(document: Part, name: str, action: str) -> str:
    found = [
        operation["tags"][0]["name"]
        for operation in document["operations"].values()
        if operation["action"] == action and operation["channel"]["$ref"] == f"#/channels/{name}"
    ]
    return ", ".join(found)


def _message(document: Part, message: Part) -> str:
    shown = "".join(_example(example) for example in message.get("examples", ()))
    if "payload" not in message:
        return f"<p>{_prose(message['description'])}</p>{_fields(_resolved(document, message['headers']))}"
    schema = _resolved(document, message["payload"])
    return f"<h3>{escape(message['name'])}</h3>{_fields(schema)}{shown}"


def _example(example: Part) -> str:
    headers = "\n".join(f"{name}: {value}" for name, value in example.get("headers", {}).items())
    value = json.dumps(example["payload"], indent=2, ensure_ascii=False)
    head = f"<h4>Headers</h4><pre>{escape(headers)}</pre><h4>Value</h4>" if headers else ""
    return f"<details><summary>{escape(example['name'])}</summary>{head}<pre>{escape(value)}</pre></details>"


def _headers(document: Part) -> str:
    schema = document["components"]["schemas"]["cloudevents"]
    return f"""<section id="headers"><h2><a href="#headers">Headers</a></h2>
<p>{_prose(schema["description"])}</p>{_fields(schema)}</section>
"""


def _fields(schema: Part) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{_type(part)}</td>"
        f"<td>{'always' if needed else _without(part)}</td><td>{_prose(part.get('description', ''))}</td></tr>"
        for name, part, needed in _flat(schema)
    )
    titles = "<tr><th>Field</th><th>Type</th><th>There</th><th>What it says</th></tr>"
    return f'<div class="wide"><table><thead>{titles}</thead><tbody>{rows}</tbody></table></div>'


def _flat(schema: Part, prefix: str = "") -> Iterator[tuple[str, Part, bool]]:
    """Every field by its dotted name, those of inner objects and of alternatives below the field that has them."""
    for name, part in schema.get("properties", {}).items():
        yield prefix + name, part, name in schema.get("required", ())
        for inner, mark in _inner(part):
            yield from _flat(inner, f"{prefix}{name}{mark}.")


def _inner(part: Part) -> Iterator[tuple[Part, str]]:
    if "items" in part:
        yield part["items"], "[]"
    elif "oneOf" in part:
        yield from ((each, f"({each['title']})") for each in part["oneOf"])
    else:
        yield part, ""


def _type(part: Part) -> str:
    """What a value is, in a few words: its type, what it may be, and its bounds."""
    if "const" in part:
        return f"<code>{escape(json.dumps(part['const']))}</code>"
    if "enum" in part:
        return " · ".join(f"<code>{escape(str(value))}</code>" for value in part["enum"])
    if "oneOf" in part:
        return "one of " + ", ".join(escape(each["title"]) for each in part["oneOf"])
    if "items" in part:
        return f"list of {_type(part['items'])}"
    kind = escape(part.get("format") or part.get("type", "anything"))
    if isinstance(part.get("additionalProperties"), dict) and "properties" not in part:
        return f"{kind} of {_type(part['additionalProperties'])}"
    return kind + _bounds(part)


def _without(part: Part) -> str:
    """What it means that an optional field is not there."""
    return f"or {escape(json.dumps(part['default']))}" if "default" in part else "if known"


def _bounds(part: Part) -> str:
    if "pattern" in part:
        return f" like <code>{escape(part['pattern'])}</code>"
    low, high = (part.get(end, "") for end in ("minimum", "maximum"))
    if low != "" or high != "":
        return f" <small>{low:,} … {high:,}</small>"
    return f" <small>at most {part['maxLength']:,} characters</small>" if "maxLength" in part else ""


def _prose(text: str) -> str:
    """Text with `code` and **strong** words, as the document's descriptions have them."""
    shown = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))
    return re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", shown)


def _public(channel: Part) -> bool:
    return any(tag["name"] == "public" for tag in channel["tags"])


def _resolved(document: Part, part: Part) -> Part:
    """What a part is, or what its reference into the document stands for."""
    while "$ref" in part:
        found: Any = document
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        part = found
    return part
