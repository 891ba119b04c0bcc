import asyncio
import gzip
import json
import zlib

import httpx
import numpy as np
import pytest
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from numpy.testing import assert_allclose
from tritonclient.utils import InferenceServerException, triton_to_np_dtype

from app import __version__
from app.main import create_app
from models.features import FEATURE_NAMES, FEATURES
from models.saved_model.storage import load_model
from tests.support.rows import ROW
from tests.support.servers import PROJECT

INFER = "/v2/models/notebook/infer"


@pytest.fixture(scope="module")
def address(server):
    return server.url.removeprefix("http://")


@pytest.fixture(scope="module")
def triton_client(address):
    with triton.InferenceServerClient(address) as client:
        yield client


@pytest.fixture
def rows(rng):
    """A hundred rows, anywhere within the bounds."""
    low, high = ([getattr(f, end) for f in FEATURES] for end in ("lowest", "maximum"))
    return rng.uniform(low, high, size=(100, 8))


def whole(rows, datatype="FP64", **how):
    """The rows as one input of tritonclient."""
    tensor = triton.InferInput("features", list(rows.shape), datatype)
    return [tensor.set_data_from_numpy(rows, **how)]


def one_input(rows, **more):
    """The rows as a request in JSON."""
    tensor = {"name": "features", "shape": list(rows.shape), "datatype": "FP64"}
    return {"inputs": [{**tensor, "data": rows.tolist()}], **more}


def predictions_of(response):
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    (output,) = response.json()["outputs"]
    assert output["name"] == "prediction"
    assert output["datatype"] == "FP64"
    assert output["shape"] == [len(output["data"]), 1]
    return np.array(output["data"])


def bytes_of(response):
    """The JSON and the predictions of a binary response."""
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/octet-stream"
    length = int(response.headers["inference-header-content-length"])
    content = json.loads(response.content[:length])
    (output,) = content["outputs"]
    buffer = response.content[length:]
    assert output["parameters"] == {"binary_data_size": len(buffer)}
    assert "data" not in output
    return content, np.frombuffer(buffer, "<f8").reshape(output["shape"])


def test_tritonclient_sees_server_and_models_as_ready(triton_client, saved):
    assert triton_client.is_server_live()
    assert triton_client.is_server_ready()
    for version in ("", saved.version):
        assert triton_client.is_model_ready("notebook", version)
    assert not triton_client.is_model_ready("notebook", "1")
    assert not triton_client.is_model_ready("other")


def test_server_and_model_metadata_are_complete(client, triton_client, saved):
    server = triton_client.get_server_metadata()
    model = triton_client.get_model_metadata("notebook")

    assert server == {
        "name": "california-housing-predictor",
        "version": __version__,
        "extensions": ["binary_tensor_data"],
    }
    assert client.get("/v2/").json() == client.get("/v2").json() == server
    assert client.get("/v2/models").json() == {"models": ["champion", "notebook"]}
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    assert client.get("/v2/models/notebook/ready").json() == {"name": "notebook", "ready": True}
    assert model == triton_client.get_model_metadata("notebook", saved.version)
    assert (model["name"], model["versions"]) == ("notebook", [saved.version])
    (features,), (prediction,) = model["inputs"], model["outputs"]
    assert (features["name"], features["datatype"], features["shape"]) == ("features", "FP64", [-1, 8])  # fmt: skip
    assert features["parameters"]["columns"] == [*FEATURE_NAMES]
    assert (prediction["name"], prediction["datatype"], prediction["shape"]) == ("prediction", "FP64", [-1, 1])  # fmt: skip
    assert prediction["parameters"] == {"unit": "100,000 USD of 1990"}


@pytest.mark.parametrize("binary_output", [True, False])
@pytest.mark.parametrize("binary_input", [True, False])
@pytest.mark.parametrize("version", ["", "its own"])
def test_tritonclient_gets_the_numpy_models_predictions(
    triton_client, saved, rows, binary_input, binary_output, version
):
    result = triton_client.infer(
        "notebook",
        whole(rows, binary_data=binary_input),
        model_version=version and saved.version,
        outputs=[triton.InferRequestedOutput("prediction", binary_data=binary_output)],
        request_id="17",
    )

    predictions = result.as_numpy("prediction")
    assert predictions.shape == (100, 1)
    assert_allclose(predictions[:, 0], saved.model.predict(rows), rtol=1e-12, atol=1e-12)
    answer = result.get_response()
    assert answer["id"] == "17"
    assert (answer["model_name"], answer["model_version"]) == ("notebook", saved.version)


@pytest.mark.parametrize("algorithm", [None, "gzip", "deflate"])
def test_tritonclients_defaults_and_compression_work(triton_client, saved, rows, algorithm):
    result = triton_client.infer(
        "notebook",
        whole(rows),
        request_compression_algorithm=algorithm,
        response_compression_algorithm=algorithm,
    )

    assert_allclose(result.as_numpy("prediction")[:, 0], saved.model.predict(rows), rtol=1e-12)
    assert len(result.get_response()["id"]) == 36


def test_tritonclients_asyncio_client_works_with_the_champion(address, rows):
    async def send():
        async with triton_aio.InferenceServerClient(address) as client:
            assert await client.is_server_ready()
            return await client.infer("champion", whole(rows), request_compression_algorithm="gzip")

    result = asyncio.run(send())

    champion = load_model(PROJECT / "models/saved/champion").model
    assert_allclose(
        result.as_numpy("prediction")[:, 0], champion.predict(rows), rtol=1e-12, atol=1e-12
    )


def test_tritonclient_raises_the_services_error_message(triton_client, rows):
    rows[3, 1] = 201.0
    rows[5, 0] = np.nan

    with pytest.raises(InferenceServerException) as error:
        triton_client.infer("notebook", whole(rows))

    assert error.value.status() == "400"
    assert error.value.message() == (
        "Row 3: HouseAge must be a number from 0 to 200 (years), got a number that is too large."
    )
    with pytest.raises(InferenceServerException, match="The model must be champion or notebook, "):
        triton_client.get_model_metadata("other")


def test_tritonclient_may_send_one_tensor_a_column_in_any_order_and_datatype(
    triton_client, saved, rows
):
    rows = np.round(rows).clip(1, None) * [1, 1, 1, 1, 1, 1, 1, -1]
    rows[:, 7] = -122
    columns = []
    for index, (name, datatype, shape) in enumerate(
        zip(
            FEATURE_NAMES,
            ["INT8", "UINT8", "INT16", "UINT16", "INT64", "UINT32", "FP32", "INT32"],
            [[100], [100, 1]] * 4,
            strict=True,
        )
    ):
        dtype = triton_to_np_dtype(datatype)
        tensor = triton.InferInput(name, shape, datatype)
        tensor.set_data_from_numpy(
            rows[:, index].astype(dtype).reshape(shape), binary_data=index % 3 != 0
        )
        columns.append(tensor)

    result = triton_client.infer("notebook", columns[::-1])

    assert_allclose(result.as_numpy("prediction")[:, 0], saved.model.predict(rows), rtol=1e-12)


@pytest.mark.parametrize("datatype", ["FP32", "FP64"])
def test_tensor_data_in_json_may_be_flat_or_nested(client, saved, rows, datatype):
    nested = one_input(rows)
    nested["inputs"][0]["datatype"] = datatype
    flat = {"inputs": [{**nested["inputs"][0], "data": rows.ravel().tolist()}]}

    expected = saved.model.predict(rows.astype("f4" if datatype == "FP32" else "f8"))
    for body in (nested, flat):
        response = client.post(INFER, content=json.dumps(body))
        assert_allclose(predictions_of(response), expected, rtol=1e-12, atol=1e-12)


def test_a_request_of_mlservers_numpy_codec_gets_predictions(client, saved):
    """As MLServer 1.7.1's NumpyRequestCodec.encode_request builds it, by its `json()`."""
    body = (
        '{"id":null,"parameters":{"content_type":"np","headers":null},"inputs":[{"name":"input-1",'
        '"shape":[2,8],"datatype":"FP64","parameters":{"content_type":"np","headers":null},"data":['
        "8.3252,41.0,6.984126984126984,1.0238095238095237,322.0,2.5555555555555554,37.88,-122.23,"
        "8.3014,21.0,6.238137082601054,0.9718804920913884,2401.0,2.109841827768014,37.86,-122.22"
        ']}],"outputs":null}'
    )

    for name in ("input-1", "features"):
        response = client.post(
            INFER,
            content=body.replace("input-1", name),
            headers={"content-type": "application/json"},
        )
        assert_allclose(
            predictions_of(response), saved.model.predict(saved.golden_rows[:2]), rtol=1e-12
        )


def test_a_request_of_mlservers_pandas_codec_gets_predictions(client, saved):
    """As MLServer 1.7.1's PandasCodec.encode_request builds it of pandas 3.1.1, with an integer HouseAge."""
    body = (
        '{"parameters":{"content_type":"pd"},"inputs":['
        '{"name":"MedInc","shape":[2,1],"datatype":"FP64","data":[8.3252,8.3014]},'
        '{"name":"HouseAge","shape":[2,1],"datatype":"INT64","data":[41,21]},'
        '{"name":"AveRooms","shape":[2,1],"datatype":"FP64","data":[6.984126984126984,6.238137082601054]},'
        '{"name":"AveBedrms","shape":[2,1],"datatype":"FP64","data":[1.0238095238095237,0.9718804920913884]},'
        '{"name":"Population","shape":[2,1],"datatype":"FP64","data":[322.0,2401.0]},'
        '{"name":"AveOccup","shape":[2,1],"datatype":"FP64","data":[2.5555555555555554,2.109841827768014]},'
        '{"name":"Latitude","shape":[2,1],"datatype":"FP64","data":[37.88,37.86]},'
        '{"name":"Longitude","shape":[2,1],"datatype":"FP64","data":[-122.23,-122.22]}]}'
    )

    predictions = predictions_of(client.post(INFER, content=body))

    assert_allclose(predictions, saved.model.predict(saved.golden_rows[:2]), rtol=1e-12)


@pytest.mark.parametrize(
    "more",
    [
        {"model_name": "notebook", "parameters": {"priority": 1}},  # kserve sends the first
        {"outputs": [{"name": "prediction"}]},
        {"outputs": [{"name": "prediction", "parameters": {"binary_data": False}}]},
        {
            "outputs": [{"name": "prediction", "parameters": {"binary_data": False}}],
            "parameters": {"binary_data_output": True},
        },
        {"outputs": []},
    ],
)
def test_the_response_is_json_by_default(client, saved, rows, more):
    response = client.post(INFER, json=one_input(rows, id="an id", **more))

    assert_allclose(predictions_of(response), saved.model.predict(rows), rtol=1e-12, atol=1e-12)
    answer = response.json()
    assert [*answer] == ["model_name", "model_version", "id", "outputs"]
    assert answer["id"] == "an id"
    assert "inference-header-content-length" not in response.headers


@pytest.mark.parametrize(
    "more",
    [
        {"parameters": {"binary_data_output": True}},
        {
            "outputs": [{"name": "prediction", "parameters": {"binary_data": True}}],
            "parameters": {"binary_data_output": False},
        },
    ],
)
def test_the_response_is_binary_on_request(client, saved, rows, more):
    answer, predictions = bytes_of(client.post(INFER, json=one_input(rows, id="", **more)))

    assert_allclose(predictions[:, 0], saved.model.predict(rows), rtol=1e-12, atol=1e-12)
    assert answer["id"] == ""


def test_a_raw_binary_request_has_fp64_rows_and_gets_a_binary_response(client, saved, rows):
    response = client.post(
        INFER, content=rows.tobytes(), headers={"inference-header-content-length": "0"}
    )

    _, predictions = bytes_of(response)
    assert_allclose(predictions[:, 0], saved.model.predict(rows), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("compress", "encoding"), [(gzip.compress, "GZip"), (zlib.compress, "deflate")]
)
def test_a_compressed_json_body_is_accepted(client, saved, rows, compress, encoding):
    response = client.post(
        INFER,
        content=compress(json.dumps(one_input(rows)).encode()),
        headers={"content-encoding": encoding},
    )

    assert_allclose(predictions_of(response), saved.model.predict(rows), rtol=1e-12, atol=1e-12)


def test_a_request_without_rows_gets_no_predictions(client):
    for data in ([], None):
        body = {"inputs": [{"name": "features", "shape": [0, 8], "datatype": "FP64", "data": data}]}
        if data is None:
            body["inputs"][0]["parameters"] = {"binary_data_size": 0}
        assert predictions_of(client.post(INFER, json=body)).shape == (0,)


def test_ten_thousand_rows_are_accepted_and_one_more_is_rejected(client, triton_client, saved):
    rows = np.tile([*ROW.values()], (10_001, 1))

    answered = triton_client.infer("notebook", whole(rows[1:])).as_numpy("prediction")

    assert_allclose(answered[:, 0], saved.model.predict(rows[1:]), rtol=1e-12)
    assert len(predictions_of(client.post(INFER, json=one_input(rows[1:])))) == 10_000
    with pytest.raises(InferenceServerException, match="must have at most 10,000 rows") as error:
        triton_client.infer("notebook", whole(rows))
    assert error.value.status() == "413"


def test_requests_and_rows_are_counted_for_prometheus(client, triton_client, saved, rows):
    def counts():
        text = client.get("/metrics", headers={"accept": "text/plain"}).text
        lines = (line.rpartition(" ") for line in text.splitlines())
        return {name: float(value) for name, _, value in lines if not name.startswith("#")}

    def grown(name):
        return after.get(name, 0.0) - before.get(name, 0.0)

    model = "/v2/models/{name}"
    version = "/v2/models/{name}/versions/{version}"
    before = counts()
    triton_client.infer("notebook", whole(rows))
    client.post(f"/v2/models/notebook/versions/{saved.version}/infer", json=one_input(rows))
    client.post(INFER, content=json.dumps(one_input(rows)).replace("[[", "[[null,", 1))
    for address in ("", "/ready", f"/versions/{saved.version}"):
        client.get(f"/v2/models/notebook{address}")
    after = counts()

    assert grown('housing_predictions_total{model="notebook"}') == 200
    for code, method, route in (
        (200, "POST", f"{model}/infer"),
        (200, "POST", f"{version}/infer"),
        (400, "POST", f"{model}/infer"),
        (200, "GET", model),
        (200, "GET", f"{model}/ready"),
        (200, "GET", version),
    ):
        labels = f'{{code="{code}",method="{method}",route="{route}"}}'
        assert grown(f"housing_http_requests_total{labels}") == 1, labels


def test_a_server_that_shuts_down_is_live_but_not_ready():
    app = create_app(default="notebook")
    app.state.draining = True

    async def send():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return [
                await client.get(f"/v2/{path}")
                for path in ("health/live", "health/ready", "models/notebook/ready")
            ]

    live, *not_ready = asyncio.run(send())

    assert live.status_code == 200
    for response in not_ready:
        assert response.status_code == 503
        assert response.headers["content-type"] == "application/json"
        assert response.json() == {"error": "The service is shutting down. Retry after 1 second."}


def test_the_documented_example_of_v2_is_the_actual_response(client):
    document = client.get("/openapi.json").json()
    operation = document["paths"]["/v2/models/{name}/infer"]["post"]
    example = operation["requestBody"]["content"]["application/json"]["example"]
    answer = operation["responses"]["200"]["content"]["application/json"]["example"]

    assert set(operation["responses"]) == {"200", "400", "404", "413", "415", "500", "503"}
    assert client.post(INFER, json=example).json() == answer
