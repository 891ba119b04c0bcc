import pytest


@pytest.mark.parametrize("address", ["/predict", "/explain"])
def test_the_model_of_a_prediction_is_named_in_a_header(client, row, address):
    for name in ("champion", "notebook"):
        response = client.post(address, params={"model": name}, json=row)

        assert response.headers["x-model"] == response.json()["model"]
        assert response.headers["x-model"].startswith(f"{name}@")


def test_the_model_of_a_batch_is_named_in_a_header(client, row):
    for content, media_type in (([row], None), (",".join(row), "text/csv")):
        body = {"json": content} if media_type is None else {"content": content}
        headers = {} if media_type is None else {"content-type": media_type}
        response = client.post("/predict/batch?model=champion", **body, headers=headers)

        assert response.headers["x-model"].startswith("champion@")


def test_the_header_is_documented_with_the_default_model(client, saved):
    paths = client.get("/openapi.json").json()["paths"]

    for address in ("/predict", "/predict/batch", "/explain"):
        header = paths[address]["post"]["responses"]["200"]["headers"]["X-Model"]
        assert header["schema"] == {"type": "string"}
        assert header["example"] == f"notebook@{saved.version}"
