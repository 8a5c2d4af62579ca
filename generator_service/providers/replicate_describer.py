"""Replicate tells what its models take."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx

from generator_service.providers.describing import Describer, Undescribable
from generator_service.providers.replicate_cards import card_of
from generator_service.providers.replicate_input import MODEL, VERSIONED
from generator_service.providers.transport import AnswerLost, NeverSent, OneShot, Refused
from schemas.catalogue import ModelCard

SECONDS = 30.0


class ReplicateDescriber:
    """Reads models from Replicate's API. `owner/name` is the latest version, `owner/name:version` that one."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def describe(self, model: str) -> ModelCard:
        named = MODEL.fullmatch(model) or VERSIONED.fullmatch(model)
        if named is None or named["model"] is None:
            raise Undescribable(f"{model} is no name at Replicate: give OWNER/NAME or OWNER/NAME:VERSION")
        told = await self._get(f"/v1/models/{named['model']}")
        wanted = named.groupdict().get("version")
        version = (
            await self._get(f"/v1/models/{named['model']}/versions/{wanted}") if wanted else told["latest_version"]
        )
        example = told["default_example"].get("output") if isinstance(told.get("default_example"), dict) else None
        schema = version.get("openapi_schema") if isinstance(version, dict) else None
        return card_of(model, told.get("description"), schema, example)

    async def _get(self, path: str) -> dict[str, Any]:
        try:
            told = json.loads((await self._client.get(path)).content)
        except Refused as refusal:
            why = {404: "there is no such model", 401: "the token is not accepted"}.get(refusal.status)
            raise Undescribable(f"{path}: {why or f'Replicate answers {refusal.status}'}") from None
        except (NeverSent, AnswerLost) as fault:
            raise Undescribable(f"{path}: Replicate cannot be asked ({fault.why})") from None
        except (ValueError, RecursionError):
            told = None
        if not isinstance(told, dict):
            raise Undescribable(f"{path}: the answer is no JSON object")
        return {"latest_version": None} | told


@asynccontextmanager
async def replicate_describer(environ: Mapping[str, str]) -> AsyncIterator[Describer]:
    """Replicate with the account's token: REPLICATE_API_TOKEN, and REPLICATE_BASE_URL when it is not Replicate's own.

    `KeyError` names the setting that is missing.
    """
    if not environ.get("REPLICATE_API_TOKEN"):
        raise KeyError("REPLICATE_API_TOKEN")
    headers = {"Authorization": f"Bearer {environ['REPLICATE_API_TOKEN']}"}
    base_url = environ.get("REPLICATE_BASE_URL") or "https://api.replicate.com"
    async with httpx.AsyncClient(base_url=base_url, headers=headers, transport=OneShot(SECONDS)) as client:
        yield ReplicateDescriber(client)
