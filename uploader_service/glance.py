"""A file seen through a narrow door: parsers get what they may need, and no file makes them go on for ever."""

import io
from typing import BinaryIO, cast

MOST_BYTES = 16 << 20
"""What is read for a header. Pictures that are one piece to their parser are measured up to this size."""
MOST_READS = 200_000
"""Over an hour of MP3, frame by frame; two seconds of work."""


class SeenEnoughError(Exception):
    """Whoever looks for something has looked long enough: it is not cheap to find."""


def glance(file: BinaryIO) -> BinaryIO:
    """`file` for reading, until so much of it was read, or so often: `SeenEnoughError` then. Closes nothing."""
    return cast("BinaryIO", _Glance(file))


class _Glance(io.RawIOBase):
    def __init__(self, file: BinaryIO) -> None:
        self._file, self._bytes_left, self._reads_left = file, MOST_BYTES, MOST_READS

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int | None = -1) -> bytes:
        """Up to `size` bytes from where we are. What there is not costs nothing."""
        everything = size is None or size < 0
        content = self._file.read(self._bytes_left + 1 if everything else min(size or 0, self._bytes_left + 1))
        self._bytes_left -= len(content)
        self._reads_left -= 1
        if self._bytes_left < 0 or self._reads_left < 0:
            raise SeenEnoughError
        return content

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place within the file."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Where we are."""
        return self._file.tell()
