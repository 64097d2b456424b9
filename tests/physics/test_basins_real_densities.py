"""Basins of densities of real calculations: against an independent code, and from CP2K's files."""

import csv
import os
import shutil
import subprocess

import numpy as np
import pytest

from zeroflux.cli import main
from zeroflux.frames import Frame
from zeroflux.partition import basins
from zeroflux.units import ANGSTROM
from zeroflux.volumetric import VolumetricData, write_volumetric

WEIGHT_INT = os.environ.get("WEIGHT_INT") or shutil.which("weight_int")
SITES = np.array([[0.1, 0.2, 0.0], [0.0, 2.8, 2.8], [2.8, 0.0, 2.8], [2.8, 2.7, 0.1]])
SIDE = 5.6  # ångström


@pytest.fixture(scope="module")
def mixture():
    """Density and reference of Ar3Kr by PySCF, a distorted face-centred crystal."""
    pytest.importorskip("pyscf")
    from zeroflux.labelling.pyscf import PyscfEngine

    frame = Frame(np.array([18, 18, 36, 18]), SITES * ANGSTROM, SIDE * ANGSTROM * np.eye(3))
    # The basis that CP2K is told to use below.
    engine = PyscfEngine(basis="DZVP-MOLOPT-PBE-GTH-q8", density_cutoff=80.0)
    return engine.energy_densities(frame)


@pytest.mark.skipif(WEIGHT_INT is None, reason="weight_int: neither in WEIGHT_INT nor on PATH")
@pytest.mark.parametrize(("method", "agrees"), [("weight", True), ("ongrid", False)])
def test_charges_and_volumes_are_those_of_weight_int_on_a_density_of_dft(
    mixture, method, agrees, tmp_path
):
    """The authors' program reads the files that we write. Control: another method must differ."""
    for name, values in (("REF", mixture.reference), ("RHO", mixture.density)):
        data = VolumetricData(
            grid=mixture.grid,
            fields={"total": values},
            frame=mixture.frame,
            units={"total": "1/bohr^3"},
            source=tmp_path / name,
        )
        write_volumetric(tmp_path / f"{name}.vasp", data)
        lines = (tmp_path / f"{name}.vasp").read_text().split("\n", 6)
        (tmp_path / name).write_text("\n".join(lines[:5] + lines[6:]))  # a header of VASP 4
    command = [str(WEIGHT_INT), "-s", "REF", "RHO"]
    text = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in text.splitlines() if not line.startswith("#")]
    population = np.array([float(row[2]) for row in rows])
    volume = np.array([float(row[-1]) for row in rows])  # Å³
    ours = basins(
        mixture.density, mixture.grid, mixture.frame, reference=mixture.reference, method=method
    )
    # weights below 1e-6 are cut off by us and the files have 11 digits, the table nine
    is_same = np.abs(ours.population - population).max() < 1e-6
    assert is_same == agrees, ours.population - population
    is_same = np.abs(ours.volume / ANGSTROM**3 - volume).max() < 1e-4
    assert is_same == agrees, ours.volume / ANGSTROM**3 - volume


CP2K_INPUT = """
&GLOBAL
  PROJECT run
  RUN_TYPE ENERGY
  PRINT_LEVEL LOW
&END GLOBAL
&FORCE_EVAL
  &DFT
    BASIS_SET_FILE_NAME BASIS_MOLOPT_UZH
    POTENTIAL_FILE_NAME POTENTIAL_UZH
    &MGRID
      CUTOFF 250
      REL_CUTOFF 50
    &END MGRID
    &SCF
      EPS_SCF 1.0E-5
    &END SCF
    &XC
      &XC_FUNCTIONAL PBE
      &END XC_FUNCTIONAL
    &END XC
    &PRINT
      &E_DENSITY_CUBE
        STRIDE 1 1 1
      &END E_DENSITY_CUBE
      &V_HARTREE_CUBE
        STRIDE 1 1 1
      &END V_HARTREE_CUBE
    &END PRINT
  &END DFT
  &SUBSYS
    &CELL
      ABC {side} {side} {side}
    &END CELL
    &COORD
      {atoms}
    &END COORD
    &KIND Ar
      BASIS_SET DZVP-MOLOPT-PBE-GTH-q8
      POTENTIAL GTH-PBE-q8
    &END KIND
    &KIND Kr
      BASIS_SET DZVP-MOLOPT-PBE-GTH-q8
      POTENTIAL GTH-PBE-q8
    &END KIND
  &END SUBSYS
&END FORCE_EVAL
"""


@pytest.mark.cp2k
@pytest.mark.skipif(shutil.which("cp2k") is None, reason="cp2k is not on PATH")
def test_cubes_that_cp2k_writes_give_charges(tmp_path, monkeypatch, mixture):
    """The lines of docs/how-to/bader-charges.md, on the files of a calculation."""
    monkeypatch.chdir(tmp_path)
    atoms = "\n".join(
        f"{symbol} {x} {y} {z}"
        for symbol, (x, y, z) in zip(["Ar", "Ar", "Kr", "Ar"], SITES, strict=True)
    )
    (tmp_path / "run.inp").write_text(CP2K_INPUT.format(side=SIDE, atoms=atoms))
    environment = dict(os.environ, OMP_NUM_THREADS="1")
    subprocess.run(["cp2k", "run.inp"], env=environment, capture_output=True, check=True)
    options = ["--valence", "Ar=8", "--valence", "Kr=8", "--electrons", "32"]
    options += ["--integrate", "v=run-v_hartree-1_0.cube@hartree", "-o", "charges.csv"]
    command = ["zeroflux", "basins", "run-ELECTRON_DENSITY-1_0.cube", *options]
    monkeypatch.setattr("sys.argv", command)
    with pytest.raises(SystemExit) as stop:
        main()
    assert not stop.value.code
    with (tmp_path / "charges.csv").open() as file:
        rows = list(csv.DictReader(file))
    charge = np.array([float(row["charge"]) for row in rows])
    theirs = basins(
        mixture.density, mixture.grid, mixture.frame, reference=mixture.reference
    ).population
    # PySCF with the same basis and pseudopotentials. Grids of 0.20 and 0.24 bohr and another field
    # that defines the surfaces: the weight method moves up to 1e-3 e between unlike atoms there.
    np.testing.assert_allclose(charge, 8.0 - theirs, atol=1e-3)
    assert charge[2] > 10 * abs(charge.sum())  # krypton's 0.005 e is not noise
    # the cube holds minus the Hartree potential; its mean is zero by CP2K's convention
    assert abs(sum(float(row["v_integral_ev_angstrom3"]) for row in rows)) < 0.1
