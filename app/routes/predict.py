"""POST /predict: one row in, its median house value out."""

from typing import Any

from fastapi import APIRouter

from app.answer import answer
from app.dependencies import ChosenDep
from app.schemas import HouseFeatures, Prediction, Problem, to_row
from app.strict_json import StrictJSONRoute

router = APIRouter(tags=["predictions"], route_class=StrictJSONRoute)

REFUSALS: dict[int | str, dict[str, Any]] = {
    404: {"model": Problem, "description": "No such model."},
    413: {"model": Problem, "description": "The body is too large."},
    415: {"model": Problem, "description": "The body is not plain JSON."},
    422: {"model": Problem, "description": "The row is malformed or out of bounds."},
}


@router.post("/predict", summary="Predict the value of one row", responses=REFUSALS)
async def predict(house: HouseFeatures, chosen: ChosenDep) -> Prediction:
    """Predict the median house value of one census block group, in 100,000 USD of 1990."""
    # async, because a forward pass is shorter than a switch to a thread
    return answer(to_row(house), chosen.model, chosen.level)
