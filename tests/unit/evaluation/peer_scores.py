"""What the tests of other programs' models share: one model scored in two ways."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from zeroflux.scoring.run import run_score

EXAMPLE = Path(__file__).parents[3] / "examples" / "score_peers"


def check_that_calculator_and_file_agree(
    folder: Path, python: str, *, entry: str, file: str, variables: dict[str, str]
) -> None:
    """Score a model through its calculator, in its own environment, and from its predictions."""
    start = "from zeroflux.cli import main; main()"
    command = [python, "-c", start, "score", str(folder / "test.extxyz"), entry]
    command += ["--bootstrap", "20", "-o", str(folder / "score.json")]
    environment = {**os.environ, **variables}
    subprocess.run(command, cwd=EXAMPLE, check=True, capture_output=True, env=environment)
    found = json.loads((folder / "score.json").read_text())
    by_entry = next(m for m in found["models"] if m["name"] == entry)
    assert found["conventions"][entry]["kind"] == "complete"

    report = run_score(folder / "test.extxyz", [str(folder / file)], n_bootstrap=20)
    by_file = report.models[0]
    for name in ("slope", "pearson", "r2"):
        # a file holds energies to 1e-8 eV: single numbers agree to far better than this
        assert by_entry["local"][0][name]["value"] == pytest.approx(
            getattr(by_file.scores[0], name).value, abs=1e-4
        )
    # It has learnt something of what it was never told, and less than a pair potential has.
    pair = next(m for m in report.models if m.name == "pair potential")
    assert 0.3 < by_file.scores[0].pearson.value < pair.scores[0].pearson.value
