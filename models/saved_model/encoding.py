"""Encode a model as a manifest and parameters; decode them with every check."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.arrays import FloatArray
from models.house_price import HousePriceModel
from models.interval import Estimate
from models.network import Network
from models.saved_model.card import ModelCard
from models.saved_model.components import describe
from models.saved_model.errors import SavedModelError, reason
from models.saved_model.parameters import Components, pack, unpack
from models.training_ranges import TrainingRanges

GOLDEN_TOLERANCES = {  # 100,000 USD; far above the rounding differences between machines
    np.dtype(np.float64): 1e-9,
    np.dtype(np.float32): 1e-4,
}


@dataclass(frozen=True, slots=True)
class SavedModel:
    """A verified model with its card."""

    model: HousePriceModel
    card: ModelCard
    sha256: str  # of the parameters file
    golden_rows: FloatArray  # (k, 8)
    golden_estimate: Estimate  # the model's output for the golden rows, (k,) each

    @property
    def version(self) -> str:
        """The first 8 hex digits of the parameters' SHA-256."""
        return self.sha256[:8]


def encode(
    model: HousePriceModel, card: ModelCard, golden_rows: FloatArray
) -> tuple[dict[str, Any], bytes]:
    """Encode a model as the content of its manifest and of its parameters file.

    The manifest holds the golden rows (k, 8) with the model's output for them. Raises
    SavedModelError if the parameters could not be loaded, such as NaN.
    """
    components = _components(model)
    parameters = pack(components)
    descriptions = {name: describe(component) for name, component in components.items()}
    unpack(parameters, descriptions)  # rejects NaN before it reaches the golden output
    golden = model.estimate(golden_rows)
    content = {
        **card.to_json(),
        **model.training_ranges.to_json(),
        "parts": descriptions,
        "parameters_sha256": hashlib.sha256(parameters).hexdigest(),
        "golden": {
            "rows": golden_rows.tolist(),
            **{name: values.tolist() for name, values in golden._asdict().items()},
        },
    }
    return content, parameters


def decode(content: Mapping[str, Any], parameters: bytes) -> SavedModel:
    """Decode a manifest's content and a parameters file, and verify that they belong together.

    Raises SavedModelError.
    """
    fields = dict(content)
    try:
        digest, golden = fields.pop("parameters_sha256"), fields.pop("golden")
        if hashlib.sha256(parameters).hexdigest() != digest:
            raise SavedModelError("the parameters file must match its digest in model.json")
        components = dict(unpack(parameters, fields.pop("parts")))
        ranges = TrainingRanges.from_json(fields.pop("features"), fields.pop("target"))
        model = _assemble(components, ranges)
        golden_rows = np.array(golden.pop("rows"), dtype=np.float64)
        golden_estimate = Estimate(
            **{name: np.array(values, dtype=np.float64) for name, values in golden.items()}
        )
        card = ModelCard.from_json(fields)
        _check_golden(model, golden_rows, golden_estimate)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise SavedModelError(
            "model.json must have exactly the fields of a model, "
            f"got {type(error).__name__}: {reason(error):.200}"
        ) from error
    return SavedModel(model, card, digest, golden_rows, golden_estimate)


def _components(model: HousePriceModel) -> Components:
    layers = {f"layers.{index}": layer for index, layer in enumerate(model.network.layers)}
    return {
        "encoder": model.encoder,
        **layers,
        "interval": model.interval,
        "background": model.background,
    }


def _assemble(components: dict[str, Any], ranges: TrainingRanges) -> HousePriceModel:
    encoder, interval = components.pop("encoder"), components.pop("interval")
    background = components.pop("background")
    layers = [components.pop(f"layers.{index}") for index in range(len(components))]
    return HousePriceModel(encoder, Network(layers), interval, ranges, background)


def _check_golden(model: HousePriceModel, rows: FloatArray, expected: Estimate) -> None:
    errors = np.abs(np.array(model.estimate(rows)) - np.array(expected))
    tolerance = GOLDEN_TOLERANCES[model.network.dtype]
    if not (errors <= tolerance).all():
        raise SavedModelError(
            f"the golden rows must give their saved output to within {tolerance:g}, "
            f"got a difference of {errors.max():g}"
        )
