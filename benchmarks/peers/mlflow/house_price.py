"""The notebook model, served as MLflow's documentation shows: a model from code."""

from typing import Any

from mlflow.models import set_model
from mlflow.pyfunc import PythonModel

from models import SAVED_MODELS
from models.arrays import FloatArray
from models.saved_model.storage import load_model


class HousePrice(PythonModel):
    """Predicts rows (n, 8) as (n,)."""

    def load_context(self, context: Any) -> None:
        self.model = load_model(SAVED_MODELS / "notebook").model

    def predict(self, context: Any, model_input: FloatArray) -> FloatArray:
        return self.model.predict(model_input)


set_model(HousePrice())
