import json
import re
import shutil

import httpx
import pytest

from app.access.api_keys import key_line
from models import SAVED_MODELS
from tests.support.rows import ROW
from tests.support.servers import PROJECT, run, serving

STATIC = PROJECT / "app" / "static"
KEY = "housing_" + "k" * 43
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".bin": "application/octet-stream",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
PICTURES = sorted(path.name for path in (SAVED_MODELS / "notebook" / "report").iterdir())
ADDRESSES = [
    "/",
    *(f"/page/{path.name}" for path in sorted(STATIC.iterdir())),
    "/models/notebook/card",
    *(f"/models/notebook/report/{name}" for name in PICTURES),
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_file_has_its_media_type_and_gets_304_for_its_etag(client, address):
    response = client.get(address)
    head = client.head(address)
    again = client.get(address, headers={"if-none-match": response.headers["etag"]})

    assert response.status_code == head.status_code == 200
    expected = {"/": TYPES[".html"], "/models/notebook/card": "text/markdown; charset=utf-8"}
    suffix = f".{address.rpartition('.')[2]}"
    assert response.headers["content-type"] == (expected.get(address) or TYPES[suffix])
    assert response.headers["cache-control"] == "no-cache"
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == response.headers["etag"] == head.headers["etag"]
    policies = {one.headers["content-security-policy"] for one in (response, head, again)}
    assert len(policies) == 1  # a browser adopts the headers of a 304
    assert head.content == b""
    assert int(head.headers["content-length"]) == len(response.content)


def test_exactly_the_files_of_the_directory_are_served(client):
    assert client.get("/").content == (STATIC / "index.html").read_bytes()
    assert client.get("/page/main.js").content == (STATIC / "main.js").read_bytes()
    saved = SAVED_MODELS / "champion"
    assert client.get("/models/champion/card").content == (saved / "README.md").read_bytes()
    for path in (saved / "report").iterdir():
        assert client.get(f"/models/champion/report/{path.name}").content == path.read_bytes()


@pytest.mark.parametrize(
    "address",
    [
        "/page/",
        "/page/nothing.js",
        "/page/main",
        "/page/.main.js",
        "/page/%2e%2e%2fmain.py",
        "/page/..%2fmain.py",
        "/page/main.js%00",
        "/page/static_files.py",
        "/models/nobody/card",
        "/models/nobody/report/loss.svg",
        "/models/notebook/report/model.json",
        "/models/notebook/report/..%2fmodel.json",
        "/models/notebook/report/..%2f..%2fchampion%2freport%2floss.svg",
        "/models/..%2fsaved%2fnotebook/report/loss.svg",
        "/models/notebook/report/README.md",
        "/models/notebook/report/nothing.svg",
        "/models/notebook/report/" + "a" * 5_000 + ".svg",
    ],
)
def test_no_other_file_is_served(client, address):
    response = client.get(address)

    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"


def test_the_pages_policy_forbids_inline_code_and_other_hosts(client):
    response = client.get("/")
    policy = dict(
        directive.split(" ", 1)
        for directive in response.headers["content-security-policy"].split("; ")
    )

    assert policy["default-src"] == "'self'"
    assert policy["img-src"] == "'self' blob:"  # pictures that were fetched with an API key
    assert not {"script-src", "style-src", "connect-src"} & policy.keys()
    assert not re.search(r"\sstyle=|<style|\son\w+=|<script(?![^>]* src=)", response.text)
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', response.text)


def test_an_svg_opened_directly_runs_no_script(client):
    policy = client.get("/models/notebook/report/loss.svg").headers["content-security-policy"]

    assert policy == "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


def test_the_page_needs_no_key_but_the_report_does(tmp_path):
    (tmp_path / "keys").write_text(f"{key_line('alice', KEY)}\n")
    with (
        serving("--api-keys-file", str(tmp_path / "keys")) as server,
        httpx.Client(base_url=server.url) as client,
    ):
        for address in ADDRESSES:
            needs_key = address.startswith("/models")
            assert client.get(address).status_code == (401 if needs_key else 200), address
            assert client.get(address, headers={"x-api-key": KEY}).status_code == 200, address


def test_a_model_without_a_report_still_predicts(tmp_path):
    ignored = shutil.ignore_patterns("report", "README.md")
    shutil.copytree(SAVED_MODELS / "notebook", tmp_path / "notebook", ignore=ignored)
    with (
        serving("--models", str(tmp_path)) as server,
        httpx.Client(base_url=server.url) as client,
    ):
        assert client.get("/models/notebook/card").status_code == 404
        assert client.get("/models/notebook/report/loss.svg").status_code == 404
        assert client.post("/predict", json=ROW).status_code == 200


def test_the_service_without_its_pages_still_serves_the_api(tmp_path):
    """The app without app/static."""
    shutil.copytree(PROJECT / "app", tmp_path / "app", ignore=shutil.ignore_patterns("static"))
    script = f"""
import json, sys
sys.path.insert(0, {str(tmp_path)!r})
import anyio, httpx
from app import __file__ as app
from app.main import create_app
async def main():
    transport = httpx.ASGITransport(create_app())
    async with httpx.AsyncClient(transport=transport, base_url="http://a") as client:
        statuses = [(await client.get(path)).status_code
                    for path in ("/", "/page/main.js", "/docs", "/openapi.json", "/models", "/readyz")]
        answer = await client.post("/predict", json={ROW!r})
        print(json.dumps([app, statuses, answer.status_code]))
anyio.run(main)
"""
    result = run("-c", script)

    assert result.stdout, result.stderr
    app, statuses, predicted = json.loads(result.stdout)
    assert app == str(tmp_path / "app" / "__init__.py")
    assert statuses == [404, 404, 404, 200, 200, 200]
    assert predicted == 200
