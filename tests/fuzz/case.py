"""A test case: one request, which can be printed and sent again."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Case:
    kind: str  # selects the generator of the request and the checks of the response
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    marker: str = ""  # a text in the request that no response may repeat
    error_statuses: tuple[int, ...] = ()  # expected because of the headers or the query
    framing: str = "length"  # or "chunked", or "broken": the headers do not match the body

    def to_bytes(self) -> bytes:
        """Serialize the request."""
        lines = [f"POST {self.path} HTTP/1.1", "Host: fuzz", *map(": ".join, self.headers)]
        body = self.body
        if self.framing == "length":
            lines.append(f"Content-Length: {len(body)}")
        elif self.framing == "chunked":
            lines.append("Transfer-Encoding: chunked")
            half = len(body) // 2
            chunks = [chunk for chunk in (body[:half], body[half:]) if chunk]
            encoded = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
            body = encoded + b"0\r\n\r\n"
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
