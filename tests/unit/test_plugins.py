"""The example plug-in, installed for real, adds one of each kind."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk

import zeroflux as zf
from zeroflux import plugins
from zeroflux.config import LabelConfig, TrainConfig
from zeroflux.errors import ModelError, PluginError
from zeroflux.grids import UniformGrid
from zeroflux.partition import gaussian_promolecule
from zeroflux.potentials.registry import architecture_class, sized_architecture
from zeroflux.volumetric import VolumetricData, read_volumetric, write_volumetric

EXAMPLE = Path(__file__).parents[2] / "examples" / "plugin"


@pytest.fixture(scope="module")
def target(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = ["pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run(
        [sys.executable, "-m", *command, "--target", str(folder), str(EXAMPLE)], check=True
    )
    return folder


@pytest.fixture
def installed(target, monkeypatch):
    monkeypatch.syspath_prepend(str(target))


def test_without_the_package_nothing_is_known():
    assert "narrow" not in plugins.installed("architectures")
    with pytest.raises(ModelError, match="expected one of linear, pair"):
        architecture_class("narrow")
    with pytest.raises(ValueError, match="expected one of pyscf, cp2k, or the package"):
        LabelConfig(engine="pyscf-loose")


@pytest.mark.usefixtures("installed")
def test_a_format(tmp_path):
    frame = zf.Frame.from_ase(bulk("Ar", a=5.4, cubic=True))
    grid = UniformGrid(cell=frame.cell, shape=(20, 20, 20))
    density = gaussian_promolecule(frame, grid, [((8.0, 0.9),)] * 4)
    data = VolumetricData(
        grid=grid, fields={"density": density}, frame=frame, units={"density": "1/bohr^3"}
    )
    path = tmp_path / "argon.grid.json"
    write_volumetric(path, data)
    np.testing.assert_allclose(read_volumetric(path).first, density, rtol=1e-12)
    np.testing.assert_allclose(zf.basins(path, valence={"Ar": 8}).charges, 0.0, atol=1e-6)


@pytest.mark.usefixtures("installed")
def test_an_engine():
    labelled = zf.label(
        bulk("Ar", a=5.4, cubic=True),
        cutoff=60,
        engine="pyscf-loose",
        basis="DZVP-MOLOPT-PBE-GTH-q8",
        dispersion="none",
        workers={"kind": "serial"},
    )
    energies = labelled.arrays["basin_energy"]
    assert energies.sum() == pytest.approx(labelled.get_potential_energy())


@pytest.mark.usefixtures("installed")
def test_an_architecture():
    assert TrainConfig(architectures=["narrow"], seeds=[0]).architectures == ["narrow"]
    narrow = sized_architecture("narrow", 300, cutoff=12.0, n_species=1)
    assert type(narrow).__name__ == "Narrow"


@pytest.mark.usefixtures("installed")
def test_a_model():
    scores = zf.score("dimers", "soft-argon?epsilon=0.0104", n_bootstrap=20)
    assert any(row["model"].startswith("soft-argon") for row in scores.table)


@pytest.mark.usefixtures("installed")
def test_a_broken_one_is_named(target):
    module = target / "zeroflux_example" / "narrow.py"
    text = module.read_text()
    sys.modules.pop("zeroflux_example.narrow", None)
    module.write_text("import nowhere_to_be_found\n")
    try:
        with pytest.raises(PluginError, match="of zeroflux-example cannot be imported"):
            plugins.load("architectures", "narrow")
    finally:
        module.write_text(text)
