"""A stretch of a file as a file of its own: a body that goes up without being in memory."""

import hashlib
import io
from typing import TYPE_CHECKING, BinaryIO

from uploader_service.landing import PORTION

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class FilePart(io.RawIOBase):
    """Reads `size` bytes of `file` from `start` on, and closes it when it is closed."""

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self.size = size
        self._file, self._start, self._at = file, start, 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is: a request that is sent again begins anew."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Fill `buffer` from where we are. Returns how many bytes it was."""
        wanted = min(memoryview(buffer).nbytes, max(0, self.size - self._at))
        self._file.seek(self._start + self._at)
        found = self._file.read(wanted)
        memoryview(buffer).cast("B")[: len(found)] = found
        self._at += len(found)
        return len(found)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place within this part."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        return self._at

    def close(self) -> None:
        """Close the file as well."""
        self._file.close()
        super().close()

    def md5(self) -> bytes:
        """The sum of all of it. Blocks; where we are stays the same."""
        sum_, at = hashlib.md5(usedforsecurity=False), self._at
        self.seek(0)
        while portion := self.read(PORTION):
            sum_.update(portion)
        self.seek(at)
        return sum_.digest()
