"""Whether a caller has an answer already."""


def known(etag: str, given: str | None) -> bool:
    """Whether `etag` is among what was sent as If-None-Match."""
    return given is not None and any(tag.strip().removeprefix("W/") in (etag, "*") for tag in given.split(","))
