"""Known-answer data beyond noble gases: boxes that make sense, energies that decompose."""

import numpy as np
import pytest
from ase.geometry import get_distances
from ase.io import write

from zeroflux.sampling.tight_binding import SUBSTANCES, distorted_box, tight_binding_suite
from zeroflux.scoring.reference import read_reference

SHORTEST = {"water": 0.8, "salt": 2.0, "silicon": 1.7, "aluminium": 2.0}
"""Å; below a bond of the substance, far above a collision."""
FORMULA = {"water": {1: 16, 8: 8}, "salt": {11: 8, 17: 8}, "silicon": {14: 16}}
FORMULA["aluminium"] = {13: 16}


@pytest.mark.parametrize("substance", SUBSTANCES)
def test_boxes_hold_their_substance_without_collisions_and_differ(substance):
    boxes = [distorted_box(substance, np.random.default_rng(k)) for k in range(5)]
    for box in boxes:
        numbers, counts = np.unique(box.numbers, return_counts=True)
        assert dict(zip(numbers.tolist(), counts.tolist(), strict=True)) == FORMULA[substance]
        assert box.pbc.all()
        distance = get_distances(box.positions, cell=box.cell, pbc=True)[1]
        assert distance[np.triu_indices(len(box), 1)].min() > SHORTEST[substance]
    assert len({round(box.get_volume(), 6) for box in boxes}) == 5


def test_water_keeps_its_molecules():
    box = distorted_box("water", np.random.default_rng(0))
    oxygen = np.flatnonzero(box.numbers == 8)
    distance = get_distances(box.positions, cell=box.cell, pbc=True)[1]
    bonded = distance[oxygen][:, box.numbers == 1] < 1.25
    assert (bonded.sum(axis=1) == 2).all()


def test_site_energies_are_a_reference_for_scores(tmp_path):
    pytest.importorskip("tblite", reason="tight binding needs tblite")
    images = tight_binding_suite(("silicon", "aluminium"), n_frames_each=1, seed=0)
    for atoms in images:
        energies = atoms.get_potential_energies()
        assert energies.sum() == pytest.approx(atoms.get_potential_energy(), abs=1e-6)
        assert energies.std() > 0.01
    again = tight_binding_suite(("aluminium",), n_frames_each=1, seed=0)[0]
    np.testing.assert_allclose(again.positions, images[1].positions)  # a stream of its own
    write(tmp_path / "xtb.extxyz", images, format="extxyz")
    labels = read_reference(tmp_path / "xtb.extxyz", "energies")
    assert [label.info["system"] for label in labels] == ["silicon", "aluminium"]
