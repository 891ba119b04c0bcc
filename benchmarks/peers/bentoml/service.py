"""The notebook model, served as BentoML's documentation shows: a class with an API."""

import bentoml
import numpy as np

from models import SAVED_MODELS
from models.saved_model.storage import load_model


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class HousePrice:
    """Predicts rows of eight numbers, in JSON."""

    def __init__(self) -> None:
        self.model = load_model(SAVED_MODELS / "notebook").model

    @bentoml.api
    async def predict(self, rows: list[list[float]]) -> list[float]:
        # async, because a thread for each request is slower
        predictions: list[float] = self.model.predict(np.array(rows)).tolist()
        return predictions
