"""What is written for CP2K and read from it; CP2K itself is not needed here."""

from pathlib import Path

import numpy as np
import pytest
from scipy.io import FortranFile

from zeroflux.config import LabelConfig
from zeroflux.errors import FileFormatError, LabelError
from zeroflux.frames import Frame
from zeroflux.labelling.cp2k import Cp2kEngine
from zeroflux.labelling.cp2k_input import Cp2kNumerics, basis_text, input_text, potential_text
from zeroflux.labelling.cp2k_output import (
    read_energies,
    read_restart_orbitals,
    restart_rows,
    shells_of,
)
from zeroflux.labelling.gth_data import basis_set, pseudopotential, semilocal_parts
from zeroflux.labelling.label import label_frame
from zeroflux.stages.label import engine_of

KRYPTON = Frame(np.array([36, 36]), np.array([[0, 0, 0], [7.5, 0, 0]]), np.eye(3) * 15.0)
OUTPUT = """
 CP2K| version string:                                       CP2K version 2023.1
     1 OT DIIS     0.80E-01    0.2     0.00277048       -78.8917337374 -7.89E+01
     2 OT DIIS     0.80E-01    0.3     0.00000040       -78.8925391148 -4.79E-10

  *** SCF run converged in     2 steps ***

  Overlap energy of the core charge distribution:               0.00000000000000
  Self energy of the core charge distribution:               -162.43680471337865
  Core Hamiltonian energy:                                     37.71644078596367
  Hartree energy:                                              59.58117311998317
  Exchange-correlation energy:                                -13.75334830740306

  Total energy:                                               -78.89253911483488
  Electronic kinetic energy:                                   27.73440982100113

 ENERGY| Total FORCE_EVAL ( QS ) energy [a.u.]:              -78.892539114834875
"""


@pytest.mark.parametrize("symbol", ["Ar", "Kr"])
@pytest.mark.parametrize("name", ["DZVP-MOLOPT-PBE-GTH-q8", "TZV2P-MOLOPT-PBE-GTH-q8"])
def test_a_written_basis_set_is_the_one_that_pyscf_reads(symbol, name):
    from pyscf.gto.basis import parse_cp2k

    basis = basis_set(name, symbol)
    lines = basis_text({symbol: basis}).splitlines()
    # CP2K treats together what shares its exponents: all shells of these sets.
    assert lines[1].strip() == "1"
    found = parse_cp2k.parse("\n".join(["#BASIS SET", *lines]))
    assert found == basis


def test_shells_with_other_exponents_are_sets_of_their_own():
    basis = [[0, [2.0, 1.0]], [1, [2.0, 1.0]], [1, [0.5, 1.0]], [3, [0.5, 1.0]]]
    lines = basis_text({"Ar": basis}).splitlines()
    heads = [line.split() for line in lines[2::2]]
    assert heads == [
        ["2", "0", "1", "1", "1", "1"],
        ["2", "1", "1", "1", "1"],
        ["4", "3", "3", "1", "1"],
    ]


@pytest.mark.parametrize("symbol", ["Ar", "Kr"])
def test_a_written_pseudopotential_is_the_one_that_was_read(symbol):
    from pyscf.gto.basis import parse_cp2k_pp

    potential = pseudopotential("GTH-PBE-q8", symbol)
    assert parse_cp2k_pp._parse(potential_text({symbol: potential}).splitlines()) == potential


def test_an_input_has_cutoffs_in_rydberg_and_positions_in_bohr():
    numerics = Cp2kNumerics(
        density_cutoff=220.0,
        relative_cutoff=20.0,
        n_grid_levels=4,
        precision=1e-10,
        convergence=1e-5,
        max_cycles=7,
    )
    text = input_text(
        KRYPTON,
        functional=semilocal_parts("PBE"),
        numerics=numerics,
        cubes=["V_HARTREE_CUBE"],
    )
    words = [" ".join(line.split()) for line in text.splitlines()]
    for line in (
        "CUTOFF [Ry] 440.0",
        "REL_CUTOFF [Ry] 40.0",
        "MAX_SCF 7",
        "&GGA_X_PBE",
        "&V_HARTREE_CUBE",
        "STRIDE 1 1 1",
        "B [bohr] 0.0 15.0 0.0",
        "Kr 7.5 0.0 0.0",
    ):
        assert line in words
    opened = [w.split()[0][1:] for w in words if w.startswith("&") and not w.startswith("&END")]
    closed = [w.split()[1] for w in words if w.startswith("&END")]
    assert sorted(opened) == sorted(closed)


@pytest.mark.parametrize("name", ["HSE06", "PBE0", "SCAN", "no-such"])
def test_functionals_that_are_not_semilocal_are_refused(name):
    with pytest.raises(LabelError, match=r"expected .*PBE.*Change"):
        semilocal_parts(name)


def write_restart(path: Path, *, n_spins: int = 1, seed: int = 0) -> np.ndarray:
    """Orbitals of two atoms with shells s, p, d in the order of CP2K's restart file."""
    sizes = np.zeros((2, 1, 3), dtype="<i4")
    sizes[:] = [1, 3, 5]
    coefficients = np.random.default_rng(seed).normal(size=(18, 4))
    with FortranFile(path, "w") as file:
        file.write_record(np.array([2, n_spins, 18, 1, 3], dtype="<i4"))
        file.write_record(np.array([1, 1], dtype="<i4"))
        file.write_record(np.array([3, 3], dtype="<i4"))
        file.write_record(sizes)
        for _ in range(n_spins):
            file.write_record(np.array([4, 4, 5, 8], dtype="<i4"))
            file.write_record(np.array([-1.0, -0.9, -0.8, -0.7, 2.0, 2.0, 2.0, 2.0]))
            for column in coefficients.T:
                file.write_record(column.copy())
    return coefficients


def test_orbitals_are_read_from_fortran_records(tmp_path):
    coefficients = write_restart(tmp_path / "a.wfn")
    found = read_restart_orbitals(tmp_path / "a.wfn")
    np.testing.assert_array_equal(found.coefficients, coefficients)
    np.testing.assert_array_equal(found.occupations, [2.0, 2.0, 2.0, 2.0])
    assert found.functions_of_shells == ((1, 3, 5), (1, 3, 5))


def test_files_that_are_no_closed_shell_orbitals_are_refused(tmp_path):
    write_restart(tmp_path / "spins.wfn", n_spins=2)
    with pytest.raises(FileFormatError, match="2 spins"):
        read_restart_orbitals(tmp_path / "spins.wfn")
    data = (tmp_path / "spins.wfn").read_bytes()
    (tmp_path / "cut.wfn").write_bytes(data[:-7])
    with pytest.raises(FileFormatError, match="no Fortran record at byte"):
        read_restart_orbitals(tmp_path / "cut.wfn")
    (tmp_path / "short.wfn").write_bytes(data[:28])
    with pytest.raises(FileFormatError, match="1 records that are not"):
        read_restart_orbitals(tmp_path / "short.wfn")


def test_functions_are_reordered_from_rising_m_to_pyscfs_order():
    """In PySCF only p shells differ: x, y, z are m = 1, −1, 0."""
    rows = restart_rows(((1, 3, 5), (3,)))
    np.testing.assert_array_equal(rows, [0, 3, 1, 2, 4, 5, 6, 7, 8, 11, 9, 10])
    assert shells_of(basis_set("DZVP-MOLOPT-PBE-GTH-q8", "Ar")) == (1, 1, 3, 3, 5)


def test_energies_are_read_term_by_term_and_add_up():
    energies = read_energies(OUTPUT)
    assert energies is not None
    assert energies.is_converged
    assert (energies.n_cycles, energies.version) == (2, "2023.1")
    terms = {k: v for k, v in energies.terms.items() if k != "kinetic"}
    assert abs(sum(terms.values()) - energies.total) < 1e-12
    assert energies.terms["kinetic"] == 27.73440982100113
    newer = OUTPUT.replace("energy [a.u.]:", "energy [hartree]   ")
    again = read_energies(newer)
    assert again is not None
    assert again.total == energies.total


def test_an_scf_that_does_not_converge_is_told_from_a_program_that_stops():
    words = " Leaving inner SCF loop after reaching     2 steps.\n *** SCF run NOT converged ***\n"
    stopped = read_energies(OUTPUT.replace("  *** SCF run converged in     2 steps ***\n", words))
    assert stopped is not None
    assert not stopped.is_converged
    assert stopped.n_cycles == 2
    assert read_energies(OUTPUT.split("***")[0]) is None


def program(folder: Path, body: str) -> str:
    path = folder / "fake-cp2k"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


def test_a_missing_program_is_named():
    with pytest.raises(LabelError, match=r"no program 'no-such-cp2k'.*apt-get install cp2k"):
        Cp2kEngine(command="no-such-cp2k -x").energy_densities(KRYPTON)


def test_the_last_words_of_a_failing_program_are_in_the_message(tmp_path):
    command = program(tmp_path, "echo 'ABORT the basis is odd' > zeroflux.out; exit 3")
    with pytest.raises(LabelError, match=r"status 3(.|\n)*ABORT the basis is odd"):
        Cp2kEngine(command=command).energy_densities(KRYPTON)


def test_a_program_that_hangs_is_stopped(tmp_path):
    command = program(tmp_path, "exec sleep 30")
    with pytest.raises(LabelError, match=r"still running after 0\.2 s"):
        Cp2kEngine(command=command, timeout_s=0.2).energy_densities(KRYPTON)


@pytest.mark.parametrize("status", [0, 1])
def test_a_run_without_convergence_is_a_record_whatever_its_exit_status(tmp_path, status):
    """Newer versions of CP2K end with an error there."""
    words = "echo ' *** SCF run NOT converged ***' > zeroflux.out"
    engine = Cp2kEngine(command=program(tmp_path, f"{words}; exit {status}"))
    label = label_frame(KRYPTON, engine=engine)
    assert not label.is_converged
    assert np.isnan(label.basin_energy).all()


def test_files_of_a_calculation_are_left_where_they_are_wanted(tmp_path):
    command = program(tmp_path, "echo ' SCF run NOT converged' > zeroflux.out")
    engine = Cp2kEngine(command=command, scratch_folder=tmp_path / "scratch")
    engine.energy_densities(KRYPTON)
    (folder,) = (tmp_path / "scratch").iterdir()
    assert {"zeroflux.inp", "BASIS", "POTENTIAL"} <= {path.name for path in folder.iterdir()}
    assert "scratch_folder" not in engine.settings
    assert engine.settings == Cp2kEngine().settings


def test_a_configuration_chooses_the_engine():
    engine = engine_of(LabelConfig(engine="cp2k", cp2k_command="mpirun -np 2 cp2k.psmp"))
    assert isinstance(engine, Cp2kEngine)
    assert engine.command == "mpirun -np 2 cp2k.psmp"
    assert engine_of(LabelConfig()).name == "pyscf"
    with pytest.raises(ValueError, match=r"keep_orbitals.*expected pyscf"):
        LabelConfig(engine="cp2k", keep_orbitals=True)
