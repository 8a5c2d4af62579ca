"""No log of any service tells what people sent, who they are, or how to get at their files."""

import asyncio
import re
from urllib.parse import parse_qs, urlsplit

from darkroom.local.child import log_file
from darkroom.local.services import instances
from schemas.callbacks import Doorbell, live_keys
from tests.pipeline.driver import Json, Pipeline, until

FLUX = "black-forest-labs/flux-schnell"
MARK = "xylophone7319"
SECRETS = ("REPLICATE_API_TOKEN", "REPLICATE_WEBHOOK_SECRET", "S3_SECRET_ACCESS_KEY", "GATEWAY_DATABASE_URL")
BEARER = {"Authorization": f"Bearer dk_test_{MARK}", "X-API-Key": f"dk_test_{MARK}", "Cookie": f"session={MARK}"}
HEAD = b"POST /api/v1/generate HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + MARK.encode()


def logged(pipeline: Pipeline) -> dict[str, str]:
    """All that each process of ours has logged so far."""
    names = instances({"generator": 2, "uploader": 2})
    return {name: log_file(pipeline.stack.home, name).read_text(errors="replace") for name in names}


async def bytes_to(pipeline: Pipeline, raw: bytes) -> None:
    """Send the gateway bytes, and wait until it hangs up."""
    where = urlsplit(pipeline.stack.url("gateway"))
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    writer.write(raw)
    async with asyncio.timeout(10):
        await reader.read()
    writer.close()


async def ask_badly(pipeline: Pipeline) -> list[int]:
    """Every kind of request that is refused, each with the mark where somebody could have put a secret."""
    bodies = [
        f'{{"model": "m", "prompt": "{MARK}', f'{{"model": "{MARK}\\u0000", "prompt": "{MARK}\\u0000"}}',
        f'{{"prompt": "{MARK}", "num_outputs": 11, "seed": "{MARK}"}}', f'{{"model": "m", "prompt": "{MARK * 9_000}"}}',
        f'{{"model": "fake/painter", "prompt": "{MARK}", "output_format": "{MARK[:9]}"}}',
        f'{{"model": "fake/painter", "prompt": "{MARK}", "input": {{"{MARK}": "{MARK}\\u0007"}}}}',
        MARK * 20_000,
    ]  # fmt: skip
    post, get = pipeline.http.post, pipeline.http.get
    answers = [await post("/api/v1/generate", content=body, headers=BEARER) for body in bodies]
    answers += [await get(f"/api/v1/{path}", headers=BEARER) for path in (
        f"status/{MARK}", f"jobs?cursor={MARK}", f"jobs?metadata={MARK}%00=", f"{MARK}", f"jobs/{MARK}/history",
    )]  # fmt: skip
    await bytes_to(pipeline, HEAD + b"\x00\r\n\r\n" + MARK.encode())
    await bytes_to(pipeline, HEAD + b"\r\nContent-Length: 9\r\nConnection: close\r\n\r\n" + MARK.encode()[:9])
    return [answer.status_code for answer in answers]


async def call_back(pipeline: Pipeline, bell: Doorbell) -> list[str]:
    """Ring with a proven path but no signature, and with a proof of somebody else's. Returns the proofs."""
    kid, secret = next(iter(live_keys(pipeline.stack.environ["CALLBACK_KEYS"]).items()))
    right, wrong = bell.path(kid, secret), bell.path(kid, MARK)
    answers = [await pipeline.http.post(path, content=f'{{"id": "{MARK}"}}') for path in (right, wrong)]
    assert [answer.status_code for answer in answers] == [401, 404]
    return [path.rpartition("/")[2] for path in (right, wrong)]


async def links_to(pipeline: Pipeline, job: Json) -> list[str]:
    """The signatures of every link that the gateway gives out for a job."""
    [media] = job["media"]
    found = [media["presigned_media_url"], (await pipeline.http.get(media["content_url"])).headers["location"]]
    return [parse_qs(urlsplit(link).query)["X-Amz-Signature"][0] for link in found]


async def test_what_was_sent_and_what_opens_doors_is_in_no_log(pipeline: Pipeline) -> None:
    told: Json = {"prompt": f"a {MARK}", "num_outputs": 1, "metadata": {"order": MARK}}
    made = [
        await pipeline.submit(model="fake/painter", input={"style": MARK}, **told),
        await pipeline.submit(model=FLUX, input={"style": MARK}, **told),
    ]
    refused = await ask_badly(pipeline)
    jobs = [await pipeline.end_of(job) for job in made]
    bell = Doorbell("replicate", made[1], (await pipeline.calls(made[1]))[0]["id"], 1)

    secrets = [*await call_back(pipeline, bell), *await links_to(pipeline, jobs[0])]
    secrets += [pipeline.stack.environ[name] for name in SECRETS]

    async def written() -> bool:
        return "a callback's signature is wrong" in logged(pipeline)["gateway"]

    await until(written, 10, "the gateway to log what it refused")
    said = logged(pipeline)
    assert {status // 100 for status in refused} == {4}
    assert {name for name, text in said.items() if text} == said.keys()
    assert [name for name, text in said.items() if MARK in text] == []
    assert [(name, secret[:4]) for name, text in said.items() for secret in secrets if secret in text] == []
    assert not re.search(r"X-Amz-Signature=[0-9a-f]", "".join(said.values()))
