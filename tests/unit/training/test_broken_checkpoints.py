"""A checkpoint that is empty or cut is no trained network: it is trained again, and said."""

import logging

import numpy as np
import pytest

from zeroflux.training.cells import Cell
from zeroflux.training.state import write_tensors
from zeroflux.training.sweep import pending


@pytest.fixture
def done(tmp_path):
    cell = Cell("bpnn", 50, "all", 0, 0)
    write_tensors(tmp_path / f"{cell.name}.safetensors", {"a": np.arange(5.0)}, {"kind": "model"})
    return tmp_path, cell


def test_control_a_whole_checkpoint_is_done(done):
    folder, cell = done
    assert pending([cell], folder) == []


@pytest.mark.parametrize("damage", [lambda b: b"", lambda b: b[:40], lambda b: b[:-1] + b"\x01"])
def test_a_broken_checkpoint_is_trained_again_and_said(done, caplog, damage):
    folder, cell = done
    (path,) = folder.iterdir()
    path.write_bytes(damage(path.read_bytes()))
    with caplog.at_level(logging.WARNING):
        assert pending([cell], folder) == [cell]
    assert not path.exists()
    assert path.name in caplog.text
    assert "trained again" in caplog.text
