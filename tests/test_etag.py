import pytest

ADDRESSES = ["/openapi.json", "/models", "/models/notebook"]


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize(
    "known",
    ["{tag}", "W/{tag}", '"other", {tag}', '"other",W/{tag} , "third"', "*", '"a,b",{tag}'],
)
def test_a_matching_etag_gets_304_without_a_body(client, address, known):
    full = client.get(address)
    tag = full.headers["etag"]

    response = client.get(address, headers={"if-none-match": known.format(tag=tag)})

    assert full.status_code == 200
    assert tag.startswith('"')
    assert (response.status_code, response.content) == (304, b"")
    assert response.headers["etag"] == tag
    assert response.headers["cache-control"] == full.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "known", ['"other"', "", "no-tag", "{bare}", '"{bare}', 'w/"{bare}x"', "**"]
)
def test_an_etag_that_does_not_match_gets_the_whole_response(client, known):
    full = client.get("/models")
    bare = full.headers["etag"].strip('"')

    response = client.get("/models", headers={"if-none-match": known.format(bare=bare)})

    assert response.status_code == 200
    assert response.content == full.content


def test_several_if_none_match_headers_are_one_list(client):
    tag = client.get("/models").headers["etag"]

    response = client.get("/models", headers=[("if-none-match", '"a"'), ("if-none-match", tag)])

    assert response.status_code == 304


def test_equal_contents_have_equal_etags_and_different_contents_different_ones(client):
    once, again = (client.get("/models/notebook").headers["etag"] for _ in range(2))

    assert once == again != client.get("/models/champion").headers["etag"]
    assert client.head("/models/notebook").headers["etag"] == once


def test_an_error_response_has_no_etag(client):
    assert "etag" not in client.get("/models/absent", headers={"if-none-match": "*"}).headers
