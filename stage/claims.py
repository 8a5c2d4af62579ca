"""Which due rows are taken next, the same for every table of work rows."""


def due_rows(table: str, only: str = "due_at IS NOT NULL", order: str = "due_at", most: str = "$2") -> str:
    """SQL for a CTE `due (id)`: up to $2 rows of `table` that are due at $1, locked, one of each tenant in turn.

    The table has `id`, `tenant` and `due_at` (null: nothing to do), with an index on (tenant, due_at) where
    due_at is not null; `only` says which rows count, and `order` which of a tenant's go first, by the table's own
    column names; `most` is how many of one tenant (`lane`). Rows that another worker holds are passed over. A tenant
    with a long queue delays another one by one row, not by its queue.
    """
    return f"""
        WITH RECURSIVE lanes (lane) AS (
            (SELECT tenant FROM {table} WHERE {only} ORDER BY tenant LIMIT 1)
            UNION ALL
            SELECT (SELECT tenant FROM {table} WHERE {only} AND tenant > lane ORDER BY tenant LIMIT 1)
            FROM lanes WHERE lane IS NOT NULL
        ), due AS MATERIALIZED (
            SELECT turns.id FROM lanes CROSS JOIN LATERAL (
                SELECT locked.id, row_number() OVER () AS turn FROM (
                    SELECT id FROM {table} WHERE {only} AND tenant = lane AND due_at <= $1
                    ORDER BY {order} LIMIT {most} FOR UPDATE SKIP LOCKED
                ) AS locked
            ) AS turns
            WHERE lane IS NOT NULL ORDER BY turns.turn LIMIT $2
        )
    """  # noqa: S608 - a table's name from our own code
