"""What does not fit is refused before anything is computed: elements, bases, distances, grids."""

import re
from dataclasses import replace

import numpy as np
import pytest
from ase.build import molecule

from zeroflux.errors import LabelError, StructureError
from zeroflux.frames import Frame
from zeroflux.labelling.elements import (
    check_elements,
    check_frames,
    check_overlaps,
    default_basis,
    default_cutoff,
)
from zeroflux.labelling.pyscf import IsolatedAtom, PyscfEngine
from zeroflux.labels import (
    BASIN_FIELDS,
    TERMS,
    BasinTerms,
    Label,
    largest_closure,
    require_closed,
)
from zeroflux.units import ANGSTROM, MILLIELECTRONVOLT

DZVP, GTH = "DZVP-MOLOPT-PBE-GTH-q8", "GTH-PBE-q8"


def boxed(name: str) -> Frame:
    atoms = molecule(name, vacuum=4.0)
    return Frame.from_ase(atoms)


@pytest.mark.parametrize("name", ["H2O", "H2", "N2", "CO", "C2H2", "C6H6", "CH3CH2OH", "Li2"])
def test_control_no_bond_of_a_molecule_is_an_overlap(name):
    check_overlaps(boxed(name))


@pytest.mark.parametrize("name", ["H2O", "N2", "C2H2", "Li2"])
def test_a_molecule_of_half_its_size_overlaps_and_the_two_atoms_are_named(name):
    frame = boxed(name)
    with pytest.raises(StructureError, match=r"overlap: \w+ \d+ and \w+ \d+ .* Å apart.*covalent"):
        check_overlaps(replace(frame, positions=0.5 * frame.positions))


def test_an_atom_overlaps_with_its_own_image_in_a_tiny_cell():
    argon = Frame(np.array([18]), np.zeros((1, 3)), np.diag([1.0, 5.0, 5.0]) * ANGSTROM)
    with pytest.raises(StructureError, match=r"Ar 0 and Ar 0"):
        check_overlaps(argon)


def test_elements_without_data_are_named_with_those_that_have_some():
    with pytest.raises(LabelError, match=r"elements He, O, .*no basis.*one of Ne, Ar, Kr, Xe"):
        check_elements(["O", "Ar", "He"], basis=DZVP, pseudopotential_name=GTH)
    with pytest.raises(LabelError, match=r"no pseudopotential 'GTH-FOO-q8'; no element has one"):
        check_elements(["Ar"], basis=DZVP, pseudopotential_name="GTH-FOO-q8")
    check_elements(["Ne", "Ar", "Kr"], basis=DZVP, pseudopotential_name=GTH)


@pytest.mark.parametrize(
    ("basis", "pseudopotential_name"),
    [
        ("def2-svp", GTH),
        ("6-31g", GTH),
        ("SVP-MOLOPT-PBE-ae", GTH),
        ("DZVP-MOLOPT-PBE-GTH-q6", GTH),
        (DZVP, "ALLELECTRON"),
    ],
)
def test_a_basis_that_was_not_made_for_the_pseudopotential_is_refused(basis, pseudopotential_name):
    with pytest.raises(LabelError, match=re.escape(basis) + "|" + pseudopotential_name):
        check_elements(["Ne"], basis=basis, pseudopotential_name=pseudopotential_name)


def test_odd_electrons_are_found_before_anything_is_computed():
    hydrogen = Frame(np.array([1]), np.zeros((1, 3)), np.eye(3) * 10)
    data = {"basis": "DZVP-MOLOPT-PBE-GTH-q1", "pseudopotential_name": "GTH-PBE-q1"}
    with pytest.raises(LabelError, match="1 valence electrons; expected an even number"):
        check_frames([hydrogen], **data)
    check_frames([boxed("H2")], **data)


def test_the_default_basis_is_that_of_the_data_set_where_it_has_all_elements():
    assert default_basis(["Ar", "Kr"]) == "5S5P4D1F-GTH-PBE-q8"
    assert default_basis(["Ar", "Ne"]) == DZVP


def test_the_default_cutoff_follows_the_hardest_ion():
    assert default_cutoff(["Ar", "Kr"], GTH) == 220.0
    assert default_cutoff(["Ar", "Ne"], GTH) == 400.0
    assert default_cutoff([], GTH) == 220.0


def neon_closure(cutoff: float) -> float:
    """Closure of one neon atom in a small cell, off the points of the grid (hartree)."""
    frame = Frame(np.array([10]), np.array([[0.13, 0.21, 0.37]]), np.eye(3) * 3.0 * ANGSTROM)
    engine = PyscfEngine(basis=DZVP, density_cutoff=cutoff)
    start = engine._solver(engine._cell(frame)).get_init_guess()
    atom = IsolatedAtom(0.0, np.asarray(start))
    densities = replace(engine, isolated_atoms={"Ne": atom}).energy_densities(frame)
    return densities.total_energy - sum(densities.term_total(term) for term in TERMS)


@pytest.mark.slow
def test_neon_closes_at_its_default_cutoff_and_not_at_that_of_argon():
    assert abs(neon_closure(default_cutoff(["Ne"], GTH))) < 0.05 * MILLIELECTRONVOLT
    assert abs(neon_closure(default_cutoff(["Ar"], GTH))) > 2.0 * MILLIELECTRONVOLT


def label(closure: float, *, is_converged: bool = True) -> Label:
    """Two argon atoms whose closure per atom is given in meV."""
    frame = Frame(np.array([18, 18]), np.array([[0.0, 0, 0], [7, 0, 0]]), np.eye(3) * 15)
    terms = BasinTerms(**{name: np.ones(2) for name in BASIN_FIELDS})
    total = float(terms.energy_unclosed.sum()) + 2 * closure * MILLIELECTRONVOLT
    return Label(frame, total, terms, is_converged=is_converged)


@pytest.mark.parametrize("closure", [2.1, -2.1, float("nan")])
def test_labels_whose_densities_miss_the_energy_are_no_reference(closure):
    with pytest.raises(LabelError, match=r"a\.extxyz: the densities of label 1 .* at most 2"):
        require_closed([label(0.0), label(closure)], where="a.extxyz")


def test_control_labels_that_close_or_did_not_converge_pass():
    labels = [label(1.9), label(-1.5), label(50.0, is_converged=False)]
    require_closed(labels, where="a.extxyz")
    assert abs(largest_closure(labels) / MILLIELECTRONVOLT - 1.9) < 1e-9


@pytest.mark.parametrize(
    ("closure", "warning"), [(0.05, None), (0.2, "by more than 0.1 meV"), (5.0, "are refused as")]
)
def test_the_closure_is_said_and_warned_of(closure, warning):
    from zeroflux.stages.label import say_closure

    said: list[str] = []
    say_closure([label(closure)], said.append)
    assert f"largest closure {closure:g} meV per atom" in said[0]
    assert len(said) == (1 if warning is None else 2)
    assert warning is None or warning in said[1]
