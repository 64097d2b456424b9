"""Labels, checkpoints and states that are not whole are made again, and that is said."""

import logging
from dataclasses import replace

import numpy as np
import pytest

from zeroflux.artifacts import extxyz
from zeroflux.artifacts.extxyz import read_labels, write_labels
from zeroflux.errors import ArtifactError, LabelError
from zeroflux.frames import Frame
from zeroflux.labelling.run import _drop_if_broken, gather_labels
from zeroflux.labels import BASIN_FIELDS, BasinTerms, Label, mixed_settings


@pytest.fixture
def label() -> Label:
    frame = Frame(
        np.array([18, 36]), np.array([[0.0, 0.1, 0.2], [7.0, 7.1, 7.2]]), np.eye(3) * 14.0
    )
    terms = BasinTerms(**{name: np.array([0.25, -0.75]) for name in BASIN_FIELDS})
    return Label(frame, float(terms.energy_unclosed.sum()), terms)


@pytest.fixture
def path(label, tmp_path):
    write_labels(tmp_path / "one.extxyz", [label])
    return tmp_path / "one.extxyz"


@pytest.mark.parametrize("kept", [0, 1, 300, -30])
def test_a_label_that_is_cut_is_made_again_and_said(path, label, caplog, kept):
    path.write_bytes(path.read_bytes()[:kept])
    with caplog.at_level(logging.WARNING):
        _drop_if_broken(path, label.frame)
    assert not path.exists()
    assert f"{path} is broken" in caplog.text
    assert "made again" in caplog.text


def test_a_line_without_an_end_is_named_and_not_read_to_it(path, monkeypatch):
    monkeypatch.setattr(extxyz, "LONGEST_LINE", 200)  # the header is longer
    with pytest.raises(ArtifactError, match=r"one.extxyz:2: a line that does not end.*200"):
        read_labels(path)


def test_the_label_of_another_configuration_is_made_again(path, label):
    moved = replace(label.frame, positions=label.frame.positions + 0.1)
    _drop_if_broken(path, moved)
    assert not path.exists()


def test_control_a_whole_label_stays(path, label, caplog):
    before = path.read_bytes()
    _drop_if_broken(path, label.frame)
    assert path.read_bytes() == before
    assert not caplog.text


def test_labels_of_unlike_settings_are_told_apart(label):
    version_2 = replace(label, info={"basis": "DZVP-MOLOPT-PBE-GTH-q8", "functional": "PBE"})
    version_3 = replace(label, info={"basis": "5S5P4D1F-GTH-PBE-q8", "functional": "PBE"})
    mixed = mixed_settings([version_2, version_3])
    assert mixed == "basis: 5S5P4D1F-GTH-PBE-q8, DZVP-MOLOPT-PBE-GTH-q8"
    # Control: labels made alike, or of unknown origin, are one reference.
    assert mixed_settings([version_3, version_3, label]) is None


def test_files_and_labels_are_counted_when_they_are_joined(path, label, tmp_path):
    assert len(gather_labels([path], tmp_path / "all.extxyz")) == 1
    write_labels(path, [label, label])
    with pytest.raises(LabelError, match=r"found 2 labels in 1 files; expected one in each"):
        gather_labels([path], tmp_path / "all.extxyz")
    assert len(read_labels(tmp_path / "all.extxyz")) == 1
