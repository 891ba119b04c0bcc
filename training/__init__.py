"""Training: data, split, fit, calibration, evaluation, saving and report."""

import sys
from importlib.util import find_spec

if find_spec("sklearn") is None:  # here, before any module that imports it
    print(
        "python -m training: the extra `training` must be installed. Run `make .venv/training`.",
        file=sys.stderr,
    )
    raise SystemExit(2)
