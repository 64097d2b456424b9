"""Every code block of README and docs is run, or named here with the test that runs it."""

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import yaml

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [page for page in PAGES if not {"_build", "gallery"} & set(page.parts)]
NOT_CODE = ("text", "{include}", "{toctree}", "{eval-rst}")

PLAYED = ["tutorial.md", "how-to/data-set.md"]
"""Pages whose blocks run one after the other, as a reader runs them."""
FRAGMENTS = ["README.md", "index.md", "api.md", "basins.md", "how-to/score-models.md"]
"""Pages whose Python blocks run on names given by this file."""
ELSEWHERE = {
    (
        "how-to/bader-charges.md",
        "console",
    ): "below, and tests/physics/test_basins_real_densities.py",
    ("how-to/bader-charges.md", "python"): "tests/cli/test_basins_docs.py; GPAW is not run",
    ("how-to/cp2k.md", "console"): "needs CP2K: tests marked cp2k run the same engine",
    ("how-to/cp2k.md", "python"): "needs CP2K: tests/physics/test_engine_agreement.py",
    ("how-to/cp2k.md", "yaml"): "checked below",
    ("how-to/labels.md", "console"): "tests/cli/test_run.py labels the structures of a file",
    ("how-to/labels.md", "yaml"): "checked below",
    ("how-to/other-codes.md", "console"): "tests/cli/test_basins_other_codes.py",
    ("how-to/other-codes.md", "python"): "tests/cli/test_basins_other_codes.py",
    ("how-to/extend-data.md", "console"): "hours of labelling; options are checked below",
    ("how-to/score-models.md", "console"): "needs CHGNet and SevenNet; options are checked below",
    ("how-to/plug-ins.md", "toml"): "examples/plugin/pyproject.toml; tests/unit/test_plugins.py",
    ("how-to/plug-ins.md", "console"): "tests/unit/test_plugins.py installs the same package",
    ("README.md", "console"): "the quick start by `nox -s examples`; options are checked below",
    ("error-budget.md", "console"): "hours; numbers by tests/regression/test_error_budget.py",
    ("results.md", "console"): "hours of training; options are checked below",
    ("evaluation.md", "console"): "tests/unit/evaluation/test_score_any_model.py",
    (
        "potentials.md",
        "console",
    ): "tests/unit/test_calculator.py; an MD run of a quarter of an hour",
    ("potentials.md", "python"): "needs a trained model; compiled below",
    ("potentials.md", "yaml"): "tests/unit/test_config.py reads such settings",
    ("correlation.md", "python"): "needs all pools; compiled below",
    ("sampling.md", "python"): "minutes of Monte Carlo; compiled below",
    ("sampling.md", "yaml"): "a record of settings, not an input",
}
"""Every other block, with what runs it or why nothing does."""
INSTALL = ("pip install", "sudo apt-get", "python3 -m venv", "export LD_PRELOAD")
"""Commands that change the machine: .ci/run does them."""


@dataclass(frozen=True)
class Block:
    page: str
    language: str
    text: str
    line: int

    @property
    def commands(self) -> list[str]:
        """Shell commands, joined where a backslash or && carries on."""
        text = re.sub(r"\\\n\s*", "", self.text)
        lines = [re.sub(r"^\$ ", "", line.strip()) for line in text.splitlines()]
        return [line for line in lines if line and not line.startswith("#")]


def blocks_of(page: Path) -> list[Block]:
    """Fenced blocks, and lines indented by four spaces that start with a program."""
    text, name = page.read_text(encoding="utf-8"), page.relative_to(ROOT).as_posix()
    name = name.removeprefix("docs/")
    found = []
    for match in re.finditer(r"^```(\S*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        line = text[: match.start()].count("\n") + 1
        if match[1] not in NOT_CODE:
            found.append(Block(name, match[1], match[2], line))
    fenceless = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    for match in re.finditer(r"^    ((?:zeroflux|pip|python) .*)$", fenceless, re.MULTILINE):
        found.append(Block(name, "console", match[1] + "\n", 0))
    return found


BLOCKS = [block for page in PAGES for block in blocks_of(page)]
SHELL = [block for block in BLOCKS if block.language in ("console", "sh")]


def zeroflux_calls(block: Block) -> list[list[str]]:
    """Arguments of each call of the program in a block."""
    calls = []
    for command in block.commands:
        for part in re.split(r"&&|;|\||>", command):
            with contextlib.suppress(ValueError):
                words = shlex.split(part, comments=True)
                if "zeroflux" in words:
                    calls.append(words[words.index("zeroflux") + 1 :])
    return calls


def test_no_block_is_left_out_in_silence():
    found = {(block.page, block.language) for block in BLOCKS if block.page not in PLAYED}
    found -= {(page, "python") for page in FRAGMENTS}
    assert found == set(ELSEWHERE)
    assert {"python", "yaml", "console"} <= {block.language for block in BLOCKS}
    named = re.findall(r"tests/[\w/]+\.py", " ".join(ELSEWHERE.values()))
    assert len(named) > 5
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("block", SHELL, ids=lambda block: f"{block.page}:{block.line}")
def test_commands_exist_with_their_options(block):
    """Whatever is too slow to run: the command and each option are the program's."""
    from typer.main import get_command

    from zeroflux.cli import app

    for words in zeroflux_calls(block):
        command = get_command(app)
        while (subcommands := getattr(command, "commands", None)) and words:
            if words[0].startswith("-"):
                break
            assert words[0] in subcommands, f"{block.page}:{block.line}: no command {words[0]}"
            command, words = subcommands[words[0]], words[1:]
        known = {option for one in command.params for option in (*one.opts, *one.secondary_opts)}
        given = {re.split("=", word)[0] for word in words if re.match(r"--?[a-z]", word)}
        assert given <= known | {"--help", "-h", "--version"}, f"{block.page}:{block.line}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_files_of_the_repository_that_commands_name_exist(page):
    for block in blocks_of(page):
        named = re.findall(r"\b(?:examples|data/configs|benchmarks)/[\w/]+\.\w+", block.text)
        assert [name for name in named if not (ROOT / name).exists()] == []
        if block.language in ("console", "sh"):
            assert "..." not in block.text


@pytest.mark.parametrize(
    "block",
    [block for block in BLOCKS if block.language == "python"],
    ids=lambda block: f"{block.page}:{block.line}",
)
def test_python_blocks_compile(block):
    compile(block.text, f"{block.page}:{block.line}", "exec")


def write_density(path: str) -> None:
    """Two Gaussian atoms of eight electrons as a file."""
    from zeroflux import Frame, UniformGrid
    from zeroflux.volumetric import VolumetricData, write_volumetric

    grid = UniformGrid(cell=np.diag([8.0, 8.0, 14.0]), shape=(16, 16, 28))
    frame = Frame(np.array([18, 18]), np.array([[4.0, 4, 3.5], [4, 4, 10.5]]), grid.cell)
    axes = np.meshgrid(*[np.arange(n) * 0.5 for n in grid.shape], indexing="ij")
    density = sum(
        np.exp(-sum((x - p) ** 2 for x, p in zip(axes, place, strict=True)) / 2)
        for place in frame.positions
    )
    density *= 16 / (density.sum() * grid.voxel_volume)
    data = VolumetricData(grid, {"rho": density}, frame)
    write_volumetric(path, replace(data, units={"rho": "1/bohr^3"}))


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A reader's folder: what the pages say that one has."""
    monkeypatch.chdir(tmp_path)
    for name in ("examples", "data"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "RUN_FOLDER").mkdir()
    for name in ("CHGCAR", "AECCAR0", "AECCAR2", "EDM_Ta", "EDM_exc", "RUN_FOLDER/CHGCAR"):
        write_density(name)
    for name in ("rho", "valence", "all_electron", "run-ELECTRON_DENSITY-1_0", "run-v_hartree-1_0"):
        write_density(f"{name}.cube")
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    program = bin_folder / "zeroflux"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m zeroflux "$@"\n')
    program.chmod(0o755)
    (bin_folder / "python").symlink_to(sys.executable)
    monkeypatch.setenv("PATH", f"{bin_folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    return tmp_path


def play(page: str, names: dict) -> None:
    """Run the blocks of a page in their order, as a reader does."""
    for block in blocks_of(ROOT / page if page == "README.md" else ROOT / "docs" / page):
        where = f"{page}:{block.line}"
        if block.language == "python":
            if "def calculator" in block.text:
                Path("mine.py").write_text(block.text)
            exec(compile(block.text, where, "exec"), names)
        elif block.language in ("console", "sh"):
            for command in block.commands:
                if not command.startswith(INSTALL):
                    done = subprocess.run(
                        command, shell=True, text=True, capture_output=True, check=False
                    )
                    assert done.returncode == 0, f"{where}: {command}\n{done.stderr}"


@pytest.mark.slow
@pytest.mark.parametrize("page", PLAYED)
def test_a_page_does_what_it_says(page, folder, monkeypatch):
    monkeypatch.syspath_prepend(str(folder))
    play(page, {"__name__": "page"})


@pytest.fixture
def names(folder) -> dict:
    """What the fragments take as given."""
    from ase import Atoms
    from ase.calculators.lj import LennardJones

    from zeroflux.volumetric import read_volumetric

    del folder
    dimer = Atoms("ArKr", [[4, 4, 2], [4, 4, 5.9]], cell=[8, 8, 8], pbc=True)
    data = read_volumetric("rho.cube")
    return {
        "__name__": "page",
        "atoms": dimer,
        "calculator": LennardJones(sigma=3.4, epsilon=0.0103, rc=12.0),
        "data": data,
    }


@pytest.mark.slow
@pytest.mark.parametrize("page", FRAGMENTS)
def test_python_of_a_page_runs(page, names, monkeypatch):
    monkeypatch.syspath_prepend(".")
    Path("predicted.extxyz").write_text(predictions())
    if page == "basins.md":
        data = names["data"]
        fields = dict.fromkeys(("density", "energy_density", "another_field"), data.first)
        names |= {"grid": data.grid, "atoms": data.frame, **fields}
    for block in blocks_of(ROOT / page if page == "README.md" else ROOT / "docs" / page):
        if block.language == "python":
            if "def calculator" in block.text:
                Path("mine.py").write_text(block.text)
            exec(compile(block.text, f"{page}:{block.line}", "exec"), names)


def predictions() -> str:
    """Predictions for `argon_test`: Lennard-Jones energies, as a model's program writes them."""
    command = ["zeroflux", "predict", "argon_test", "lj", "-o", "lj.extxyz"]
    subprocess.run(command, check=True, capture_output=True)
    return Path("lj.extxyz").read_text(encoding="utf-8")


@pytest.mark.slow
def test_bader_commands_of_the_page_run(folder):
    """The shell lines of the how-to for each program, on densities of their forms."""
    del folder
    for block in blocks_of(ROOT / "docs" / "how-to" / "bader-charges.md"):
        if block.language == "console" and "{" not in block.text and "::" not in block.text:
            for command in block.commands:
                command = command.replace("--electrons 256", "--electrons 16")
                done = subprocess.run(
                    command, shell=True, text=True, capture_output=True, check=False
                )
                assert done.returncode == 0, f"{block.line}: {command}\n{done.stderr}"


@pytest.mark.parametrize(
    "block",
    [block for block in BLOCKS if block.language == "yaml" and "label:" in block.text],
    ids=lambda block: f"{block.page}:{block.line}",
)
def test_label_settings_of_the_pages_are_valid(block):
    from zeroflux.config import LabelConfig

    LabelConfig.model_validate(yaml.safe_load(block.text)["label"])


@pytest.mark.skipif(shutil.which("sphinx-build") is None, reason="needs the extra docs")
@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path):
    subprocess.run(["sphinx-build", "-W", "-q", str(ROOT / "docs"), str(tmp_path)], check=True)
