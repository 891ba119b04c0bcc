"""The notebook model, served as LitServe's documentation shows: decode, predict, encode."""

import sys

import litserve
import numpy as np

from models import SAVED_MODELS
from models.arrays import FloatArray
from models.saved_model.storage import load_model


class HousePrice(litserve.LitAPI):
    """Predicts one row, in JSON."""

    def setup(self, device: str) -> None:
        self.model = load_model(SAVED_MODELS / "notebook").model

    def decode_request(self, request: dict[str, list[float]]) -> FloatArray:
        return np.array([request["input"]])

    def predict(self, rows: FloatArray) -> FloatArray:
        return self.model.predict(rows)

    def encode_response(self, predictions: FloatArray) -> dict[str, float]:
        return {"prediction": predictions.item()}


if __name__ == "__main__":
    server = litserve.LitServer(HousePrice(), accelerator="cpu", workers_per_device=1)
    server.run("127.0.0.1", sys.argv[1], log_level="error", generate_client_file=False)
