"""`score` with a MACE that is trained here, where an environment with MACE exists."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from peer_scores import EXAMPLE, check_that_calculator_and_file_agree

from zeroflux.scoring.run import run_score

PYTHON = os.environ.get("ZEROFLUX_MACE_PYTHON") or (
    sys.executable if importlib.util.find_spec("mace") else None
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        PYTHON is None,
        reason="no MACE here: set ZEROFLUX_MACE_PYTHON to a Python that has MACE and zeroflux",
    ),
]


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """Folder of the example, trained so briefly that it knows little; about 20 CPU seconds."""
    out = tmp_path_factory.mktemp("mace")
    command = [str(PYTHON), "train_mace.py", "--out", str(out), "--epochs", "40"]
    subprocess.run(command, cwd=EXAMPLE, check=True, capture_output=True)
    return out


def test_the_calculator_and_the_file_give_the_same_scores(trained):
    check_that_calculator_and_file_agree(
        trained,
        str(PYTHON),
        entry="mace_argon:calculator",
        file="mace.extxyz",
        variables={"MACE_MODEL": str(trained / "argon.model")},
    )


def test_interaction_energies_alone_are_recognised_as_lacking_the_offset(trained):
    predicted = trained / "without_elements.extxyz"
    script = (
        "import sys; from ase.io import read, write\n"
        "from mace_argon import calculator\n"
        "from ase.calculators.singlepoint import SinglePointCalculator\n"
        "from pathlib import Path\n"
        "mace = calculator(Path(sys.argv[1])); frames = read(sys.argv[2], index=':')\n"
        "for atoms in frames:\n"
        "    mace.calculate(atoms, properties=['energy'])\n"
        "    energies = mace.results['node_energy'].ravel()\n"
        "    energy = mace.results['energy']\n"
        "    atoms.calc = SinglePointCalculator(atoms, energy=energy, energies=energies)\n"
        "write(sys.argv[3], frames)\n"
    )
    files = [str(trained / name) for name in ("argon.model", "mace.extxyz")]
    command = [str(PYTHON), "-c", script, *files, str(predicted)]
    subprocess.run(command, cwd=EXAMPLE, check=True, capture_output=True)
    report = run_score(trained / "test.extxyz", [str(predicted)], n_bootstrap=20)
    convention = report.conventions["without_elements"]
    assert convention.kind == "offsets omitted"
    # a pseudo-atom of argon has about -575 eV = -21 hartree
    assert -25.0 < convention.omitted[18] < -15.0
