import os
import re
import signal
import socket

import httpx
import pytest

from app.access.api_keys import KeysFileError, key_line, read_keys
from tests.support.headers import KEY, bearer
from tests.support.rows import ROW
from tests.support.servers import new_connections, run, serving
from tests.support.waiting import wait_until

OTHER_KEY = "housing_" + "o" * 43
TOKEN = "a-token-of-nobody"
PROBES = ["/livez", "/readyz", "/healthz", "/v2/health/live", "/v2/health/ready"]
PAGES = ["/", "/docs", "/openapi.json", "/docs/swagger-ui/swagger-ui.css", "/page/docs.js"]
FIXED = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}


@pytest.fixture(scope="module")
def guarded_server(tmp_path_factory):
    """A server with every access option: keys, an admin token, allowed hosts and CORS origins."""
    file = tmp_path_factory.mktemp("access") / "keys"
    file.write_text(f"{key_line('alice', KEY)}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOUSING_ADMIN_TOKEN", TOKEN)
        patch.setenv("HOUSING_API_KEYS_FILE", str(file))
        patch.setenv("HOUSING_ALLOWED_HOSTS", "127.0.0.1, *.example.org,[::1]")
        patch.setenv("HOUSING_CORS_ORIGINS", "https://page.example,http://localhost:3000")
        with serving("--default", "notebook") as server:
            patch.undo()  # servers that other fixtures start must not get these
            yield server


@pytest.fixture(scope="module")
def guarded_client(guarded_server):
    with httpx.Client(base_url=guarded_server.url) as client:
        yield client


@pytest.mark.parametrize(
    "headers", [bearer(KEY), {"authorization": f"bearer  {KEY}"}, {"x-api-key": KEY}]
)
def test_a_key_in_either_header_gives_access_to_every_address(guarded_client, headers):
    assert guarded_client.post("/predict", json=ROW, headers=headers).status_code == 200
    assert guarded_client.get("/metrics", headers=headers).status_code == 200
    assert guarded_client.get("/v2/models/notebook", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        bearer(OTHER_KEY),
        {"authorization": "Bearer"},
        {"authorization": f"Basic {KEY}"},
        {"authorization": KEY},
        {"x-api-key": KEY[:-1]},
        {"x-api-key": key_line("alice", KEY)},
        {"x-api-key": "ÿ" * 40},
        bearer(TOKEN),
        {"cookie": f"key={KEY}"},
    ],
)
def test_a_missing_or_wrong_key_gets_401_with_the_same_message(guarded_client, headers):
    headers = {name: value.encode("latin-1") for name, value in headers.items()}
    problem = guarded_client.post("/predict", json=ROW, headers=headers)
    of_v2 = guarded_client.get("/v2/models", headers=headers)

    sentence = (
        "The request must have an API key, as Authorization: Bearer KEY or X-API-Key: KEY, "
        "got no known key."
    )
    assert (problem.status_code, of_v2.status_code) == (401, 401)
    assert problem.headers["content-type"] == "application/problem+json"
    assert problem.json()["detail"] == sentence
    assert of_v2.headers["content-type"] == "application/json"
    assert of_v2.json() == {"error": sentence}
    assert problem.headers["www-authenticate"] == of_v2.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "address",
    [
        "/metrics",
        "/models",
        "/explain",
        "/unknown",
        "/docs/../predict",
        "/livez/",
        "/v2/models/x/ready",
    ],
)
def test_every_address_that_is_not_public_needs_a_key(guarded_client, address):
    assert guarded_client.get(address).status_code == 401


@pytest.mark.parametrize("address", PROBES + PAGES)
def test_probes_and_pages_need_no_key(guarded_client, address):
    assert guarded_client.get(address).status_code == 200
    assert guarded_client.head(address).status_code == 200


def test_a_reload_needs_the_admin_token_and_accepts_no_api_key(guarded_client):
    reloads = [
        guarded_client.post("/models/notebook/reload", headers=headers)
        for headers in (bearer(TOKEN), bearer(KEY), {"x-api-key": KEY}, {})
    ]

    assert [response.status_code for response in reloads] == [200, 401, 401, 401]


def test_the_openapi_document_marks_the_operations_that_need_a_key(guarded_client, client):
    document = guarded_client.get("/openapi.json").json()
    documented = document["paths"]["/predict"]["post"]["responses"]["401"]["content"]
    either = [{"APIKey": []}, {"APIKeyHeader": []}]

    assert (
        guarded_client.post("/predict").json() == documented["application/problem+json"]["example"]
    )
    assert {"APIKey", "APIKeyHeader"} <= document["components"]["securitySchemes"].keys()
    for path, operations in document["paths"].items():
        for operation in operations.values():
            is_open = path in PROBES or path.endswith("/reload")
            assert (operation.get("security") == either) is not is_open, path
    assert "APIKey" not in client.get("/openapi.json").text


def test_the_documentation_page_sends_the_key_that_was_entered(guarded_server, page):
    page.goto(f"{guarded_server.url}/docs")
    page.locator(".btn.authorize").click()
    dialog = page.locator(".auth-container", has_text="APIKeyHeader")
    dialog.locator("input").fill(KEY)
    dialog.locator(".btn.authorize").click()
    page.locator(".btn-done").last.click()
    block = page.locator("#operations-predictions-predict")
    block.locator(".opblock-summary-control").click()
    block.locator(".execute").click()
    status = block.locator(".live-responses-table .response-col_status").last
    status.wait_for()

    assert status.inner_text().startswith("200")
    assert page.errors == []


@pytest.mark.parametrize("workers", ["1", "2"])
def test_sighup_reloads_the_keys_in_every_process(workers, keys_file):
    with (
        serving("--api-keys-file", str(keys_file), "--workers", workers) as server,
        new_connections(server) as client,
    ):

        def statuses(key):
            return {client.get("/models", headers=bearer(key)).status_code for _ in range(10)}

        def reload():
            server.process.send_signal(signal.SIGHUP)
            message = server.next_line()
            assert server.next_line().startswith("Reloaded champion@")
            return message

        processes = server.workers
        assert (statuses(KEY), statuses(OTHER_KEY)) == ({200}, {401})
        keys_file.write_text(f"{key_line('bob', OTHER_KEY)}\n")
        assert reload() == "Reloaded the API keys: 1\n"
        assert (statuses(KEY), statuses(OTHER_KEY)) == ({401}, {200})
        keys_file.write_text(f"# no hash:\nalice:{KEY}\n")
        rejected = reload()
        assert (statuses(KEY), statuses(OTHER_KEY)) == ({401}, {200})
        keys_file.write_text("")
        assert reload() == "Reloaded the API keys: 0\n"
        assert statuses(OTHER_KEY) == {401}
        assert server.workers == processes
        for worker in processes:
            os.kill(worker, signal.SIGKILL)
        wait_until(lambda: len({*server.workers} - {*processes}) == len(processes))
        assert statuses(OTHER_KEY) == {401}  # a worker forked later has the same keys

    assert rejected == (
        f"python -m app: {keys_file}, line 2 must be NAME:SHA256 with 64 hex digits, got "
        "something else. Create lines with `python -m app create-key NAME`; the loaded keys stay "
        "in use\n"
    )


@pytest.mark.parametrize("change", [str.upper, "\ufeff{}".format])
def test_keys_may_be_hashed_and_saved_by_other_tools(change, tmp_path):
    file = tmp_path / "keys"
    file.write_text(change(key_line("ALICE", KEY)) + "\n", "utf-8")

    assert read_keys(file).name_of(KEY.encode()) == "ALICE"


@pytest.mark.parametrize(
    "content",
    [f"alice:{KEY}", KEY, "alice", "alice:" + "0" * 63, "al ice:" + "0" * 64, b"\xff", None],
)
def test_the_error_for_an_invalid_keys_file_does_not_show_its_content(content, tmp_path):
    file = tmp_path / "keys"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())

    with pytest.raises(KeysFileError) as rejection:
        read_keys(file)

    assert str(rejection.value).startswith(f"{file}")
    assert "must be " in str(rejection.value)
    assert KEY not in str(rejection.value)


def test_a_created_key_works_once_its_printed_line_is_in_the_keys_file(tmp_path):
    created = [run("-m", "app", "create-key", name) for name in ("alice", "bob")]
    keys = [result.stderr.strip() for result in created]
    file = tmp_path / "keys"
    file.write_text("".join(result.stdout for result in created))

    with serving("--api-keys-file", str(file)) as server:
        for key in keys:
            assert httpx.get(f"{server.url}/models", headers=bearer(key)).status_code == 200

    assert all(re.fullmatch(r"housing_[A-Za-z0-9_-]{43}", key) for key in keys)
    assert keys[0] != keys[1]
    assert not any(key in file.read_text() for key in keys)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ["serve", "--port", "0", "--api-keys-file", "absent"],
            "absent must be a readable API keys file: No such file or directory",
        ),
        (["create-key", "a:b"], "must be 1 to 64 letters, digits and ._-, got 'a:b'"),
        (
            ["serve", "--allowed-hosts", "*"],
            "must be host names such as example.org or *.example.org",
        ),
        (["serve", "--allowed-hosts", "a:8000"], "without ports"),
        (
            ["serve", "--cors-origins", "page.example"],
            "must be origins such as https://example.org",
        ),
        (["serve", "--cors-origins", "https://page.example/"], "got 'https://page.example/'"),
        (["serve", "--access-log", "xml"], "must be off, text or json, got 'xml'"),
    ],
)
def test_invalid_arguments_give_a_one_line_error_and_exit_status_2(arguments, says):
    result = run("-m", "app", *arguments)

    assert result.returncode == 2
    assert says in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_boolean_environment_variable_must_be_1_or_0(monkeypatch):
    monkeypatch.setenv("HOUSING_METRICS_OPEN", "true")

    result = run("-m", "app", "serve", "--port", "0")

    assert result.returncode == 2
    assert result.stderr.endswith("must be 1 or 0, got 'true'\n")


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("127.0.0.1", True),
        ("127.0.0.1:8000", True),
        ("A.b.Example.org:80", True),
        ("[::1]:8000", True),
        ("example.org", False),
        ("example.org.evil.example", False),
        ("evilexample.org", False),
        ("127.0.0.1.example", False),
    ],
)
def test_only_allowed_hosts_are_accepted_on_any_port(guarded_client, host, allowed):
    headers = {"host": host, **bearer(KEY)}
    response = guarded_client.get("/models", headers=headers)
    of_v2 = guarded_client.get("/v2", headers=headers)

    assert response.status_code == of_v2.status_code == (200 if allowed else 400)
    if not allowed:
        sentence = "The Host must be one of the service's allowed hosts, got another name."
        assert response.json()["detail"] == of_v2.json()["error"] == sentence


@pytest.mark.parametrize("host", ["evil.example:80@a.example.org", ""])
def test_an_invalid_host_gets_the_error_format_of_the_requested_address(guarded_client, host):
    response = guarded_client.get("/models", headers={"host": host, **bearer(KEY)})
    of_v2 = guarded_client.get("/v2", headers={"host": host, **bearer(KEY)})

    assert response.status_code == of_v2.status_code == 400
    assert response.json()["detail"] == of_v2.json()["error"]
    assert response.json()["detail"].startswith("The request must have one Host")


@pytest.mark.parametrize("probe", PROBES)
def test_probes_accept_any_host(guarded_client, probe):
    assert guarded_client.get(probe, headers={"host": "10.1.2.3:8000"}).status_code == 200


PREFLIGHT = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type,x-request-id",
}


def test_an_allowed_origin_gets_cors_headers_on_success_and_on_errors(guarded_client):
    page = {"origin": "https://page.example"}
    preflight = guarded_client.options("/predict", headers={**page, **PREFLIGHT})
    answer = guarded_client.post("/predict", json=ROW, headers={**page, **bearer(KEY)})
    rejection = guarded_client.post("/predict", json=ROW, headers=page)

    assert (preflight.status_code, answer.status_code, rejection.status_code) == (200, 200, 401)
    for response in (preflight, answer, rejection):
        assert response.headers["access-control-allow-origin"] == "https://page.example"
        assert "access-control-allow-credentials" not in response.headers
    assert answer.headers["access-control-expose-headers"] == "X-Model, X-Request-ID"


def test_other_origins_get_no_cors_headers_and_by_default_no_origin_does(guarded_client, client):
    page = {"origin": "https://other.example"}
    for service in (guarded_client, client):
        preflight = service.options("/predict", headers={**page, **PREFLIGHT})
        answer = service.post("/predict", json=ROW, headers={**page, **bearer(KEY)})

        assert preflight.status_code >= 400
        for response in (preflight, answer):
            assert "access-control-allow-origin" not in response.headers


def test_every_response_has_the_security_headers(guarded_client):
    answers = [
        guarded_client.post("/predict", json=ROW, headers=bearer(KEY)),
        guarded_client.post("/predict", json={}, headers=bearer(KEY)),
        guarded_client.get("/predict", headers=bearer(KEY)),
        guarded_client.get("/unknown"),
        guarded_client.get("/models", headers={"host": "x"}),
        guarded_client.get("/v2/unknown", headers=bearer(KEY)),
        guarded_client.head("/livez"),
    ]

    for answer in answers:
        assert FIXED.items() <= answer.headers.items()
        assert answer.headers.get_list("content-security-policy") == [
            "default-src 'none'; frame-ancestors 'none'"
        ]
    (policy,) = guarded_client.get("/docs").headers.get_list("content-security-policy")
    assert policy.startswith("default-src 'self';")
    assert policy.endswith("frame-ancestors 'none'")


def test_the_rejection_of_bytes_that_are_not_http_has_the_security_headers(guarded_server):
    with socket.create_connection(("127.0.0.1", guarded_server.port), timeout=15) as connection:
        connection.sendall(b"not HTTP\r\n\r\n")
        answer = connection.recv(4096).decode()

    assert answer.startswith("HTTP/1.1 400 ")
    for name, value in FIXED.items():
        assert f"\r\n{name}: {value}\r\n" in answer


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_server_on_all_interfaces_without_keys_warns_once(workers):
    with serving("--host", "0.0.0.0", "--workers", workers) as server:
        server.stop()
        warned = server.remaining_lines()

    assert re.fullmatch(
        r"Anyone who can reach 0\.0\.0\.0:\d+ can use the service\. "
        r"Require API keys with --api-keys-file\n",
        warned,
    )


def test_a_server_with_keys_does_not_warn_and_can_make_the_metrics_public(keys_file, monkeypatch):
    monkeypatch.setenv("HOUSING_METRICS_OPEN", "1")
    with serving("--host", "0.0.0.0", "--api-keys-file", str(keys_file)) as server:
        url = f"http://127.0.0.1:{server.port}"
        statuses = [httpx.get(f"{url}/{name}").status_code for name in ("metrics", "models")]
        server.stop()

        assert server.remaining_lines() == ""
        assert statuses == [200, 401]
