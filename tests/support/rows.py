"""The data set's first row, as JSON, CSV and NDJSON have it."""

import json

from models.features import FEATURE_NAMES

ROW = {
    "MedInc": 8.3252,
    "HouseAge": 41.0,
    "AveRooms": 6.984126984126984,
    "AveBedrms": 1.0238095238095237,
    "Population": 322.0,
    "AveOccup": 2.5555555555555554,
    "Latitude": 37.88,
    "Longitude": -122.23,
}

csv_header = ",".join(FEATURE_NAMES).encode() + b"\n"
csv_line = ",".join(map(str, ROW.values())).encode() + b"\n"
ndjson_line = json.dumps(ROW).encode() + b"\n"
