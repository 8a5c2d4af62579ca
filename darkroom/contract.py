"""The contract's committed files: what they should say, what they say, and what a release freezes."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

from darkroom.steps import STAGES
from gateway import app as gateway_app
from schemas.contract import files
from schemas.contract.asyncapi import document
from schemas.contract.compatibility import Break, breaks_since
from schemas.upcasters import UPCASTERS

GOLDEN = Path(__file__).parents[1] / "tests" / "contract" / "golden"


def hears() -> dict[str, tuple[str, ...]]:
    """The topics that each service reads, as its own code says."""
    return {service: import_module(f"{service}_service.handlers").TOPICS for service in STAGES}


def golden_examples(folder: Path = GOLDEN) -> dict[str, dict[str, Any]]:
    """The golden records by fact and version, each under its own name."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.glob("*.json")):
        said = json.loads(path.read_text(encoding="utf-8"))
        found.setdefault(f"{said['type']}.v{said['v']}", {})[path.stem] = said
    return found


def wanted() -> dict[Path, str]:
    """Every file of the contract with the text that it should have."""
    schemas = files.published(files.today(), files.released())
    said = {files.JSON_SCHEMAS / f"{name}.json": files.text_of(schema) for name, schema in schemas.items()}
    heard = document(schemas, hears(), golden_examples())
    return {**said, files.ASYNCAPI: files.text_of(heard), files.OPENAPI: files.text_of(gateway_app.document())}


def outdated() -> list[Path]:
    """The files that do not say what the classes say, or should not be there."""
    right, there = wanted(), {*files.JSON_SCHEMAS.glob("*.json")}
    wrong = {path for path, text in right.items() if not path.exists() or path.read_text(encoding="utf-8") != text}
    return sorted(wrong | (there - right.keys()))


def write() -> list[Path]:
    """Make the files say what the classes say. Returns those that changed; a repeat changes none."""
    right, changed = wanted(), outdated()
    for path in changed:
        if path in right:
            path.parent.mkdir(exist_ok=True)
            path.write_text(right[path], encoding="utf-8")
        else:
            path.unlink()
    return changed


def broken() -> list[Break]:
    """What in today's classes would break somebody who reads by the last release's schemas, or today's readers."""
    return breaks_since(files.released(), files.today(), UPCASTERS.keys())


def release() -> list[Path]:
    """Freeze today's schemas as what is released: from now on they are what a change is compared with."""
    files.RELEASED.mkdir(exist_ok=True)
    changed = []
    for name, schema in files.today().items():
        path, text = files.RELEASED / f"{name}.json", files.text_of(schema)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed
