"""How a generation's row becomes what is worked with, and back."""

from collections.abc import Sequence
from typing import Any

import asyncpg

from generator_service.calls import Call
from generator_service.claim import Claim, Verdict
from generator_service.plan import Generation


def columns_of(verdicts: Sequence[Verdict]) -> tuple[list[Any], ...]:
    """What verdicts write, a list for each column."""
    fields = (
        (
            v.claim.call.generation_id,
            v.claim.fence,
            v.state,
            v.due_at,
            v.provider_id,
            v.error,
            v.submitted_at,
            v.attempt,
        )
        for v in verdicts
    )
    return tuple(list(column) for column in zip(*fields, strict=True))


def claim_of(row: asyncpg.Record) -> Claim:
    """A generation's row, with its `state_before`, as its worker sees it."""
    return Claim(
        call=call_of(row), job_id=row["job_id"], tenant=row["tenant"], revision=row["revision"], number=row["number"],
        provider=row["provider"], fence=row["fence"], state=row["state_before"], polls=row["polls"],
        cost_units=row["cost_units"], cancel_at=row["cancel_at"], pay_again=row["pay_again"],
        max_attempts=row["max_attempts"],
    )  # fmt: skip


def call_of(row: asyncpg.Record) -> Call:
    """What a generation's row asks for."""
    return Call(
        generation_id=row["id"], attempt=row["attempt"], outputs=tuple(row["outputs"]), intent_at=row["intent_at"],
        submitted_at=row["submitted_at"], provider_id=row["provider_id"], **row["ask"],
    )  # fmt: skip


def generation_of(row: asyncpg.Record) -> Generation:
    """A generation's row as its plan. One that ended without an answer names the call that is to be looked for: its
    own, or the earlier one that it looked for itself and never paid again.
    """
    only_sought = row["seeks"] is not None and row["pay_again"] and row["provider_id"] is None
    lost = row["state"] == "FAILED" and (only_sought or row["last_error"] == "outcome_unknown")
    return Generation(
        id=row["id"], job_id=row["job_id"], revision=row["revision"], number=row["number"], tenant=row["tenant"],
        provider=row["provider"], model=row["model"], outputs=tuple(row["outputs"]), ask=row["ask"],
        cost_units=row["cost_units"], deadline=row["deadline"], max_attempts=row["max_attempts"],
        doubted_since=row["intent_at"] if lost else None,
        seeks=(row["seeks"] if only_sought else row["id"]) if lost else None,
    )  # fmt: skip
