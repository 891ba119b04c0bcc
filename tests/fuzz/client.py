"""An HTTP/1.1 client that sends arbitrary bytes over persistent connections."""

import asyncio
from dataclasses import dataclass

TIMEOUT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    headers: dict[str, str]
    head: bytes  # the status line and the headers, as received
    body: bytes

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0]


class Connection:
    """A connection to a local server, reopened after the server closes it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def exchange(self, request: bytes) -> Response:
        """Send a request and read its response. Raises OSError or EOFError if there is none."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            if self._streams is None:
                self._streams = await asyncio.open_connection("127.0.0.1", self._port)
            reader, writer = self._streams
            try:
                writer.write(request)
                response = await read_response(reader)
            except BaseException:
                self.close()
                raise
        if response.headers.get("connection") == "close":
            self.close()
        return response

    async def exchange_all(self, request: bytes) -> list[Response]:
        """Send bytes over a new connection and read all responses until the server closes it."""
        responses = []
        async with asyncio.timeout(TIMEOUT_SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                writer.write(request)
                writer.write_eof()
                while True:
                    responses.append(await read_response(reader))
        except (OSError, EOFError):
            return responses
        finally:
            writer.close()

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def read_response(reader: asyncio.StreamReader) -> Response:
    head = await reader.readuntil(b"\r\n\r\n")
    status_line, *lines = head.decode("latin-1").split("\r\n")[:-2]
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    if "content-length" in headers:
        body = await reader.readexactly(int(headers["content-length"]))
    elif headers.get("transfer-encoding") == "chunked":
        body = await _read_chunks(reader)
    else:
        body = await reader.read()
    return Response(int(status_line.split(" ", 2)[1]), headers, head, body)


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    chunks = []
    while size := int(await reader.readuntil(b"\r\n"), 16):
        chunks.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readexactly(2)
    return b"".join(chunks)
