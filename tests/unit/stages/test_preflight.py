"""`validate` and `run` find what would stop a stage later."""

import importlib.util

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.io import write

from zeroflux import cli
from zeroflux.config import Config
from zeroflux.errors import ConfigError
from zeroflux.stages import preflight
from zeroflux.stages.preflight import require_runnable

TRAIN = {"seeds": [0]}
BASIS = "DZVP-MOLOPT-PBE-GTH-q8"


@pytest.fixture
def boxes(tmp_path):
    path = tmp_path / "boxes.extxyz"
    images = []
    for k in range(8):
        images.append(Atoms("Ar2", [[0, 0, 0], [3.8 + 0.01 * k, 0, 0]], cell=np.eye(3) * 8))
        images[-1].info["system"] = "argon"
    write(path, images)
    return path


def config(boxes, *, train=TRAIN, **label) -> Config:
    return Config.model_validate(
        {"sample": {"from_file": boxes}, "label": {"basis": BASIS, **label}, "train": train}
    )


def test_control_what_can_run_is_accepted(boxes):
    require_runnable(config(boxes))
    require_runnable(config(boxes, functional="BLYP", dispersion="none"))


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ({"functional": "FOO"}, "libxc does not know"),
        ({"functional": "B3LYP"}, "no LDA or GGA"),
        ({"functional": "LDA,VWN"}, "no parameters for the functional"),
        ({"basis": "def2-svp"}, "not made for the pseudopotential"),
        ({"basis": "NOPE-GTH-q8"}, "no basis 'NOPE-GTH-q8'"),
        ({"pseudopotential": "GTH-NOPE-q8"}, "no pseudopotential 'GTH-NOPE-q8'"),
        ({"reuse": ["nowhere.extxyz"]}, "nowhere.extxyz"),
        ({"engine": "cp2k", "cp2k_command": "no-such-program"}, "no-such-program"),
    ],
)
def test_settings_of_labels_that_cannot_work_are_found(boxes, label, expected):
    with pytest.raises(ConfigError, match=expected):
        require_runnable(config(boxes, **label))


def test_all_reasons_are_told_at_once(boxes):
    with pytest.raises(ConfigError) as found:
        require_runnable(config(boxes, functional="FOO", basis="def2-svp", dispersion="none"))
    assert len(str(found.value).split("\n")) == 2


def test_a_missing_file_is_found(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.xyz"):
        require_runnable(config(tmp_path / "nowhere.xyz"))
    pools = {"data": {"files": {"a": tmp_path / "nowhere.extxyz"}}, "train": TRAIN}
    with pytest.raises(ConfigError, match=r"nowhere\.extxyz.*pool 'a'"):
        require_runnable(Config.model_validate(pools))


def test_structures_that_cannot_be_labelled_are_found(tmp_path):
    water = molecule("H2O", vacuum=4.0)
    write(tmp_path / "water.extxyz", [water] * 8)
    with pytest.raises(ConfigError, match=r"elements H, O, .*one of Ne, Ar, Kr"):
        require_runnable(config(tmp_path / "water.extxyz"))
    write(
        tmp_path / "close.extxyz", [Atoms("Ar2", [[0, 0, 0], [0.5, 0, 0]], cell=np.eye(3) * 8)] * 8
    )
    with pytest.raises(ConfigError, match=r"Atoms overlap: Ar 0 and Ar 1"):
        require_runnable(config(tmp_path / "close.extxyz"))


@pytest.mark.parametrize(("n", "train", "expected"), [(4, TRAIN, "to train"), (1, None, "folds")])
def test_too_few_structures_are_found(tmp_path, n, train, expected):
    box = Atoms("Ar2", [[0, 0, 0], [3.8, 0, 0]], cell=np.eye(3) * 8)
    write(tmp_path / "few.extxyz", [box] * n)
    with pytest.raises(ConfigError, match=expected):
        require_runnable(config(tmp_path / "few.extxyz", train=train))


@pytest.mark.parametrize(
    ("package", "extra"),
    [("pyscf", "dft"), ("dftd3", "dft"), ("jax", "learn"), ("jinja2", "report")],
)
def test_a_missing_package_of_a_later_stage_is_found_with_its_extra(
    boxes, monkeypatch, package, extra
):
    real = importlib.util.find_spec
    monkeypatch.setattr(preflight, "find_spec", lambda n: None if n == package else real(n))
    with pytest.raises(ConfigError, match=rf"'{package}'.*zeroflux\[{extra}\]"):
        require_runnable(config(boxes))


def test_run_checks_before_it_samples(boxes, tmp_path, monkeypatch, capsys):
    path = tmp_path / "run.yaml"
    path.write_text(f"sample: {{from_file: {boxes.name}}}\nlabel: {{basis: def2-svp}}\n")
    monkeypatch.setattr("sys.argv", ["zeroflux", "run", str(path), "--out", str(tmp_path / "out")])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    assert "not made for the pseudopotential" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
