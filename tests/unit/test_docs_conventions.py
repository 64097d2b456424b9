"""docs/conventions.md names the headers and columns that labels hold, and no others."""

import re
from pathlib import Path

import numpy as np
import pytest

from zeroflux import BasinTerms, Frame, Label, data
from zeroflux.artifacts.extxyz import label_to_atoms, read_headers
from zeroflux.labels import BASIN_FIELDS, OTHER_PARTITIONS

PAGE = (Path(__file__).parents[2] / "docs" / "conventions.md").read_text(encoding="utf-8")
OF_ASE = {"Lattice", "Properties", "pbc"}


def first_column(heading: str) -> set[str]:
    """Names in the first column of a section's table."""
    section = PAGE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| (.*?) \|", section, re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`(\w+)`", row)}


@pytest.fixture(scope="module")
def written() -> set[str]:
    """Header keys of one frame in each file of the data set."""
    files = [*data.folder().rglob("*.extxyz.xz")]
    assert len(files) > 10
    return {key for file in files for _, header in read_headers(file) for key in header}


def test_every_header_key_of_the_data_set_is_documented_and_no_other(written):
    assert first_column("Header of a label") == written - OF_ASE


def test_every_column_of_a_label_is_documented():
    terms = BasinTerms(**{name: np.zeros(1) for name in BASIN_FIELDS})
    others = {name: np.zeros(1) for name in OTHER_PARTITIONS}
    frame = Frame(np.array([18]), np.zeros((1, 3)), np.eye(3) * 20)
    atoms = label_to_atoms(Label(frame, 0.0, terms, other_energies=others))
    columns = set(atoms.arrays) - {"numbers", "positions"}
    assert len(columns) > 10
    assert columns <= first_column("Units")
