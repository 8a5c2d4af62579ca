"""How far a service has read, kept beside the effects and moved in the same transaction."""

from collections.abc import Iterable, Mapping

from stage.database import Connection
from stage.sift import Partition


async def lock(connection: Connection, places: Iterable[Partition]) -> dict[Partition, int]:
    """The next offset of each place, locked until the transaction ends: a second reader waits, then drops its batch.

    Locked with them are their numbers' places in other topics. Those may belong to another replica, for the moment of
    a rebalance or for as long as replicas do not divide the partitions evenly, and hold other facts of the same jobs:
    two who each fold half of a job would write over one another.
    """
    wanted = set(places)
    rows = await connection.fetch(
        """
        SELECT topic, partition, next FROM offsets WHERE partition = ANY($1::int[])
        ORDER BY topic, partition FOR UPDATE
        """,
        list({number for _, number in wanted}),
    )
    return {place: row["next"] for row in rows if (place := (row["topic"], row["partition"])) in wanted}


async def move(connection: Connection, following: Mapping[Partition, int]) -> None:
    """Say that everything below each offset has had its effects."""
    topics, partitions = _columns(following)
    await connection.execute(
        """
        UPDATE offsets SET next = moved.next
        FROM unnest($1::text[], $2::int[], $3::bigint[]) AS moved (topic, partition, next)
        WHERE offsets.topic = moved.topic AND offsets.partition = moved.partition
        """,
        topics,
        partitions,
        list(following.values()),
    )


async def stored(connection: Connection, places: Iterable[Partition]) -> dict[Partition, tuple[int, str]]:
    """The next offset of each place that was ever read, and the cluster it belongs to."""
    topics, partitions = _columns(places)
    rows = await connection.fetch(
        """
        SELECT topic, partition, next, cluster_id FROM offsets
        JOIN unnest($1::text[], $2::int[]) AS wanted (topic, partition) USING (topic, partition)
        """,
        topics,
        partitions,
    )
    return {(row["topic"], row["partition"]): (row["next"], row["cluster_id"]) for row in rows}


async def begin(connection: Connection, following: Mapping[Partition, int], cluster: str) -> None:
    """Start places that were never read. One that another reader began meanwhile keeps what it has."""
    topics, partitions = _columns(following)
    await connection.execute(
        """
        INSERT INTO offsets (topic, partition, next, cluster_id)
        SELECT topic, partition, next, $4 FROM unnest($1::text[], $2::int[], $3::bigint[]) AS t (topic, partition, next)
        ON CONFLICT DO NOTHING
        """,
        topics,
        partitions,
        list(following.values()),
        cluster,
    )


def _columns(places: Iterable[Partition]) -> tuple[list[str], list[int]]:
    pairs = list(places)
    return [topic for topic, _ in pairs], [partition for _, partition in pairs]
