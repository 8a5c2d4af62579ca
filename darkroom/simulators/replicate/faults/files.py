"""What goes wrong when an output is fetched."""

from typing import Literal

from pydantic import Field

from darkroom.simulators.faults import Fault


class FileFault(Fault):
    """A fault of one request for a file."""

    on: Literal["file"] = "file"


class FileError(FileFault):
    """Answers with this status instead of the file."""

    fault: Literal["file_error"] = "file_error"
    status: Literal[403, 404, 410, 429, 500, 502, 503] = 403


class FileExpired(FileFault):
    """The file is gone from now on, for good: 404."""

    fault: Literal["file_expired"] = "file_expired"


class FileSlow(FileFault):
    """The body trickles: so many bytes each second of real time."""

    fault: Literal["file_slow"] = "file_slow"
    bytes_per_second: int = Field(ge=1)


class FileTruncated(FileFault):
    """Promises the whole file in Content-Length, sends half, hangs up."""

    fault: Literal["file_truncated"] = "file_truncated"


class FileRedirect(FileFault):
    """302 to somewhere else: another host, a private address, itself (`to` empty)."""

    fault: Literal["file_redirect"] = "file_redirect"
    to: str = ""


class FileWrongType(FileFault):
    """Something else than its name says: an `html` page with 200, `other` picture bytes, or `empty`."""

    fault: Literal["file_wrong_type"] = "file_wrong_type"
    body: Literal["html", "other", "empty"] = "html"
