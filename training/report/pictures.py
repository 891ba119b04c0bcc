"""The pictures of a report: file names, titles and captions."""

from typing import NamedTuple

DIRECTORY = "report"


class Picture(NamedTuple):
    """One picture of the report."""

    name: str  # of the file
    title: str
    caption: str


# SVG is sharp at any size, but PNG is smaller for thousands of marks.
LOSS = Picture(
    "loss.svg",
    "Loss during training",
    "The training loss on a logarithmic scale and, if the recipe validates each epoch, the RMSE of "
    "the validation rows.",
)
PREDICTED_AGAINST_TRUE = Picture(
    "predicted-against-true.png",
    "Predicted against true",
    "A darker cell holds more test rows, on a logarithmic scale. A perfect model would have all of "
    "them on the diagonal. The rows at the dashed line were capped when the data were published.",
)
ERROR_BY_PRICE = Picture(
    "error-by-price.svg",
    "Error by price",
    "RMSE and mean error (predicted minus true) in each tenth of the test rows, by true price. A "
    "mean error above zero at the left and below zero at the right means that the model shrinks "
    "prices towards their mean.",
)
ERROR_BY_DISTANCE = Picture(
    "error-by-distance.svg",
    "Error by distance to the nearest training row",
    "RMSE of the test rows by the distance to the nearest training row. A bar of few rows is not "
    "reliable. The data give locations to 0.01 degrees, about 1 km, so many rows share one.",
)
ERROR_MAP = Picture(
    "error-map.png",
    "Map of errors",
    "The mean error (predicted minus true) of the test rows in each hexagon. Orange: predicted too "
    "high. Purple: predicted too low.",
)
COVERAGE = Picture(
    "interval-coverage.svg",
    "Interval coverage",
    "The share of true prices inside their interval, and the mean width of the intervals, in each "
    "tenth of the test rows by prediction. If the coverage equalled the level everywhere, 95 % of "
    "the shares would lie in the band.",
)
IMPORTANCE = Picture(
    "permutation-importance.svg",
    "Permutation importance",
    "The increase of the RMSE on the test rows when one column is shuffled. Each dot is one "
    "shuffle, and the bar is their mean. Correlated columns, such as latitude and longitude, share "
    "their importance unevenly.",
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
"""In the order of the model card."""
