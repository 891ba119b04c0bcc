"""An HTTP/1.1 client that sends whatever it is given, over connections that it keeps."""

import asyncio
from dataclasses import dataclass

MOST_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    head: bytes  # as it came, with the status line
    body: bytes

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0]


class Connection:
    """A connection to a server on this machine, opened again where the server closes it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def exchange(self, request: bytes) -> Answer:
        """Send a request and read its answer; raises OSError or EOFError where none comes."""
        async with asyncio.timeout(MOST_SECONDS):
            if self._streams is None:
                self._streams = await asyncio.open_connection("127.0.0.1", self._port)
            reader, writer = self._streams
            try:
                writer.write(request)
                answer = await read_answer(reader)
            except BaseException:
                self.close()
                raise
        if answer.headers.get("connection") == "close":
            self.close()
        return answer

    async def exchange_all(self, request: bytes) -> list[Answer]:
        """Send something over a connection of its own, and read all answers until its end."""
        answers = []
        async with asyncio.timeout(MOST_SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            async with asyncio.timeout(MOST_SECONDS):
                writer.write(request)
                writer.write_eof()
                while True:
                    answers.append(await read_answer(reader))
        except (OSError, EOFError):
            return answers
        finally:
            writer.close()

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    head = await reader.readuntil(b"\r\n\r\n")
    status_line, *lines = head.decode("latin-1").split("\r\n")[:-2]
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    if "content-length" in headers:
        body = await reader.readexactly(int(headers["content-length"]))
    elif headers.get("transfer-encoding") == "chunked":
        body = await _read_chunks(reader)
    else:
        body = await reader.read()
    return Answer(int(status_line.split(" ", 2)[1]), headers, head, body)


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    pieces = []
    while size := int(await reader.readuntil(b"\r\n"), 16):
        pieces.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readexactly(2)
    return b"".join(pieces)
