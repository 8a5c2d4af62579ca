"""Schemathesis calls every operation of the committed OpenAPI document, as it may and as it may not be called."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

from gateway.examples import JOB_ID
from schemas.contract import files
from tests.pipeline.driver import Pipeline

CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
    "response_schema_conformance", "unsupported_method", "allow_header_conformance",
)  # fmt: skip
"""Not among them: that bad data are always refused (unknown fields are ignored and named), and that good data never are
(a cursor is a text like any other, but only ours are understood).
"""


async def schemathesis(document: Path, url: str) -> tuple[int, str]:
    """Its exit code and report. The same calls each time: 50 of an operation beside the examples and the edges."""
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("schemathesis"), "run", document, f"--url={url}", f"--checks={','.join(CHECKS)}",
        "--phases=examples,coverage,fuzzing", "--max-examples=50", "--generation-deterministic", "--seed=1",
        "--suppress-health-check=filter_too_much,too_slow",  # they are about making calls up, not about answers
        "--request-timeout=90",  # what is longer than allowed is made up, too
        "--workers=1",  # CPython 3.11 cannot parse code in two threads at a time
        "--continue-on-failure", "--no-color",
        cwd=document.parent, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


def about(job: UUID) -> Any:
    """The document, its examples about a job that is there, so that not every answer is 404, and for which nobody waits
    long: nothing happens to it any more.
    """
    document = json.loads(files.OPENAPI.read_text(encoding="utf-8").replace(JOB_ID, str(job)))
    for parameter in document["paths"]["/api/v1/status/{job_id}"]["get"]["parameters"]:
        if parameter["name"] in ("wait", "revision"):
            parameter["schema"] |= {"maximum": 1, "examples": [1]}
    return document


async def test_whatever_is_sent_is_answered_as_the_document_says(pipeline: Pipeline, tmp_path: Path) -> None:
    job = await pipeline.submit(key="schemathesis", num_outputs=1)  # one id in every run: it decides what is made up
    await pipeline.end_of(job)
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps(about(job)), encoding="utf-8")

    code, report = await schemathesis(document, pipeline.stack.url("gateway"))

    assert code == 0, report
    assert "Tested: " in report


async def test_the_running_gateway_shows_the_committed_document(pipeline: Pipeline) -> None:
    shown = await pipeline.http.get("/openapi.json")

    assert shown.json() == json.loads(files.OPENAPI.read_text(encoding="utf-8"))
