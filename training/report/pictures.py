"""The pictures of a report: their names, and what a reader should see in each."""

from typing import NamedTuple

DIRECTORY = "report"


class Picture(NamedTuple):
    """One picture."""

    name: str  # of its file
    title: str
    caption: str


# SVG stays sharp; a picture of thousands of marks is smaller as PNG.
LOSS = Picture(
    "loss.svg",
    "Loss during training",
    "The training loss on a logarithmic scale and, where the recipe watches it, the RMSE of the "
    "validation rows.",
)
PREDICTED_AGAINST_TRUE = Picture(
    "predicted-against-true.png",
    "Predicted against true",
    "A darker cell holds more test rows, on a logarithmic scale. A perfect model has all of them "
    "on the diagonal; those stacked at the dashed line were capped when the data were published.",
)
ERROR_BY_PRICE = Picture(
    "error-by-price.svg",
    "Error by price",
    "RMSE and mean error (predicted minus true) in each tenth of the test rows, by true price. A "
    "mean error above zero at the left and below zero at the right says that the model shrinks "
    "prices towards their middle.",
)
ERROR_BY_DISTANCE = Picture(
    "error-by-distance.svg",
    "Error by distance to the nearest training row",
    "RMSE of the test rows by the distance to the nearest training row. A bar of a few rows says "
    "little. The data give places to 0.01 degrees, about 1 km, so many rows share theirs.",
)
ERROR_MAP = Picture(
    "error-map.png",
    "Map of errors",
    "The mean error (predicted minus true) of the test rows of each hexagon. Orange: predicted too "
    "high; purple: too low.",
)
COVERAGE = Picture(
    "interval-coverage.svg",
    "Interval coverage",
    "The share of true prices inside their interval in each tenth of the test rows, by prediction, "
    "and how wide the intervals are there. If the interval held its level everywhere, 95 % of "
    "the shares would be in the band.",
)
IMPORTANCE = Picture(
    "permutation-importance.svg",
    "Permutation importance",
    "By how much the RMSE of test rows grows when one column is shuffled and the others stay; a "
    "dot for each shuffle, a bar for their mean. Columns that tell the same thing, such as "
    "latitude and longitude, share what they are worth unevenly.",
)

PICTURES = (
    LOSS,
    PREDICTED_AGAINST_TRUE,
    ERROR_BY_PRICE,
    ERROR_BY_DISTANCE,
    ERROR_MAP,
    COVERAGE,
    IMPORTANCE,
)
"""In the order in which they are shown."""
