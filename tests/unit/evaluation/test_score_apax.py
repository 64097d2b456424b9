"""`score` with an apax model that is trained here, where an environment with apax exists."""

import importlib.util
import os
import subprocess
import sys

import pytest
from peer_scores import EXAMPLE, check_that_calculator_and_file_agree

PYTHON = os.environ.get("ZEROFLUX_APAX_PYTHON") or (
    sys.executable if importlib.util.find_spec("apax") else None
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        PYTHON is None,
        reason="no apax here: set ZEROFLUX_APAX_PYTHON to a Python that has apax and zeroflux",
    ),
]


def test_the_calculator_and_the_file_give_the_same_scores(tmp_path):
    command = [str(PYTHON), "train_apax.py", "--out", str(tmp_path), "--epochs", "60"]
    subprocess.run(command, cwd=EXAMPLE, check=True, capture_output=True)
    check_that_calculator_and_file_agree(
        tmp_path,
        str(PYTHON),
        entry="apax_argon:calculator",
        file="apax.extxyz",
        variables={"APAX_MODEL": str(tmp_path / "argon")},
    )
