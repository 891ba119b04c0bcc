"""The models that the recipes are compared with, every choice of each on this page.

The sizes and rates were chosen on the training part of the random split 10, a fifth of it held out
(`train_test_split(..., test_size=0.2, random_state=0)`); no test part was looked at.

Each works on one thread, so that times can be compared: on a busy machine of two cores, a second
thread made the fit of HistGradientBoosting ten times as long.
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
    """What scikit-learn calls a regressor: rows (n, 8) and targets (n,), in 100,000 USD (1990)."""

    def fit(self, rows: FloatArray, targets: FloatArray, /) -> object: ...

    def predict(self, rows: FloatArray, /) -> Any: ...


class MissingExtraError(Exception):
    """A library of the extra `compare` is not installed."""


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
    from lightgbm import LGBMRegressor  # noqa: PLC0415  # of the extra

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
    from xgboost import XGBRegressor  # noqa: PLC0415  # of the extra

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
    from catboost import CatBoostRegressor  # noqa: PLC0415  # of the extra

    return CatBoostRegressor(
        iterations=4000,
        learning_rate=0.05,
        depth=8,
        l2_leaf_reg=3.0,
        thread_count=THREADS,
        random_seed=SEED,
        verbose=False,
        allow_writing_files=False,  # it would leave a directory of logs behind
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
    """A new regressor of each competitor.

    Raises MissingExtraError where a library is not installed: before an hour is spent on the rest.
    """
    try:
        return {name: make() for name, make in competitors.items()}
    except (ImportError, OSError) as error:  # OSError: a library lacks a library of the system
        raise MissingExtraError(
            f"the extra `compare` must be installed, as `make compare` does, however: {error}"
        ) from error
