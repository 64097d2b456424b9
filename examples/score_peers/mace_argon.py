"""The trained MACE as an ASE calculator, for `zeroflux score DATA mace_argon:calculator`."""

from __future__ import annotations

import os
from pathlib import Path

from mace.calculators import MACECalculator

MODEL = "MACE_MODEL"
"""Environment variable that names the model file."""


def calculator(model: Path | None = None) -> MACECalculator:
    """MACE on one core in double precision; its `energies` hold the energies of the elements."""
    path = Path(os.environ.get(MODEL, "runs/score_mace/argon.model")) if model is None else model
    return MACECalculator(model_paths=str(path), device="cpu", default_dtype="float64")
