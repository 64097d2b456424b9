"""Energy densities that come as files give the basin energies of our own labels."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from zeroflux.analysis.run import run_basins
from zeroflux.artifacts.extxyz import read_labels
from zeroflux.frames import Frame
from zeroflux.labelling.dispersion import dispersion_energies
from zeroflux.labelling.label import basin_terms
from zeroflux.labelling.pyscf import PyscfEngine
from zeroflux.labels import Label
from zeroflux.sampling import crystal
from zeroflux.units import ANGSTROM, ELECTRONVOLT, MILLIELECTRONVOLT
from zeroflux.volumetric import VolumetricData, write_volumetric

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "other-codes.md").read_text()
FIELDS = ("kinetic", "xc", "electrostatic", "pseudo_local")
# Names by which VASP's energy densities are known; what is in them is ours here.
VASP = dict(zip(FIELDS, ("EDM_Ta", "EDM_exc", "EDM_Tc", "EDM_VnCAR"), strict=True))


@pytest.fixture(scope="module")
def densities():
    """Four krypton atoms without symmetry. In this basis krypton is smooth: a coarse grid is sound,
    and no primitive needs a correction that other codes would not have."""
    perfect = crystal("Kr", "fcc", nearest_distance=4.0 * ANGSTROM, repeat=(1, 1, 1))
    moved = perfect.positions + np.random.default_rng(4).normal(scale=0.2, size=(4, 3))
    frame = Frame(perfect.atomic_numbers, moved, perfect.cell)
    engine = PyscfEngine(basis="DZVP-MOLOPT-PBE-GTH-q8", density_cutoff=60.0)
    return engine.energy_densities(frame)


@pytest.fixture(scope="module")
def label(densities) -> Label:
    shares = dispersion_energies(densities.frame, functional="PBE")
    terms = basin_terms(densities, dispersion=shares, method="weight")
    return Label(densities.frame, densities.total_energy + float(shares.sum()), terms)


@pytest.fixture
def folder(densities, tmp_path, monkeypatch) -> Path:
    """The fields as another code would leave them: cubes and VASP files."""
    monkeypatch.chdir(tmp_path)
    for name, values in (("rho", densities.density), ("ref", densities.reference)):
        data = VolumetricData(densities.grid, {name: values}, densities.frame)
        data = replace(data, units={name: "1/bohr^3"})
        write_volumetric("CHGCAR" if name == "rho" else "AECCAR2", data)
        write_volumetric(f"{name}.cube", data)
    for name in FIELDS:
        data = VolumetricData(densities.grid, {name: densities.fields[name]}, densities.frame)
        data = replace(data, units={name: "hartree/bohr^3"})
        write_volumetric(VASP[name], data)
        write_volumetric(f"{name}.cube", data)
    return tmp_path


def through_cubes(**changed: str):
    files = {name: changed.get(name, f"{name}.cube@hartree/bohr^3") for name in FIELDS}
    return run_basins(
        ["rho.cube"],
        reference=["ref.cube"],
        valence={"Kr": 8.0},
        integrate=[f"{name}={file}" for name, file in files.items()],
        output=Path("atoms.json"),
    )


def through_vasp():
    return run_basins(
        ["CHGCAR"],
        reference=["AECCAR2"],
        valence={"Kr": 8.0},
        integrate=[f"{name}={VASP[name]}" for name in FIELDS],
        output=Path("atoms.json"),
    )


def label_of_the_page(densities, label, tmp_path) -> Label:
    """Run the code of the documentation on the table in the working folder."""
    code = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert code
    names = {
        "structure": densities.frame.to_ase(),
        "total_energy": label.total_energy,
        "self_energy": -densities.atomic["electrostatic"],
        "nonlocal_energy": densities.atomic["pseudo_nonlocal"],
        "dispersion": label.terms.dispersion,
    }
    exec(code.group(1), names)
    (found,) = read_labels(tmp_path / "labels.extxyz")
    return found


@pytest.mark.parametrize("through", [through_cubes, through_vasp])
def test_files_give_the_basin_energies_of_the_label(folder, densities, label, through):
    through()
    found = label_of_the_page(densities, label, folder)
    difference = found.basin_energy - label.basin_energy
    # Eight decimals of eV in the file of labels; thirteen digits in the cubes.
    assert np.abs(difference).max() < 1e-4 * MILLIELECTRONVOLT
    for name in FIELDS:
        missed = getattr(found.terms, name) - getattr(label.terms, name)
        assert np.abs(missed).max() < 1e-4 * MILLIELECTRONVOLT, name
    np.testing.assert_allclose(found.terms.charge, label.terms.charge, atol=1e-7)
    assert label.basin_energy.std() > 0.1 * MILLIELECTRONVOLT


def test_control_a_field_that_is_off_by_one_grid_point_gives_others(folder, densities, label):
    shifted = np.roll(densities.fields["xc"], 1, axis=0)
    data = VolumetricData(densities.grid, {"xc": shifted}, densities.frame)
    write_volumetric("shifted.cube", replace(data, units={"xc": "hartree/bohr^3"}))
    through_cubes(xc="shifted.cube@hartree/bohr^3")
    found = label_of_the_page(densities, label, folder)
    assert np.abs(found.basin_energy - label.basin_energy).max() > 1.0 * MILLIELECTRONVOLT


def test_control_a_missing_term_breaks_the_closure(folder, densities, label):
    through_cubes()
    found = label_of_the_page(densities, label, folder)
    missed = found.closure + found.terms.pseudo_nonlocal.sum()
    assert abs(missed) / 4 > 1.0 * ELECTRONVOLT
