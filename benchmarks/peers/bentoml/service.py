"""The notebook model as BentoML's documentation has it: a class with an API."""

import bentoml
import numpy as np

from models import SAVED_MODELS
from models.saved_model.storage import load_model


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class HousePrice:
    """Rows of eight numbers in, a prediction for each out, as JSON."""

    def __init__(self) -> None:
        self.model = load_model(SAVED_MODELS / "notebook").model

    @bentoml.api
    async def predict(self, rows: list[list[float]]) -> list[float]:  # no thread: it is faster
        predictions: list[float] = self.model.predict(np.array(rows)).tolist()
        return predictions
