"""POST /predict: one row in, its median house value out."""

from typing import Any

import numpy as np
from fastapi import APIRouter

from app.answer import answer
from app.loaded_models import ChosenModelDep
from app.schemas import HouseFeatures, Prediction, Problem
from app.strict_json import StrictJSONRoute

router = APIRouter(tags=["predictions"], route_class=StrictJSONRoute)

REFUSALS: dict[int | str, dict[str, Any]] = {
    404: {"model": Problem, "description": "No such model."},
    413: {"model": Problem, "description": "The body is too large."},
    415: {"model": Problem, "description": "The body is not plain JSON."},
    422: {"model": Problem, "description": "The row is malformed or out of bounds."},
}


@router.post("/predict", summary="Predict the value of one row", responses=REFUSALS)
async def predict(house: HouseFeatures, chosen: ChosenModelDep) -> Prediction:
    """Predict the median house value of one census block group, in 100,000 USD of 1990."""
    # async, because a forward pass is shorter than a switch to a thread
    return answer(np.array(list(house.model_dump().values())), chosen)
