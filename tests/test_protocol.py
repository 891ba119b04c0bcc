"""Malformed, excessive, unusual and slow requests, over raw sockets."""

import contextlib
import json
import math
import re
import select
import socket
import subprocess
import threading
import time

import httpx
import pytest

from app.server.closing import MAX_DISCARDED_BYTES
from app.server.server import DRAIN_SECONDS, FINISH_SECONDS, SETTLE_SECONDS
from tests.support.processes import MEBIBYTE, forget_peak, resident_bytes
from tests.support.programs import find_program
from tests.support.raw_requests import chunk
from tests.support.rows import ROW, csv_header, csv_line
from tests.support.servers import serving
from tests.support.waiting import join_all

GET = b"GET /livez HTTP/1.1\r\nHost: test\r\n"
POST = b"POST /predict HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"
STREAM = b"POST /predict/batch HTTP/1.1\r\nHost: test\r\nContent-Type: text/csv\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
row = json.dumps(ROW).encode()
PREDICT_REQUEST = POST + b"Content-Length: %d\r\n\r\n%b" % (len(row), row)


@pytest.fixture(scope="module")
def server():
    """A separate server, which must write nothing to standard error."""
    with serving("--default", "notebook") as server:
        yield server
        assert server.stop() == 0
        assert server.remaining_lines() == ""


@contextlib.contextmanager
def connect(server, timeout=15):
    with socket.create_connection(("127.0.0.1", server.port), timeout=timeout) as connection:
        yield connection


def read_all(connection):
    """Everything received until the connection closes."""
    received = b""
    while piece := connection.recv(65536):
        received += piece
    return received


def answers_to(server, sent):
    """The status, headers and body of each response, until the server closes the connection."""
    with connect(server) as connection:
        connection.sendall(sent)
        return split(read_all(connection))


def split(received):
    answers = []
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:])
        length = int(headers.get("content-length", 0))
        answers.append((int(lines[0].split()[1]), headers, rest[:length]))
        received = rest[length:]
    return answers


def assert_rejected(answer, status):
    """Check that a response is a problem and announces that the connection closes."""
    came, headers, body = answer
    assert came == status
    assert headers["content-type"] == "application/problem+json"
    assert headers["connection"] == "close"
    problem = json.loads(body)
    assert problem["status"] == status
    assert problem["detail"].endswith(".")


def headers(count, size=0):
    return b"".join(b"X-%d: %b\r\n" % (index, b"a" * size) for index in range(count))


@pytest.mark.parametrize(
    ("status", "sent"),
    [
        (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n"),  # TLS
        (400, b"GET /livez\r\n\r\n"),
        (400, b"GET /livez HTTP/2.0\r\nHost: test\r\n\r\n"),
        (400, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        (400, b"GET /livez HTTP/1.1\r\n\r\n"),
        (400, GET + b"Host: test\r\n\r\n"),
        (400, GET + b"Host: other\r\n\r\n"),
        (400, b"GET /livez HTTP/1.1\r\nHost:\r\n\r\n"),
        (400, b"GET /livez HTTP/1.1\r\nHost: a b\r\n\r\n"),
        (400, b"GET /livez HTTP/1.1\r\nHost: test/path\r\n\r\n"),
        (400, b"GET /livez HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n"),
        (400, "GET /é HTTP/1.1\r\nHost: test\r\n\r\n".encode()),
        (400, b"GET /livez HTTP/1.1\nHost: test\n\n"),
        (400, GET + b"X: a\r\n folded\r\n\r\n"),
        (400, GET + b"X: a\x00b\r\n\r\n"),
        (400, b"CONNECT test:80 HTTP/1.1\r\nHost: test\r\n\r\n"),
        (400, POST + CHUNKED + b"Content-Length: 3\r\n\r\n0\r\n\r\n"),
        (400, POST + b"Content-Length: 3\r\n" + CHUNKED + b"\r\n0\r\n\r\n"),
        (400, POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\n{ }"),
        (400, POST + b"Content-Length: 3, 3\r\n\r\n{ }"),
        (400, POST + b"Content-Length: +3\r\n\r\n{ }"),
        (400, POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        (400, POST + b"Transfer-Encoding: identity\r\n\r\n{ }"),
        (400, POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
        (400, POST.replace(b"1.1", b"1.0") + CHUNKED + b"\r\n0\r\n\r\n"),
        (400, POST + CHUNKED + b"\r\nno number\r\n"),
        (400, POST + CHUNKED + b"\r\n3\r\n{ }}\r\n"),
        (414, b"GET /" + b"a" * 8192 + b" HTTP/1.1\r\nHost: test\r\n\r\n"),
        (414, b"GET /" + b"a" * 100_000),
        (431, GET + headers(100) + b"\r\n"),
        (431, GET + headers(1, 32 * 1024) + b"\r\n"),
        (431, GET + headers(34, 1024) + b"\r\n"),
        (431, GET + b"X: " + b"a" * 100_000),
        (431, b"GET " + b" " * 100_000),
        (431, b"\r\n" * 50_000),
        (431, POST + CHUNKED + b"\r\n0\r\nX: " + b"a" * 100_000),
        (431, POST + CHUNKED + b"\r\n0\r\n" + headers(102)),
        (431, POST + CHUNKED + b"\r\n1;" + b"a" * 100_000),
    ],
    ids=lambda value: repr(value[:60]) if isinstance(value, bytes) else str(value),
)
def test_malformed_or_too_large_requests_get_a_problem_and_the_connection_closes(
    server, status, sent
):
    (answer,) = answers_to(server, sent)

    assert_rejected(answer, status)


@pytest.mark.parametrize(
    ("status", "sent"),
    [
        (200, GET),
        (200, b"GET /livez HTTP/1.0\r\n"),
        (200, b"GET /livez HTTP/1.1\r\nHost: [::1]:8000\r\n"),
        (200, b"GET http://other/livez HTTP/1.1\r\nHost: test\r\n"),
        (200, GET + headers(98)),
        (200, GET + headers(1, 32_000)),
        (404, b"GET /" + b"a" * 8100 + b" HTTP/1.1\r\nHost: test\r\n"),
        (404, b"GET /%zz%ff%00 HTTP/1.1\r\nHost: test\r\n"),
        (404, b"OPTIONS * HTTP/1.1\r\nHost: test\r\n"),
    ],
    ids=lambda value: repr(value[:60]) if isinstance(value, bytes) else str(value),
)
def test_unusual_but_valid_requests_are_accepted(server, status, sent):
    answers = answers_to(server, sent + b"Connection: close\r\n\r\n")

    assert [answer[0] for answer in answers] == [status]


def test_trailers_and_chunk_extensions_are_ignored(server):
    body = b"%x;name=value\r\n%b\r\n0\r\n" % (len(row), row)
    sent = POST + CHUNKED + b"\r\n" + body + b"Host: other\r\nContent-Type: text/csv\r\n\r\n"

    answers = answers_to(server, sent + GET + b"Connection: close\r\n\r\n")

    assert [answer[0] for answer in answers] == [200, 200]


@pytest.mark.parametrize("framing", ["Content-Length", "chunked"])
@pytest.mark.parametrize("pause", [0, 0.1])
def test_an_upgrade_is_ignored_and_its_body_is_not_parsed_as_a_request(server, framing, pause):
    """Java's HttpClient asks for h2c like this; parsing the body as a request would smuggle it in."""
    body = b"GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n"
    length = b"Content-Length: %d\r\n" % len(body) if framing == "Content-Length" else CHUNKED
    body = body if framing == "Content-Length" else chunk(body) + chunk(b"")
    with connect(server) as connection:
        upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n"
        connection.sendall(POST + upgrade + length + b"\r\n")
        time.sleep(pause)
        connection.sendall(body)
        connection.sendall(PREDICT_REQUEST + GET + b"Connection: close\r\n\r\n")
        answers = split(read_all(connection))

    assert [answer[0] for answer in answers] == [422, 200, 200]


def test_a_request_with_an_upgrade_is_counted_once():
    """Counted twice, its idle connection would delay the shutdown and be reported."""
    offer = b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    with serving("--default", "notebook") as server, connect(server) as connection:
        connection.sendall(GET + offer)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        started = time.monotonic()

        assert server.stop() == 0
        assert time.monotonic() - started < DRAIN_SECONDS + SETTLE_SECONDS + FINISH_SECONDS
        assert server.remaining_lines() == ""


def test_a_rejected_upload_is_discarded_up_to_a_limit(server):
    """A client may send a whole rejected body before it reads the response, up to a limit."""
    size = MAX_DISCARDED_BYTES + 32 * MEBIBYTE  # more than the kernel's buffers hold
    head = POST.replace(b"/json", b"/xml") + b"Content-Length: %d\r\n\r\n" % size
    with connect(server) as connection, pytest.raises((ConnectionResetError, BrokenPipeError)):
        connection.sendall(head + b" " * size)


def test_the_last_response_of_a_shutdown_reaches_a_client_that_goes_on_sending():
    """What it sends after that request is discarded; a reset would destroy the response."""
    with serving("--default", "notebook") as server, connect(server) as connection:
        connection.sendall(PREDICT_REQUEST[:-10])
        time.sleep(0.3)
        server.process.terminate()
        time.sleep(0.3)
        connection.sendall(
            PREDICT_REQUEST[-10:] + PREDICT_REQUEST * (20 * MEBIBYTE // len(PREDICT_REQUEST))
        )
        received = read_all(connection)

        assert received.startswith(b"HTTP/1.1 200")
        assert received.count(b"HTTP/1.1") == 1
        assert server.process.wait(timeout=15) == 0


def test_curl_with_an_http_2_upgrade_gets_a_prediction(server):
    curl = find_program("curl", package="curl")
    command = [curl, "-sS", "--http2", "-H", "content-type: application/json", "-d", row.decode()]
    answer = subprocess.run(
        [*command, f"{server.url}/predict"], capture_output=True, check=True, timeout=10
    )

    assert "prediction" in json.loads(answer.stdout)


def test_a_short_response_is_sent_in_one_piece(server):
    """A killed server has then sent all or nothing of it, never a head without its body."""
    with connect(server) as connection:
        pieces = []
        for _ in range(100):
            connection.sendall(PREDICT_REQUEST)
            pieces.append(connection.recv(65536))

    assert {piece.endswith(b"}") for piece in pieces} == {True}


def test_expect_100_continue_gets_100_before_the_body(server):
    with connect(server) as connection:
        head = POST + b"Expect: 100-continue\r\nContent-Length: %d\r\n" % len(row)
        connection.sendall(head + b"Connection: close\r\n\r\n")
        asked = connection.recv(25)
        connection.sendall(row)
        answers = split(read_all(connection))

    assert asked == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert [answer[0] for answer in answers] == [200]


def test_expect_100_continue_gets_the_error_at_once_if_the_request_is_rejected(server):
    head = POST.replace(b"/json", b"/xml") + b"Expect: 100-continue\r\nContent-Length: 100\r\n\r\n"
    with connect(server) as connection:
        connection.sendall(head)
        answers = split(read_all(connection))

    assert_rejected(*answers, 415)


def test_pipelined_requests_all_get_responses_in_order(server):
    """More requests than are parsed at a time, all sent before any response is read."""
    requests, expected = [], []
    for index in range(500):
        status = 200 if index % 3 else 404
        requests.append(
            PREDICT_REQUEST + (GET if index % 3 else GET.replace(b"livez", b"nope")) + b"\r\n"
        )
        expected += [200, status]

    answers = answers_to(server, b"".join(requests) + GET + b"Connection: close\r\n\r\n")

    assert [answer[0] for answer in answers] == [*expected, 200]
    assert all(b"prediction" in answer[2] for answer in answers[:-1:2])


def test_requests_before_a_malformed_one_get_their_responses_first(server):
    answers = answers_to(
        server, (PREDICT_REQUEST + GET + b"\r\n") * 20 + b"nonsense\r\n\r\n" + GET + b"\r\n"
    )

    assert [answer[0] for answer in answers] == [200] * 40 + [400]
    assert_rejected(answers[-1], 400)


def test_requests_before_a_malformed_body_get_their_responses_first(server):
    answers = answers_to(
        server, PREDICT_REQUEST * 3 + POST + CHUNKED + b"\r\nno number\r\n" + PREDICT_REQUEST
    )

    assert [answer[0] for answer in answers] == [200] * 3 + [400]


@pytest.mark.parametrize("size", [1, 1024, 4096, 65_536, 65_537, 70_000])
def test_a_request_after_a_rejected_one_with_a_body_gets_its_response(server, size):
    """The second request is larger than what is parsed at a time."""
    unwanted = STREAM.replace(b"csv", b"xml") + b"Content-Length: %d\r\n\r\n" % size + b" " * size
    rows = b"[%b]" % b",".join([row] * 10)
    head = STREAM.replace(b"text/csv", b"application/json") + b"Connection: close\r\n"
    wanted = head + b"Content-Length: %d\r\n\r\n%b" % (len(rows), rows)
    with connect(server) as connection:
        connection.sendall(unwanted)
        first = connection.recv(65536)
        closes = b"connection: close" in first
        if not closes:
            connection.sendall(wanted)
        answers = split(first + read_all(connection))

    assert [answer[0] for answer in answers] == ([415] if closes else [415, 200])


@pytest.mark.parametrize(
    ("path", "media_type", "status"),
    [("/predict", "application/json", 413), ("/predict", "text/xml", 415), ("/nope", "x/y", 404)],
)
def test_a_client_that_sends_the_whole_rejected_body_can_read_the_error(
    server, path, media_type, status
):
    head = f"POST {path} HTTP/1.1\r\nHost: test\r\nContent-Type: {media_type}\r\n"
    length = b"Content-Length: 10000000\r\n\r\n"

    answers = answers_to(server, head.encode() + length + b" " * 10_000_000)

    assert_rejected(*answers, status)
    response = httpx.post(
        server.url + path, content=b" " * 10_000_000, headers={"content-type": media_type}
    )
    assert response.status_code == status


def silent(connection):
    yield b""


def header_stall(connection):
    yield GET


def header_drip(connection):
    yield GET
    while True:
        time.sleep(0.3)
        yield b"X: a\r\n"


def body_stall(connection):
    yield POST + b"Content-Length: 100\r\n\r\n{"


def body_drip(connection):
    yield POST + CHUNKED + b"\r\n"
    while True:
        time.sleep(0.3)
        yield chunk(b" ")


def second_header_stall(connection):
    yield GET + b"\r\n" + GET


def empty_lines(connection):
    yield GET + b"\r\n"
    while True:
        time.sleep(0.3)
        yield b"\r\n"


def started_stream_stall(connection):
    yield STREAM + CHUNKED + b"\r\n" + chunk(csv_header + csv_line * 10_000)


def run_slowly(server, pattern, outcome):
    """Record the seconds until a slow client is disconnected, and what it received."""
    with connect(server) as connection:
        started = time.monotonic()
        with contextlib.suppress(OSError):
            for some in pattern(connection):
                connection.sendall(some)
                if select.select([connection], [], [], 0)[0] and time.monotonic() - started > 7:
                    break
        received = b""
        with contextlib.suppress(ConnectionResetError):
            received = read_all(connection)
        outcome[pattern.__name__] = time.monotonic() - started, received


def read_nothing(server, outcome):
    """Request megabytes of pages without reading; records the seconds until the reset."""
    with socket.socket() as connection:
        connection.settimeout(15)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", server.port))
        started = time.monotonic()
        connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: test\r\n\r\n" * 200)
        poll = select.poll()
        poll.register(connection, select.POLLHUP | select.POLLERR)
        poll.poll(15_000)
        outcome["read_nothing"] = time.monotonic() - started, b""


def send_rows_slowly(server, outcome):
    """Send a CSV line a second for longer than the deadline; records the responses."""
    with connect(server) as connection:
        connection.sendall(STREAM + CHUNKED + b"\r\n" + chunk(csv_header))
        for _ in range(10):
            connection.sendall(chunk(csv_line))
            time.sleep(1)
        connection.sendall(chunk(b""))
        outcome["send_rows_slowly"] = 0, read_all(connection)


def stay_idle(server, outcome):
    """Send two requests on one connection, with more than the deadline between them."""
    with connect(server) as connection:
        connection.sendall(GET + b"\r\n")
        first = connection.recv(65536)
        time.sleep(9.5)
        connection.sendall(GET + b"Connection: close\r\n\r\n")
        outcome["stay_idle"] = 0, first + read_all(connection)


def test_slow_clients_are_disconnected_within_ten_seconds_and_idle_ones_are_not(server):
    outcome = {}
    patterns = [
        *(silent, header_stall, header_drip, body_stall, body_drip),
        *(second_header_stall, empty_lines, started_stream_stall),
    ]
    clients = [
        *(
            threading.Thread(target=run_slowly, args=(server, p, outcome), daemon=True)
            for p in patterns
        ),
        *(
            threading.Thread(target=client, args=(server, outcome), daemon=True)
            for client in (read_nothing, send_rows_slowly, stay_idle)
        ),
    ]
    for client in clients:
        client.start()
    join_all(clients)

    for name in ("silent", "header_stall", "header_drip", "body_stall", "body_drip"):
        (answer,) = split(outcome[name][1])
        assert_rejected(answer, 408)
    for name in ("second_header_stall", "empty_lines"):
        answers = split(outcome[name][1])
        assert [answer[0] for answer in answers] == [200, 408]
    stream = outcome["started_stream_stall"][1]
    assert stream.startswith(b"HTTP/1.1 200")
    assert b"HTTP/1.1 408" not in stream
    assert not stream.endswith(b"0\r\n\r\n")  # visibly cut off
    assert outcome["send_rows_slowly"][1].count(b"\n4.3") == 10
    assert outcome["send_rows_slowly"][1].endswith(b"0\r\n\r\n")
    assert outcome["stay_idle"][1].count(b"HTTP/1.1 200") == 2
    for name, (seconds, _) in outcome.items():
        assert seconds < 10, name


def send_without_end(connection, first, some, max_bytes):
    """Send until the server closes or blocks, or `max_bytes` are sent; returns the bytes sent."""
    connection.settimeout(2)
    sent = len(first)
    with contextlib.suppress(OSError):
        connection.sendall(first)
        while sent < max_bytes:
            connection.sendall(some)
            sent += len(some)
    return sent


@pytest.mark.parametrize(
    ("first", "some"),
    [
        (GET + b"X: ", b"a" * 65536),
        (GET, headers(4096)),
        (b"GET /", b"a" * 65536),
        (POST + CHUNKED + b"\r\n", chunk(b" " * 65536)),
        (POST + CHUNKED + b"\r\n", chunk(b" ") * 10_000),
        (POST + CHUNKED + b"\r\n0\r\nX: ", b"a" * 65536),
        (b"", b"GET /openapi.json HTTP/1.1\r\nHost: test\r\n\r\n" * 1000),
        (b"", b"GET /livez HTTP/1.1\r\nHost:a\r\n\r\n" * 2000),
        (b"", PREDICT_REQUEST * 500),
    ],
    ids=[
        *("a header", "headers", "a target", "large chunks", "small chunks", "a trailer"),
        *("requests for pages", "requests", "rows"),
    ],
)
def test_endless_input_takes_little_memory(server, first, some):
    httpx.post(f"{server.url}/predict", json=ROW)
    httpx.get(f"{server.url}/openapi.json")
    idle = resident_bytes(server.process)
    forget_peak(server.process)
    with connect(server) as connection:
        send_without_end(connection, first, some, 64 * MEBIBYTE)

        assert httpx.post(f"{server.url}/predict", json=ROW).status_code == 200
    assert resident_bytes(server.process, "VmHWM") - idle < 32 * MEBIBYTE


@pytest.mark.parametrize(
    "request_", [GET + b"\r\n", b"GET /openapi.json HTTP/1.1\r\nHost: test\r\n\r\n"]
)
def test_many_clients_that_pipeline_and_read_nothing_take_little_memory(server, request_):
    httpx.get(f"{server.url}/openapi.json")
    idle = resident_bytes(server.process)
    forget_peak(server.process)
    pipeline = request_ * 20_000
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(connect(server)) for _ in range(100)]
        for connection in connections:
            connection.settimeout(0)
        for _ in range(20):
            for connection in connections:
                with contextlib.suppress(OSError):
                    connection.send(pipeline)
            time.sleep(0.05)

        assert httpx.post(f"{server.url}/predict", json=ROW, timeout=60).status_code in (200, 503)
        peak = resident_bytes(server.process, "VmHWM")
    assert peak - idle < 32 * MEBIBYTE


def test_a_thousand_silent_connections_take_little_memory_and_block_no_request(server):
    idle = resident_bytes(server.process)
    forget_peak(server.process)
    seconds = []
    with contextlib.ExitStack() as stack, httpx.Client(base_url=server.url) as client:
        for index in range(1000):
            connection = stack.enter_context(connect(server))
            connection.sendall((b"", GET, POST + b"Content-Length: 100\r\n\r\n{")[index % 3])
        for _ in range(500):
            started = time.perf_counter()
            assert client.post("/predict", json=ROW).status_code == 200
            seconds.append(time.perf_counter() - started)
    peak = resident_bytes(server.process, "VmHWM")

    assert peak - idle < 32 * MEBIBYTE
    p99 = sorted(seconds)[math.ceil(len(seconds) * 0.99) - 1]
    print(f"p99 {p99 * 1000:.1f} ms, {(peak - idle) / MEBIBYTE:.1f} MiB")


def counted(server, code):
    """The number of requests without a route that got a status."""
    text = httpx.get(f"{server.url}/metrics", headers={"accept": "text/plain"}).text
    found = re.findall(rf'requests_total{{code="{code}",.*route="unmatched"}} (\S+)', text)
    return float(found[0]) if found else 0.0


def test_a_rejection_of_malformed_http_has_the_usual_headers_and_is_counted(server):
    before = counted(server, 400)

    (answer,) = answers_to(server, b"nonsense\r\n\r\n")

    assert_rejected(answer, 400)
    assert re.fullmatch("[0-9a-f]{32}", answer[1]["x-request-id"])
    assert answer[1]["content-security-policy"].startswith("default-src 'none'")
    assert counted(server, 400) == before + 1


def test_a_rejected_request_is_no_longer_in_flight_while_its_client_stays(server):
    with connect(server) as connection:
        connection.sendall(b"nonsense\r\n\r\n")
        assert read_all(connection).startswith(b"HTTP/1.1 400")
        text = httpx.get(f"{server.url}/metrics", headers={"accept": "text/plain"}).text

    assert "housing_http_requests_in_flight 1.0\n" in text  # the request for the metrics


@pytest.mark.parametrize("version", [b"2.0", b"0.9"])
def test_a_request_of_another_http_version_runs_no_route(server, version):
    def runs():
        text = httpx.get(f"{server.url}/metrics", headers={"accept": "text/plain"}).text
        return re.findall(r'requests_total{code="200",method="GET",route="/livez"} \S+', text)

    before = runs()

    (answer,) = answers_to(server, b"GET /livez HTTP/%b\r\nHost: test\r\n\r\n" % version)

    assert_rejected(answer, 400)
    assert runs() == before


def test_an_upgrade_does_not_change_the_limit_on_headers(server):
    offer = b"Connection: Upgrade\r\nUpgrade: h2c\r\n"
    with connect(server) as connection:
        connection.sendall(GET + offer + headers(22, 1024) + b"\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")

    (answer,) = answers_to(server, GET + offer + headers(34, 1024) + b"\r\n")

    assert_rejected(answer, 431)


@pytest.mark.parametrize("path", [b"/predict", b"/explain", b"/predict/batch"])
def test_a_client_that_half_closes_gets_its_response(server, path):
    body = json.dumps([ROW] * 100 if path.endswith(b"batch") else ROW).encode()
    head = b"POST %b HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n" % path
    with connect(server) as connection:
        connection.sendall(head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        connection.shutdown(socket.SHUT_WR)

        assert read_all(connection).startswith(b"HTTP/1.1 200")
