"""`score` with an apax model that is trained here, where an environment with apax exists."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from zeroflux.commands.score import run_score

EXAMPLE = Path(__file__).parents[3] / "examples" / "score_peers"
PYTHON = os.environ.get("ZEROFLUX_APAX_PYTHON") or (
    sys.executable if importlib.util.find_spec("apax") else None
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        PYTHON is None,
        reason="no apax here: set ZEROFLUX_APAX_PYTHON to a Python that has apax and zeroflux",
    ),
]


def test_the_calculator_and_the_file_give_the_same_scores(tmp_path):
    command = [str(PYTHON), "train_apax.py", "--out", str(tmp_path), "--epochs", "60"]
    subprocess.run(command, cwd=EXAMPLE, check=True, capture_output=True)
    start = "from zeroflux.cli import main; main()"
    command = [str(PYTHON), "-c", start, "score", str(tmp_path / "test.extxyz")]
    command += ["apax_argon:calculator", "--bootstrap", "20", "-o", str(tmp_path / "score.json")]
    environment = {**os.environ, "APAX_MODEL": str(tmp_path / "argon")}
    subprocess.run(command, cwd=EXAMPLE, check=True, capture_output=True, env=environment)
    found = json.loads((tmp_path / "score.json").read_text())
    by_entry = next(m for m in found["models"] if m["name"] == "apax_argon:calculator")
    assert found["conventions"]["apax_argon:calculator"]["kind"] == "complete"

    report = run_score(tmp_path / "test.extxyz", [str(tmp_path / "apax.extxyz")], n_bootstrap=20)
    by_file = report.models[0]
    for name in ("slope", "pearson", "r2"):
        # a file holds energies to 1e-8 eV: single numbers agree to far better than this
        assert by_entry["local"][0][name]["value"] == pytest.approx(
            getattr(by_file.scores[0], name).value, abs=1e-4
        )
    # It has learnt something of what it was never told, and less than a pair potential has.
    pair = next(m for m in report.models if m.name == "pair potential")
    assert 0.3 < by_file.scores[0].pearson.value < pair.scores[0].pearson.value
