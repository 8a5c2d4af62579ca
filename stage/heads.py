"""How much of a request is read before anybody has looked at it."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES = 64 * 1_024
"""As uvicorn's other parser has it. This one, which is faster, reads a head of any size."""

TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class BoundedHeads(HttpToolsProtocol):
    """Reads HTTP, and closes a connection whose request line and headers have not ended after `HEAD_BYTES`: one
    without an end would fill the memory. What came with their beginning does not count, so that one is read whole.
    """

    _head: int | None = None
    """Bytes since the beginning of a head that has not ended."""

    def on_message_begin(self) -> None:
        self._head = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._head = None
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        if self._head is not None:
            self._head += len(data)
            if self._head > HEAD_BYTES:
                self.transport.write(TOO_LARGE)
                self.transport.close()
                return
        super().data_received(data)
