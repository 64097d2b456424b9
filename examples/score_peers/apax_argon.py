"""The trained apax model as an ASE calculator, for `zeroflux score DATA apax_argon:calculator`.

apax has a calculator of its own, which gives no per-atom energies. This one takes them where apax
sums them up: the output of its last layer, scaled and shifted per element.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import jax
import numpy as np
from apax.data.preprocessing import compute_nl
from apax.layers.scaling import PerElementScaleShift
from apax.train.checkpoints import restore_parameters
from apax.utils.convert import atoms_to_inputs
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

MODEL = "APAX_MODEL"
"""Environment variable that names the folder of the model."""


class PerAtomApax(Calculator):
    """Total energy and per-atom energies (eV) of an apax model; energies of elements included."""

    implemented_properties = ("energy", "energies")

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.config, params = restore_parameters(folder)
        self.params = {"params": params["params"]["energy_model"]}

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Any = ("energy",),
        system_changes: Any = all_changes,
    ) -> None:
        super().calculate(atoms, properties, system_changes)
        assert self.atoms is not None  # set by ASE's own method
        inputs = atoms_to_inputs([self.atoms.copy()])
        positions, box = inputs["positions"][0], inputs["box"][0]
        index, offsets = compute_nl(positions, box, self.config.model.basis.r_max)
        builder = self.config.model.get_builder()(self.config.model.model_dump())
        model = builder.build_energy_model(apply_mask=True, init_box=box)
        _, kept = model.apply(
            self.params,
            *(positions, inputs["numbers"][0], index, box, offsets),
            capture_intermediates=lambda module, _: isinstance(module, PerElementScaleShift),
            mutable=["intermediates"],
        )
        (found,) = jax.tree.leaves(kept)
        energies = np.asarray(found[:, 0], dtype=np.float64)
        self.results = {"energy": float(energies.sum()), "energies": energies}


def calculator(folder: Path | None = None) -> PerAtomApax:
    """apax in the precision it was trained in."""
    named = os.environ.get(MODEL, "runs/score_apax/argon") if folder is None else folder
    return PerAtomApax(Path(named))
