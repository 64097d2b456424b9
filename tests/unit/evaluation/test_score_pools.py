"""`score` over several pools, and without the dispersion of the labels."""

import json
from dataclasses import replace

import numpy as np
import pytest
from ase.io import write
from typer import Typer
from typer.testing import CliRunner

from zeroflux import data as pools
from zeroflux.artifacts.extxyz import write_labels
from zeroflux.commands.score import score_command
from zeroflux.errors import ArtifactError, ConfigError
from zeroflux.scoring.pools import pools_of
from zeroflux.scoring.reference import without_dispersion
from zeroflux.scoring.run import run_score


@pytest.fixture(scope="module")
def argon():
    return pools.load("argon_test")[:12]


@pytest.fixture(scope="module")
def krypton():
    return pools.load("krypton_test")[:11]


@pytest.fixture(scope="module")
def folder(argon, krypton, tmp_path_factory):
    path = tmp_path_factory.mktemp("pools")
    write_labels(path / "argon.extxyz", argon)
    write_labels(path / "krypton.extxyz", krypton)
    return path


def scored(*arguments):
    app = Typer()
    app.command()(score_command)
    return CliRunner().invoke(app, [*map(str, arguments), "--bootstrap", "40"])


@pytest.fixture(scope="module")
def result(folder):
    data = f"{folder / 'argon.extxyz'},{folder / 'krypton.extxyz'}"
    found = scored(data, "lj", "-o", folder / "both.json")
    assert found.exit_code == 0, found.output
    return found, json.loads((folder / "both.json").read_text())


def test_each_of_several_pools_is_scored_as_if_alone(folder, result):
    _, payload = result
    for name in ("argon", "krypton"):
        path = folder / f"{name}.extxyz"
        alone = run_score(path, ["lj"], n_bootstrap=40)
        together = payload["pools"][name]["achieved"]["lj"]["by_system"][name]
        assert together["value"] == pytest.approx(alone.achieved["lj"].by_system[name].value)
        assert together["low"] == pytest.approx(alone.achieved["lj"].by_system[name].low)


def test_the_summary_is_the_mean_of_the_pools_and_stands_in_terminal_and_file(result):
    found, payload = result
    one = payload["achieved"]["lj"]
    values = [system["value"] for system in one["by_system"].values()]
    assert len(values) == 2
    assert one["score"]["value"] == pytest.approx(np.mean(values))
    assert "Score: fraction of the achievable" in found.output
    assert payload["pools"]


def test_a_model_that_fails_on_a_pool_has_no_score_over_all(folder, argon):
    images = [label.frame.to_ase() for label in argon]
    for atoms in images:
        atoms.arrays["energies"] = np.random.default_rng(0).normal(size=len(atoms))
    write(folder / "mine-argon.extxyz", images, format="extxyz")
    data = f"{folder / 'argon.extxyz'},{folder / 'krypton.extxyz'}"
    found = scored(data, f"mine={folder}/mine-{{pool}}.extxyz", "lj")
    assert found.exit_code == 2
    assert "mine: could not be scored on" in found.output
    assert "Score: fraction of the achievable" in found.output


def test_data_names_files_pools_with_commas_or_all(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert [str(p) for p in pools_of(tmp_path / "a,b")] == [str(tmp_path / "a"), "b"]
    assert [str(p) for p in pools_of(type(tmp_path)("all"))] == list(pools.names())
    (tmp_path / "a,b").write_text("")
    assert pools_of(tmp_path / "a,b") == [tmp_path / "a,b"]
    for bad in ("argon_test,", "argon_test,argon_test"):
        with pytest.raises(ConfigError, match="empty or repeated"):
            pools_of(type(tmp_path)(bad))


def test_several_pools_have_no_page_and_one_has(folder):
    data = f"{folder / 'argon.extxyz'},{folder / 'krypton.extxyz'}"
    found = scored(data, "lj", "-o", folder / "both.html")
    assert found.exit_code != 0
    assert isinstance(found.exception, ConfigError)
    assert "expected .csv or .json" in str(found.exception)


def test_without_dispersion_takes_the_term_from_atoms_and_totals_alike(argon):
    bare = without_dispersion(argon, "argon")
    for label, less in zip(argon, bare, strict=True):
        difference = label.basin_energy - less.basin_energy
        np.testing.assert_allclose(difference, label.terms.dispersion, atol=1e-12)
        assert less.total_energy == pytest.approx(less.basin_energy.sum(), abs=1e-9)
        assert less.closure == pytest.approx(label.closure, abs=1e-12)
        assert less.forces is None


def test_labels_without_dispersion_have_none_to_leave_out(argon):
    bare = without_dispersion(argon, "argon")
    with pytest.raises(ArtifactError, match=r"label 0 .* holds no dispersion"):
        without_dispersion([bare[0]], "argon")
    mixed = [argon[0], replace(bare[1])]
    with pytest.raises(ArtifactError, match="label 1"):
        without_dispersion(mixed, "argon")


def test_without_dispersion_changes_the_reference_and_says_so(folder):
    path = folder / "argon.extxyz"
    with_it = run_score(path, ["lj"], n_bootstrap=20)
    bare = run_score(path, ["lj"], n_bootstrap=20, dispersion=False)
    assert bare.reference == "direct basin energies without dispersion"
    ratio = [r.achieved["lj"].relative_error["argon"] for r in (with_it, bare)]
    assert ratio[1] > 1.1 * ratio[0]  # Lennard-Jones holds dispersion
    with pytest.raises(ConfigError, match="Found --without-dispersion with"):
        run_score(path, ["lj"], n_bootstrap=20, dispersion=False, reference="shortcut")
