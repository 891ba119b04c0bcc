"""The notebook model, served as MLServer's documentation shows: an MLModel."""

from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse

from models import SAVED_MODELS
from models.saved_model.storage import load_model


class HousePrice(MLModel):
    """Predicts rows (n, 8) as (n, 1), in the Open Inference Protocol V2."""

    async def load(self) -> bool:
        self.model = load_model(SAVED_MODELS / "notebook").model
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        predictions = self.model.predict(NumpyCodec.decode_input(payload.inputs[0]))
        output = NumpyCodec.encode_output("prediction", predictions.reshape(-1, 1))
        return InferenceResponse(model_name=self.name, outputs=[output])
