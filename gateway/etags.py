"""Whether a caller has an answer already."""


def known(etag: str, given: str | None) -> bool:
    """Whether `etag` is among what was sent as If-None-Match."""
    return bool({tag.strip().removeprefix("W/") for tag in (given or "").split(",")} & {etag, "*"})
