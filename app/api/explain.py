"""POST /explain: how much each feature moves a prediction."""

import numpy as np
from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Response

from app.api.dependencies import ChosenModelDep
from app.api.predict import RESPONSES
from app.api.schemas import Explanation
from app.http.model_header import model_header
from app.http.strict_json_route import StrictJSONRoute
from app.inference.overload import ConcurrencyLimit
from app.inference.row_parser import HouseFeatures, to_numbers
from models.features import FEATURE_NAMES

AT_ONCE = CapacityLimiter(1)  # the others wait: more threads would only take turns
PLACES = ConcurrencyLimit(9)  # for that one and for those that wait, a second or two

router = APIRouter(tags=["predictions"], route_class=StrictJSONRoute)


@router.post("/explain", summary="Explain the value of one row", responses=RESPONSES)
async def explain(house: HouseFeatures, chosen: ChosenModelDep, response: Response) -> Explanation:
    """Exact Shapley values of the eight features, in 100,000 USD of 1990.

    The baseline is the mean prediction for a few training rows; with the contributions it adds up
    to the prediction.
    """
    response.headers.update(model_header(chosen.identity))
    model = chosen.saved.model
    # In a thread: 256 coalitions take long enough for other requests to notice.
    with PLACES:
        baseline, contributions = await to_thread.run_sync(
            model.explain, np.array(to_numbers(house)), limiter=AT_ONCE
        )
    return Explanation(
        prediction=baseline + contributions.sum(),
        baseline=baseline,
        contributions=dict(zip(FEATURE_NAMES, contributions.tolist(), strict=True)),
        model=chosen.identity,
    )
