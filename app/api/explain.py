"""POST /explain: how much each feature contributes to a prediction."""

import numpy as np
from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Response

from app.api.dependencies import ROW_BODY_DOCS, ChosenModelDep, RowBodyDep
from app.api.predict import ROW_RESPONSES
from app.api.schemas import Explanation
from app.http.headers import MODEL_HEADER
from app.inference.overload import ConcurrencyLimit
from app.inference.row_json import parse_row
from models.features import FEATURE_NAMES

ONE_THREAD = CapacityLimiter(1)  # several would only compete for the interpreter's lock
LIMIT = ConcurrencyLimit(9)  # one running and eight queued, which takes a second or two

router = APIRouter(tags=["predictions"])


@router.post(
    "/explain",
    summary="Explain the value of one row",
    responses=ROW_RESPONSES,
    openapi_extra=ROW_BODY_DOCS,
)
async def explain(body: RowBodyDep, model: ChosenModelDep, response: Response) -> Explanation:
    """Exact Shapley values of the eight features, in 100,000 USD of 1990.

    The baseline is the mean prediction for a few training rows. The baseline plus the sum of the
    contributions is the prediction.
    """
    row = np.array(parse_row(body))
    # In a thread: predicting 256 coalitions would delay other requests on the event loop.
    with LIMIT:
        baseline, contributions = await to_thread.run_sync(
            model.saved.model.explain, row, limiter=ONE_THREAD
        )
    response.headers[MODEL_HEADER] = model.identity
    return Explanation(
        prediction=baseline + contributions.sum(),
        baseline=baseline,
        contributions=dict(zip(FEATURE_NAMES, contributions.tolist(), strict=True)),
        model=model.identity,
    )
