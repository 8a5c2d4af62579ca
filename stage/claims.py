"""Which due rows are taken next, the same for every table of work rows."""


def due_rows(table: str) -> str:
    """SQL for a CTE `due (id)`: up to $2 rows of `table` that are due at $1, locked, one of each tenant in turn.

    The table has `id`, `tenant` and `due_at` (null: nothing to do), with an index on (tenant, due_at) where
    due_at is not null. Rows that another worker holds are passed over. A tenant with a long queue delays
    another one by one row, not by its queue.
    """
    return f"""
        WITH RECURSIVE lanes AS (
            (SELECT tenant FROM {table} WHERE due_at IS NOT NULL ORDER BY tenant LIMIT 1)
            UNION ALL
            SELECT (SELECT later.tenant FROM {table} AS later
                    WHERE later.due_at IS NOT NULL AND later.tenant > lanes.tenant ORDER BY later.tenant LIMIT 1)
            FROM lanes WHERE lanes.tenant IS NOT NULL
        ), due AS MATERIALIZED (
            SELECT turns.id FROM lanes CROSS JOIN LATERAL (
                SELECT locked.id, row_number() OVER () AS turn FROM (
                    SELECT work.id FROM {table} AS work
                    WHERE work.tenant = lanes.tenant AND work.due_at <= $1
                    ORDER BY work.due_at LIMIT $2 FOR UPDATE SKIP LOCKED
                ) AS locked
            ) AS turns
            WHERE lanes.tenant IS NOT NULL ORDER BY turns.turn LIMIT $2
        )
    """  # noqa: S608 - a table's name from our own code
