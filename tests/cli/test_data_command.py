"""`zeroflux data` gives the shipped labels to commands, programs and Python alike."""

from pathlib import Path

import numpy as np
import pytest
from ase.io import read
from typer.testing import CliRunner

from zeroflux import data
from zeroflux.artifacts.extxyz import read_labels
from zeroflux.cli import app
from zeroflux.config_file import load_config
from zeroflux.errors import ArtifactError, ConfigError
from zeroflux.sampling import NOBLE_GASES, pair_energies
from zeroflux.units import ANGSTROM, ELECTRONVOLT

POOL = data.names()[0]


def told(*words: str) -> str:
    result = CliRunner().invoke(app, ["data", *words])
    if result.exception is not None:
        raise result.exception
    return result.output


def test_every_pool_is_listed_with_licence_and_card():
    text = told("list")
    assert all(name in text for name in data.names())
    assert data.LICENCE in text
    assert data.card().exists()


def test_the_path_is_that_of_a_file_of_labels():
    labels = read_labels(Path(told("path", POOL).strip()))
    assert [label.info["label_key"] for label in labels] == [
        label.info["label_key"] for label in data.load(POOL)
    ]
    assert Path(told("path").strip()) == data.folder()


def test_the_description_counts_what_the_file_holds():
    pool, labels = data.describe(POOL), data.load(POOL)
    assert pool.n_configurations == len(labels) == sum(pool.compositions.values())
    assert pool.n_atoms == sum(label.n_atoms for label in labels)
    assert pool.largest_closure >= abs(labels[0].closure) / labels[0].n_atoms
    text = told("describe", POOL)
    assert f"{pool.n_configurations} configurations" in text
    assert str(labels[0].info["basis"]) in text


def test_pools_can_be_joined():
    assert len(data.load(POOL, POOL)) == 2 * len(data.load(POOL))


def test_an_unknown_pool_is_refused_with_the_names_there_are():
    with pytest.raises(ArtifactError, match=f"no pool 'neon'.*{POOL}"):
        told("describe", "neon")


def test_a_file_goes_before_the_pool_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert data.file_or_pool(Path(POOL)) == data.path(POOL)
    assert data.file_or_pool(Path("own/labels")) == Path("own/labels")
    Path(POOL).touch()
    assert data.file_or_pool(Path(POOL)) == Path(POOL)


def test_a_configuration_names_files_beside_it_and_pools_of_the_data_set(tmp_path):
    file = tmp_path / "run.yaml"
    (tmp_path / "mine.extxyz").touch()
    file.write_text(f"data:\n  files:\n    own: mine.extxyz\n    shipped: {POOL}\n")
    found = load_config(file).data
    assert found is not None
    assert found.files == {"own": tmp_path / "mine.extxyz", "shipped": data.path(POOL)}


def test_a_configuration_that_names_an_unknown_pool_is_told_its_line(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text("data:\n  files:\n    shipped: neon\n")
    with pytest.raises(ConfigError, match=r"run.yaml:3: `data.files.shipped`: .*no pool 'neon'"):
        load_config(file)


def test_data_missing_from_an_installation_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "__file__", str(tmp_path / "lib" / "zeroflux" / "data.py"))
    with pytest.raises(ArtifactError, match="Install zeroflux again"):
        data.folder()


def test_known_answers_add_up_and_are_those_of_the_pair_potential(tmp_path):
    file = tmp_path / "pairs.extxyz"
    told("pairs", "argon", "--configurations", "1", "--seed", "3", "-o", str(file))
    again = data.pair_data(["argon"], n_frames_each=1, seed=3)
    images = read(file, index=":")
    assert len(images) == len(again.frames) >= 4
    for atoms, expected in zip(images, again.site_energies, strict=True):
        found = atoms.get_potential_energies()
        # Eight decimals in the file.
        np.testing.assert_allclose(found, expected / ELECTRONVOLT, atol=1e-8)
        assert abs(found.sum() - atoms.get_potential_energy()) < 1e-6
    # Control: another cutoff is another potential.
    shorter = pair_energies(again.frames[-1], NOBLE_GASES, 6.0 * ANGSTROM)
    assert np.abs(shorter - expected).max() > 1e-3 * ELECTRONVOLT
