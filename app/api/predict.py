"""POST /predict: predict one row."""

from fastapi import APIRouter, Response

from app.api.dependencies import (
    ROW_BODY_DOCS,
    ROW_TOO_LARGE,
    UNKNOWN_MODEL,
    ChosenDep,
    RowBodyDep,
)
from app.api.schemas import Prediction
from app.http.headers import MODEL_HEADER, MODEL_HEADER_DOCS
from app.http.openapi_errors import OVERLOADED, ErrorDocs, error_docs
from app.http.problems import RefusedField
from app.inference.row_json import parse_row, prediction_json
from app.observability.metrics import count_buffer
from app.observability.predictions import predict_rows

router = APIRouter(tags=["predictions"])

TOO_OLD = "HouseAge must be a number from 0 to 200 (years), got a number that is too large."
ROW_RESPONSES: ErrorDocs = {
    200: MODEL_HEADER_DOCS,
    **UNKNOWN_MODEL,
    **error_docs(413, "The body is too large.", ROW_TOO_LARGE),
    **error_docs(
        415,
        "The body is not plain JSON.",
        "The Content-Type must be application/json, got none. "
        "With curl, add -H 'content-type: application/json'.",
    ),
    **error_docs(
        422,
        "The row or the query is malformed or out of bounds.",
        TOO_OLD,
        errors=[RefusedField(loc=["body", "HouseAge"], msg=TOO_OLD, type="less_than_equal")],
    ),
    **error_docs(*OVERLOADED),
}
"""The documented responses of a route that takes one row."""


@router.post(
    "/predict",
    summary="Predict the value of one row",
    responses=ROW_RESPONSES,
    openapi_extra=ROW_BODY_DOCS,
)
async def predict(body: RowBodyDep, chosen: ChosenDep, response: Response) -> Prediction:
    """Predict the median house value of one census block group, in 100,000 USD of 1990."""
    row = parse_row(body)
    # On the event loop, because a forward pass takes less time than a switch to a thread.
    (prediction,) = predict_rows(chosen, [row])
    count_buffer.flush()
    identity = chosen.model.identity
    response.headers[MODEL_HEADER] = identity
    return Prediction(**prediction_json(prediction, chosen.level, identity))
