import numpy as np
import pytest
from numpy.testing import assert_allclose

from models.features import FEATURE_NAMES
from models.shapley import shapley_values


@pytest.mark.parametrize("model", ["notebook", "champion"])
def test_the_contributions_add_up_to_the_prediction(client, row, model):
    explanation = client.post(f"/explain?model={model}", json=row).json()
    prediction = client.post(f"/predict?model={model}", json=row).json()

    assert list(explanation) == ["prediction", "baseline", "contributions", "model"]
    assert list(explanation["contributions"]) == list(FEATURE_NAMES)
    total = explanation["baseline"] + sum(explanation["contributions"].values())
    assert total == pytest.approx(explanation["prediction"], abs=1e-9)
    assert total == pytest.approx(prediction["prediction"], abs=1e-9)
    assert explanation["model"] == prediction["model"]


def test_an_explanation_has_no_interval_and_rejects_a_level(client, row):
    response = client.post("/explain?level=0.8", json=row)

    assert response.status_code == 422
    assert len(response.json()["errors"]) == 1


def test_explain_rejects_the_rows_that_predict_rejects(client, row):
    response = client.post("/explain", json={**row, "MedInc": -1})

    assert response.status_code == 422
    assert response.json()["errors"][0]["loc"] == ["body", "MedInc"]


@pytest.mark.filterwarnings("ignore")  # of the package's own dependencies
def test_the_explanation_equals_that_of_the_shap_package(saved):
    """With the package's exact explainer and the same background."""
    shap = pytest.importorskip("shap", reason="shap is in locks/test.txt, but it is missing")
    model, rows = saved.model, saved.golden_rows
    masker = shap.maskers.Independent(model.background.rows, max_samples=1000)
    explainer = shap.explainers.Exact(model.predict, masker)

    reference = explainer(rows)

    for index, row in enumerate(rows):
        baseline, contributions = model.explain(row)
        assert baseline == pytest.approx(reference.base_values[index], abs=1e-9)
        assert_allclose(contributions, reference.values[index], atol=1e-9)


def test_a_feature_equal_in_the_row_and_the_whole_background_contributes_nothing(saved):
    model = saved.model
    row = saved.golden_rows[0]
    background = model.background.rows.copy()
    background[:, 3] = row[3]

    _, contributions = shapley_values(model.predict, row, background)

    assert contributions[3] == pytest.approx(0, abs=1e-12)
    assert np.abs(contributions).max() > 0.1
