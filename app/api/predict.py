"""POST /predict: one row in, its median house value out."""

from fastapi import APIRouter, Response

from app.api.dependencies import ChosenDep
from app.api.schemas import Prediction
from app.http.model_header import MODEL_HEADER_TOLD, model_header
from app.http.openapi_errors import OVERLOADED_DOCS, UNKNOWN_MODEL, ErrorDocs, error_docs
from app.http.problems import RefusedField
from app.http.strict_json_route import TOO_LARGE, StrictJSONRoute
from app.inference.row_parser import HouseFeatures, to_numbers
from app.inference.scored import prediction_json
from app.observability.metrics import buffer
from app.observability.predictions import predict_rows

router = APIRouter(tags=["predictions"], route_class=StrictJSONRoute)

TOO_OLD = "HouseAge must be a number from 0 to 200 (years), got a number that is too large."
RESPONSES: ErrorDocs = {
    200: MODEL_HEADER_TOLD,
    **UNKNOWN_MODEL,
    **error_docs(413, "The body is too large.", TOO_LARGE),
    **error_docs(
        415,
        "The body is not plain JSON.",
        "The Content-Type must be application/json, however none came (with curl, add: "
        "-H 'content-type: application/json').",
    ),
    **error_docs(
        422,
        "The row is malformed or out of bounds, or the query is.",
        TOO_OLD,
        errors=[RefusedField(loc=["body", "HouseAge"], msg=TOO_OLD, type="less_than_equal")],
    ),
    **OVERLOADED_DOCS,
}


@router.post("/predict", summary="Predict the value of one row", responses=RESPONSES)
async def predict(house: HouseFeatures, chosen: ChosenDep, response: Response) -> Prediction:
    """Predict the median house value of one census block group, in 100,000 USD of 1990."""
    response.headers.update(model_header(chosen.model.identity))
    # async, because a forward pass is shorter than a switch to a thread
    row = to_numbers(house)
    (answer,) = predict_rows(chosen, [row])
    buffer.flush()
    return Prediction(**prediction_json(answer, chosen.level, chosen.model.identity))
