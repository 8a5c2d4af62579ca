"""The two tables that every stage has in its own schema: how far it has read, and what it still has to say."""

from sqlalchemy import BigInteger, Column, Identity, Integer, LargeBinary, MetaData, Table, Text


def add_stage_tables(metadata: MetaData) -> None:
    """Add `offsets` and `outbox` to a service's tables."""
    Table(
        "offsets",
        metadata,
        Column("topic", Text, primary_key=True),
        Column("partition", Integer, primary_key=True),
        Column("next", BigInteger, nullable=False, comment="The first offset whose effects are not in this schema yet"),
        Column("cluster_id", Text, nullable=False, comment="The Kafka cluster that these offsets speak of"),
    )
    Table(
        "outbox",
        metadata,
        Column("id", BigInteger, Identity(always=True), primary_key=True),
        Column("topic", Text, nullable=False),
        Column("partition", Integer),
        Column("key", LargeBinary),
        Column("value", LargeBinary),
        Column("headers", LargeBinary, nullable=False, comment="JSON pairs of name and content, bytes as Latin-1"),
    )
