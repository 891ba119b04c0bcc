"""One style for all pictures; equal numbers give equal bytes."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import PurePath
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

# Okabe and Ito's palette, distinguishable with any colour vision.
BLUE = "#0072B2"  # lines
SKY = "#56B4E9"  # bars, light enough to draw on top of them
ORANGE = "#D55E00"
INK = "#222222"
GREY = "#6E6E6E"
PALE = "#DDDDDD"

SCALE = "100,000 USD"  # short, for an axis; the card adds the year, 1990

STYLE: dict[str, Any] = {
    "figure.figsize": (7.0, 4.2),  # inches
    "figure.dpi": 150,
    "savefig.dpi": 150,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.h_pad": 0.08,
    "figure.constrained_layout.w_pad": 0.08,
    "font.family": "DejaVu Sans",  # bundled with matplotlib, so it is the same everywhere
    "font.size": 10.0,
    "text.color": INK,
    "axes.titlesize": 12.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10.0,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": PALE,
    "grid.linewidth": 0.6,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "svg.hashsalt": "report",  # element ids that are not random
    "svg.fonttype": "path",
}
METADATA: dict[str, dict[str, Any]] = {
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
}


@contextmanager
def style() -> Iterator[None]:
    """Apply this style inside the block, independent of the user's settings."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)  # type: ignore[arg-type]  # its keys are Literals
        yield


def render(figure: Figure, name: str) -> bytes:
    """Render a figure in the format that the file name's suffix says."""
    kind = PurePath(name).suffix[1:]
    content = BytesIO()
    FigureCanvasAgg(figure).print_figure(content, format=kind, metadata=METADATA[kind])
    return content.getvalue()


def grid_along(axes: Axes, axis: str) -> None:
    """Keep only the grid lines at the ticks of one axis, `x` or `y`."""
    axes.grid(visible=False)
    axes.grid(visible=True, axis=axis)  # type: ignore[arg-type]  # a Literal there
