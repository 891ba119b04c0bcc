"""One hostile request, which can be printed and sent again."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Case:
    kind: str  # how its answer is read, one of those in checks.py
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    marker: str = ""  # planted in it; no answer may have it
    refused_with: tuple[int, ...] = ()  # for its headers or query, whatever its body is
    framing: str = "length"  # or chunked; or broken: the headers lie about the body

    def to_bytes(self) -> bytes:
        """The request as it goes over the wire."""
        lines = [f"POST {self.path} HTTP/1.1", "Host: fuzz", *map(": ".join, self.headers)]
        body = self.body
        if self.framing == "length":
            lines.append(f"Content-Length: {len(body)}")
        elif self.framing == "chunked":
            lines.append("Transfer-Encoding: chunked")
            half = len(body) // 2
            pieces = [piece for piece in (body[:half], body[half:]) if piece]
            body = (
                b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
            )
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
