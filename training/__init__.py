"""How a model is made: data, fit, calibration, evaluation, saving."""

import sys
from importlib.util import find_spec

if find_spec("sklearn") is None:  # here, before any module that imports it
    print(
        "python -m training: the extra `training` must be installed (make .venv/training), "
        "however it is not",
        file=sys.stderr,
    )
    raise SystemExit(2)
