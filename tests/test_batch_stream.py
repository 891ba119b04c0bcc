"""Batches larger than the memory limit, streamed by real clients."""

import contextlib
import socket
import subprocess
import threading
import time

import httpx
import pyarrow as pa
import pytest

from models.features import FEATURE_NAMES
from tests.support.pipes import read_some
from tests.support.processes import MEBIBYTE, forget_peak, processor_seconds, resident_bytes
from tests.support.programs import find_program
from tests.support.raw_requests import chunk
from tests.support.rows import ROW, csv_header, csv_line, ndjson_line
from tests.support.servers import serving
from tests.support.waiting import join_all

ROWS = 2_000_000
AT_ONCE = 10_000


@pytest.fixture(scope="module")
def server():
    with serving("--default", "notebook") as server:
        httpx.post(f"{server.url}/predict", json=ROW)
        yield server


def request_head(media_type, path="/predict/batch"):
    return (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {media_type}\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    ).encode()


def connect(server):
    return socket.create_connection(("127.0.0.1", server.port), timeout=10)


@pytest.mark.parametrize(
    ("media_type", "header", "line"),
    [("text/csv", csv_header, csv_line), ("application/x-ndjson", b"", ndjson_line)],
)
def test_two_million_rows_need_bounded_memory_and_do_not_block_other_requests(
    server, media_type, header, line
):
    curl = find_program("curl", package="curl")
    idle = resident_bytes(server.process)
    forget_peak(server.process)
    command = [
        curl,
        "-sS",
        "--max-time",
        "120",
        "-T",
        "-",
        "-X",
        "POST",
        "-H",
        f"content-type: {media_type}",
    ]
    with subprocess.Popen(
        [*command, f"{server.url}/predict/batch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:

        def send():
            process.stdin.write(header)
            for _ in range(ROWS // AT_ONCE):
                process.stdin.write(line * AT_ONCE)
            process.stdin.close()

        answers = []
        read = threading.Thread(
            target=lambda: answers.extend(count_lines(process.stdout)), daemon=True
        )
        sent = threading.Thread(target=send, daemon=True)
        read.start(), sent.start()
        statuses = []
        with httpx.Client(base_url=server.url) as client:
            while read.is_alive():
                statuses.append(client.post("/predict", json=ROW).status_code)
                time.sleep(0.01)
        join_all([sent])

    peak = resident_bytes(server.process, "VmHWM")
    assert sum(answers) == ROWS + bool(header)
    assert peak - idle < 64 * MEBIBYTE
    assert set(statuses) == {200}
    assert len(statuses) > 100


def count_lines(file):
    deadline = time.monotonic() + 120
    while piece := read_some(file, MEBIBYTE, deadline):
        yield piece.count(b"\n")


def test_predictions_are_sent_before_all_rows_have_arrived(server):
    with connect(server) as client:
        client.sendall(request_head("text/csv") + chunk(csv_header + csv_line * 3))
        received = b""
        while received.count(b"\n4.3") < 3:
            received += client.recv(65536)
        client.sendall(chunk(csv_line) + chunk(b""))
        while not received.endswith(b"0\r\n\r\n"):
            received += client.recv(65536)

    assert received.startswith(b"HTTP/1.1 200")
    assert received.count(b"\n4.3") == 4


def test_scoring_stops_when_the_client_disconnects(server):
    with connect(server) as client:
        client.sendall(request_head("text/csv", "/predict/batch?model=champion"))
        client.settimeout(1)
        send_until_blocked(client, chunk(csv_header + csv_line * 200_000))

    assert_becomes_idle(server)


def send_until_blocked(client, some):
    sent = 0
    with contextlib.suppress(TimeoutError):
        while sent < 512 * MEBIBYTE:
            client.sendall(some)
            sent += len(some)
    return sent


def test_scoring_pauses_in_bounded_memory_while_the_client_does_not_read(server):
    idle = resident_bytes(server.process)
    with connect(server) as client:
        client.settimeout(1)
        client.sendall(request_head("text/csv") + chunk(csv_header))

        assert send_until_blocked(client, chunk(csv_line * 1000)) < 512 * MEBIBYTE
        assert resident_bytes(server.process) - idle < 64 * MEBIBYTE
        assert_becomes_idle(server)
        assert httpx.post(f"{server.url}/predict", json=ROW).status_code == 200


def test_bytes_after_the_end_of_an_arrow_stream_get_422_and_are_not_buffered(server):
    media_type = "application/vnd.apache.arrow.stream"
    # The first such request imports pyarrow, which takes 30 to 50 MiB by the Python version.
    httpx.post(f"{server.url}/predict/batch", headers={"content-type": media_type})
    idle = resident_bytes(server.process)
    forget_peak(server.process)
    with connect(server) as client:
        client.sendall(request_head(media_type))
        client.sendall(
            chunk(pa.schema([(name, pa.float64()) for name in FEATURE_NAMES]).serialize())
        )
        client.sendall(chunk(b"\xff\xff\xff\xff\0\0\0\0"))
        client.sendall(chunk(bytes(MEBIBYTE)))
        received = client.recv(65536)
        # The server closes the connection when it has discarded enough.
        with contextlib.suppress(ConnectionError):
            for _ in range(200):
                client.sendall(chunk(bytes(MEBIBYTE)))

        assert resident_bytes(server.process, "VmHWM") - idle < 32 * MEBIBYTE
    assert received.startswith(b"HTTP/1.1 422 Unprocessable Content\r\n")
    assert (
        b"The Arrow stream must end at its end-of-stream mark, but more bytes follow it."
        in received
    )


def test_a_client_that_reads_only_after_sending_everything_gets_its_response(server):
    """As requests and httpx do; the responses to 50,000 rows fit into the buffers."""
    answer = httpx.post(
        f"{server.url}/predict/batch",
        content=csv_header + csv_line * 50_000,
        headers={"content-type": "text/csv"},
        timeout=60,
    )

    assert answer.text.count("\n4.3") == 50_000


def assert_becomes_idle(server):
    """Check that the process uses no more CPU time within some seconds."""
    for _ in range(50):
        before = processor_seconds(server.process)
        time.sleep(0.2)
        if processor_seconds(server.process) - before < 0.02:
            return
    pytest.fail("the server must become idle, but it still uses CPU time")
