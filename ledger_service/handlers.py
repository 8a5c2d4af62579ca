"""What the ledger hears: everything but its own words."""

from collections.abc import Sequence
from uuid import UUID

from ledger_service import store
from ledger_service.announce import announcement
from ledger_service.attempts import attempts_of
from ledger_service.fold import Job, fold, standing
from schemas.events import FACTS, JobCompleted, ProviderCalledBack
from schemas.wire import encode
from stage import outbox
from stage.database import Connection
from stage.heard import Heard

NOT_HEARD = (JobCompleted.topic, ProviderCalledBack.topic)
"""Its own words, and doorbells: they say nothing that is not said again as a fact."""

TOPICS = tuple(topic for topic in FACTS if topic not in NOT_HEARD)


async def on_facts(connection: Connection, heard: Sequence[Heard]) -> None:
    """Fold a batch into the projections, and say which jobs are over because of it.

    Runs inside the batch's transaction, which also moves the offsets: what was heard is folded, announced and
    remembered together or not at all. A repeat folds to the same rows and announces nothing.
    """
    jobs = await store.load(connection, list({item.event.job_id for item in heard}))
    touched: dict[UUID, Job] = {}
    for item in heard:
        event = item.event
        job = jobs.setdefault(event.job_id, Job(event.job_id, event.tenant, event.occurred_at))
        touched[event.job_id] = fold(job, event, item.position)
    standings = [(job, standing(job)) for job in touched.values()]
    said = [fact for job, now in standings if (fact := announcement(job, now))]
    for fact in said:
        touched[fact.job_id].announced = fact.revision
    await store.write(connection, standings)
    await store.add_attempts(connection, (attempt for item in heard for attempt in attempts_of(item.event)))
    await store.add_facts(connection, heard)
    await outbox.add(connection, [encode(fact, source="ledger") for fact in said])
