"""An ordinary FastAPI service: Pydantic schemas and the notebook's network in NumPy."""

import numpy as np
from fastapi import FastAPI
from pydantic import BaseModel

from models import SAVED_MODELS
from models.saved_model.storage import load_model

model = load_model(SAVED_MODELS / "notebook").model
app = FastAPI()


class House(BaseModel):
    """The eight features."""

    MedInc: float
    HouseAge: float
    AveRooms: float
    AveBedrms: float
    Population: float
    AveOccup: float
    Latitude: float
    Longitude: float


class Prediction(BaseModel):
    """The response."""

    prediction: float


@app.post("/predict")
async def predict(house: House) -> Prediction:
    """Predict one row."""
    return Prediction(prediction=model.predict(np.array([[*house.model_dump().values()]]))[0])


@app.get("/readyz")
async def ready() -> None:
    """Respond once the service has started."""
