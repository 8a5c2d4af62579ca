"""Pure: how the rest of a body is asked for after it broke off, and whether an answer is that rest (RFC 9110)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")


@dataclass(frozen=True, slots=True)
class Version:
    """Which bytes a server is giving."""

    validator: str | None  # what If-Range may name: a strong ETag, else the date
    total: int | None
    in_ranges: bool  # it says that it gives parts

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> "Version":
        """What a whole answer says of itself."""
        etag, length = headers.get("ETag", ""), headers.get("Content-Length", "")
        strong = etag if len(etag) > 2 and etag[0] == etag[-1] == '"' else None
        return cls(
            strong or headers.get("Last-Modified"), int(length) if re.fullmatch(r"\d{1,18}", length) else None,
            headers.get("Accept-Ranges", "").lower() == "bytes",
        )  # fmt: skip

    @property
    def resumable(self) -> bool:
        """Whether the rest can be asked for, and be known for the rest of the same bytes."""
        return self.in_ranges and self.validator is not None

    def rest(self, start: int) -> dict[str, str]:
        """The headers that ask for everything from byte `start` on, as long as these are still the same bytes."""
        return {"Range": f"bytes={start}-", "If-Range": self.validator or ""}

    def goes_on(self, headers: Mapping[str, str], start: int) -> "Version | None":
        """This version with what a partial answer adds to it; None when the answer is not the rest from `start`."""
        said = CONTENT_RANGE.fullmatch(headers.get("Content-Range", "").strip())
        etag = headers.get("ETag", self.validator)
        if said is None or int(said[1]) != start or (str(self.validator)[0] == '"' and etag != self.validator):
            return None
        total = None if said[3] == "*" else int(said[3])
        if int(said[2]) < start or (total is not None and int(said[2]) >= total):
            return None
        if self.total is not None and total not in (None, self.total):
            return None
        return replace(self, total=total if total is not None else self.total)
