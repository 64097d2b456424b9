"""The study's page as committed, and the script that makes it from the committed scores."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

RESULTS = Path(__file__).parents[3] / "results"


@pytest.fixture(scope="module")
def script():
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("results_page", RESULTS / "page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_committed_page_is_light_and_has_the_verdicts_of_the_summary():
    text = (RESULTS / "report.html").read_text(encoding="utf-8")
    assert len(text.encode()) < 3_000_000
    summary = (RESULTS / "summary.txt").read_text(encoding="utf-8")
    for line in summary.splitlines()[:30]:
        if "Effect " in line:
            value = line.partition("Effect ")[2].split()[0]
            assert f" {value} " in text, line
    assert "not converged in the basis" in text


def test_scores_read_back_are_those_of_the_committed_table(script):
    models = script.models(5)
    assert len(models) == 1276 + 15
    assert sum(m.is_baseline for m in models) == 15
    row = next(r for r in script.rows("local-energies") if r["model"] == "painn")
    own = [
        m
        for m in models
        if (m.architecture, m.trained_on) == ("painn", row["trained on"])
        and m.n_parameters == int(row["parameters"])
        and m.n_training_configurations == int(row["configurations"])
        and m.target == "total"
    ]
    assert len(own) == int(row["seeds"])
    found = np.mean([m.home_error for m in own]) / script.MILLIELECTRONVOLT
    assert found == pytest.approx(float(row["local RMSE (meV)"]), rel=1e-4)
