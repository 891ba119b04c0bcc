"""The models that the recipes are compared with, and all of their hyper-parameters.

Hyper-parameters were chosen on the training part of the random split 10, with a fifth of it held
out (`train_test_split(..., test_size=0.2, random_state=0)`). The test part was not used.

Each model uses one thread, so that times are comparable: on a busy machine with two cores, a
second thread made the fit of HistGradientBoosting take ten times as long.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from models.arrays import FloatArray
from models.features import FEATURE_NAMES

SEED = 10
THREADS = 1
SKEWED = ("AveRooms", "AveBedrms", "Population", "AveOccup")  # above 0, with long upper tails


class Regressor(Protocol):
    """A scikit-learn regressor of rows (n, 8) and targets (n,), 100,000 USD (1990)."""

    def fit(self, rows: FloatArray, targets: FloatArray, /) -> object: ...

    def predict(self, rows: FloatArray, /) -> Any: ...


class MissingExtraError(Exception):
    """A library of the optional dependencies `compare` is not installed."""


def linear_regression() -> Regressor:
    """Least squares on the raw columns."""
    return LinearRegression()


def multi_layer_perceptron() -> Regressor:
    """scikit-learn's network, on standardised columns with the logarithm of the skewed ones."""
    logarithm = FunctionTransformer(np.log), [FEATURE_NAMES.index(name) for name in SKEWED]
    return make_pipeline(
        make_column_transformer(logarithm, remainder="passthrough"),
        StandardScaler(),
        MLPRegressor(
            hidden_layer_sizes=(128, 128, 128),
            alpha=1e-3,
            batch_size=256,
            early_stopping=True,
            n_iter_no_change=30,
            max_iter=500,
            random_state=SEED,
        ),
    )


def hist_gradient_boosting() -> Regressor:
    """scikit-learn's boosted trees."""
    return HistGradientBoostingRegressor(
        max_iter=1100,
        learning_rate=0.05,
        max_leaf_nodes=63,
        min_samples_leaf=20,
        l2_regularization=30.0,
        max_features=0.5,
        early_stopping=False,
        random_state=SEED,
    )


def lightgbm() -> Regressor:
    """LightGBM: trees grown leaf by leaf."""
    from lightgbm import LGBMRegressor  # noqa: PLC0415  # optional dependency

    return LGBMRegressor(
        n_estimators=2000,
        learning_rate=0.02,
        num_leaves=63,
        min_child_samples=10,
        subsample=0.8,
        subsample_freq=1,  # without it, subsample has no effect
        colsample_bytree=0.65,
        reg_lambda=1.0,
        n_jobs=THREADS,
        random_state=SEED,
        verbosity=-1,
    )


def xgboost() -> Regressor:
    """XGBoost: trees grown level by level."""
    from xgboost import XGBRegressor  # noqa: PLC0415  # optional dependency

    return XGBRegressor(
        n_estimators=2000,
        learning_rate=0.02,
        max_depth=9,
        min_child_weight=10,
        subsample=0.8,
        colsample_bytree=0.65,
        reg_lambda=10.0,
        n_jobs=THREADS,
        random_state=SEED,
    )


def catboost() -> Regressor:
    """CatBoost: symmetric trees, one condition for a whole level."""
    from catboost import CatBoostRegressor  # noqa: PLC0415  # optional dependency

    return CatBoostRegressor(
        iterations=4000,
        learning_rate=0.05,
        depth=8,
        l2_leaf_reg=3.0,
        thread_count=THREADS,
        random_seed=SEED,
        verbose=False,
        allow_writing_files=False,  # no directory of logs
    )


COMPETITORS: dict[str, Callable[[], Regressor]] = {
    "linear regression": linear_regression,
    "scikit-learn MLP": multi_layer_perceptron,
    "HistGradientBoosting": hist_gradient_boosting,
    "LightGBM": lightgbm,
    "XGBoost": xgboost,
    "CatBoost": catboost,
}


def unfitted(competitors: Mapping[str, Callable[[], Regressor]]) -> dict[str, Regressor]:
    """Create an unfitted regressor of each competitor, before any of them is fitted.

    Raises MissingExtraError if a library is not installed.
    """
    try:
        return {name: make() for name, make in competitors.items()}
    except (ImportError, OSError) as error:  # OSError: a shared library is missing
        raise MissingExtraError(
            f"the extra `compare` must be installed. Run `make compare`. ({error})"
        ) from error
