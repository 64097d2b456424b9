"""The calls of the package: basins of densities, labels of structures, scores of models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from jaxtyping import Float

from zeroflux.errors import ConfigError

if TYPE_CHECKING:
    from ase import Atoms

    from zeroflux.analysis.frame_report import FrameReport
    from zeroflux.config import LabelConfig
    from zeroflux.scoring.pools import PoolsReport
    from zeroflux.scoring.report import ScoreReport


@dataclass(frozen=True, eq=False)
class Basins:
    """Atomic basins of one density; made by `basins`."""

    report: FrameReport
    """Everything that is known of them, by the names of docs/basins-output.md."""

    @property
    def charges(self) -> Float[np.ndarray, " n_atoms"]:
        """Net charges (e): valence less population; NaN where nothing tells the valence."""
        return self.report.columns["charge"]

    @property
    def populations(self) -> Float[np.ndarray, " n_atoms"]:
        """Electrons in each basin."""
        return self.report.columns["population"]

    @property
    def volumes(self) -> Float[np.ndarray, " n_atoms"]:
        """Volumes (Å³)."""
        return self.report.columns["volume"]

    @property
    def moments(self) -> Float[np.ndarray, " n_atoms"] | Float[np.ndarray, "n_atoms 3"] | None:
        """Spin moments (Bohr magnetons), vectors if non-collinear, None without magnetization."""
        from zeroflux.analysis.outputs import moments_of

        return moments_of(self.report)

    @property
    def remarks(self) -> tuple[str, ...]:
        """Repairs and doubts, each with its size."""
        return self.report.remarks

    @property
    def atoms(self) -> Atoms:
        """ASE atoms with charges, moments, and the arrays ``basin_charge``, ``basin_volume``, ...

        Charges are ASE's ``initial_charges``, moments its ``initial_magmoms``, where known.
        """
        from zeroflux.analysis.outputs import atoms_of

        return atoms_of(self.report)

    def table(self) -> str:
        """The table that the command prints: atoms, sums, totals of the grid."""
        from zeroflux.analysis.tables import atom_table
        from zeroflux.terminal import as_text

        return as_text(atom_table(self.report))

    def write(self, path: str | Path) -> None:
        """Write a table: .csv, .json, .extxyz, Henkelman's ACF.dat, or a page: .html."""
        from zeroflux.analysis.outputs import write_table

        write_table(Path(path), [self.report])

    def view(self, path: str | Path = "basins.html") -> Path:
        """Write the page of structure, surfaces and table, and open it where there is a browser.

        Returns the path of the page.
        """
        import webbrowser

        self.write(path)
        webbrowser.open(Path(path).resolve().as_uri())
        return Path(path)


def basins(
    density: Any,
    atoms: Any = None,
    *,
    unit: str = "1/angstrom^3",
    integrate: Sequence[str] = (),
    reference: Sequence[str] | None = None,
    method: Literal["weight", "neargrid", "ongrid"] = "weight",
    n_threads: int = 1,
    **options: Any,
) -> Basins:
    """Divide a density into atomic basins (Bader) and integrate it, and other fields, over them.

    Parameters
    ----------
    density
        A file (CHGCAR, cube, XSF, vaspwave.h5, arrays), the folder of a VASP, CP2K or Quantum
        ESPRESSO run, pymatgen's ``Chgcar``, or an array (n_a, n_b, n_c) with ``atoms``.
    atoms
        ASE atoms of an array.
    unit
        Unit of an array.
    integrate
        Files of further fields, ``[NAME=]FILE[::DATASET][@UNIT]``.
    reference
        Files of densities whose sum defines the basins; by default AECCAR0 and AECCAR2 beside a
        CHGCAR, if they are there. An empty sequence takes the density itself.
    method
        How points are divided.
    n_threads
        Threads.
    **options
        As of `zeroflux.analysis.run.run_basins`: ``valence``, ``electrons``, ``cell``, ``symbols``,
        ``vacuum``, ``allow_empty``, ``coarse_check``, ``save_labels``.

    Returns
    -------
    Basins
        Charges, volumes, moments, ASE atoms, tables.

    Raises
    ------
    ZerofluxError
        If the density cannot be read, belongs to no atoms or cannot be divided.

    References
    ----------
    Yu, Trinkle, J. Chem. Phys. 134, 064111 (2011), doi 10.1063/1.3553716.

    Examples
    --------
    >>> import zeroflux as zf
    >>> zf.basins("CHGCAR").charges  # doctest: +SKIP
    """
    from zeroflux.analysis.objects import data_of
    from zeroflux.analysis.run import run_basins

    if options.get("valence"):
        options["valence"] = {name: float(n) for name, n in options["valence"].items()}
    is_named = isinstance(density, (str, Path))
    reports = run_basins(
        [density if is_named else data_of(density, atoms, unit=unit)],
        integrate=integrate,
        reference=reference,
        method=method,
        n_threads=n_threads,
        keep_owners=True,
        **options,
    )
    if len(reports) != 1:
        raise ConfigError(
            f"{density}: found {len(reports)} frames; expected one. Divide a trajectory with "
            "`zeroflux basins` or zeroflux.analysis.run.run_basins."
        )
    return Basins(reports[0])


@overload
def label(atoms: Atoms, **settings: Any) -> Atoms: ...
@overload
def label(atoms: Sequence[Atoms] | str | Path, **settings: Any) -> list[Atoms]: ...
def label(
    atoms: Any,
    *,
    cutoff: float | int | None = None,
    folder: str | Path | None = None,
    n_workers: int | None = None,
    **settings: Any,
) -> Any:
    """QTAIM energies of the atoms of one or many structures, by density functional theory.

    Parameters
    ----------
    atoms
        ASE atoms in a periodic cell, a sequence of them, or a file that ASE reads.
    cutoff
        Plane-wave cutoff of the density's grid (hartree); by default it follows the elements.
    folder
        Where finished labels are kept, so that an interrupted call goes on; nowhere by default.
    n_workers
        Processes that share the structures, from a script with
        ``if __name__ == "__main__":`` only; by default this process does them in turn.
    **settings
        Keys of `zeroflux.config.LabelConfig`: ``functional``, ``basis``, ``dispersion``,
        ``forces``, ``partitions``, ``engine``, ``workers`` and so on.

    Returns
    -------
    ASE atoms with ``energy`` and the per-atom arrays ``basin_energy``, ``basin_charge`` and so on
    (docs/conventions.md); a list if a sequence or a file was given. Plain values of the structures'
    ``info`` are kept. Where the self-consistent field did not converge, ``info["is_converged"]`` is
    false and the arrays are NaN.

    Raises
    ------
    ZerofluxError
        If a structure cannot be labelled; nothing is computed then.

    Examples
    --------
    >>> from ase.build import bulk
    >>> import zeroflux as zf
    >>> zf.label(bulk("Ar", cubic=True)).arrays["basin_energy"]  # doctest: +SKIP
    """
    from tempfile import TemporaryDirectory

    from ase import Atoms

    from zeroflux.artifacts.extxyz import label_to_atoms
    from zeroflux.stages.label import FRAMES, label_all
    from zeroflux.stages.machinery import silent
    from zeroflux.stages.sample import read_structures, with_provenance

    # processes import the caller's script again, which would call this again
    here = {"kind": "serial"} if n_workers is None else {"n_workers": n_workers}
    config = _label_config({"workers": here, **settings, "density_cutoff_hartree": cutoff})
    if isinstance(atoms, (str, Path)):
        frames = read_structures(Path(atoms))
    else:
        frames = with_provenance([atoms] if isinstance(atoms, Atoms) else atoms)
    with TemporaryDirectory(prefix="zeroflux-") as temporary:
        kept = Path(folder or temporary)
        labels = label_all(
            frames,
            config,
            folder=kept / FRAMES,
            out=kept / "labels.extxyz",
            progress=silent,
        )
    found = [label_to_atoms(one) for one in labels]
    return found[0] if isinstance(atoms, Atoms) else found


def _label_config(settings: Mapping[str, Any]) -> LabelConfig:
    from pydantic import ValidationError

    from zeroflux.config import LabelConfig

    try:
        return LabelConfig.model_validate(settings)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(
            f"`{'.'.join(map(str, first['loc']))}`: found {first['input']!r}: {first['msg']}. See "
            "zeroflux.config.LabelConfig for the settings of labels."
        ) from error


@dataclass(frozen=True, eq=False)
class Scores:
    """How well models' per-atom energies are the reference's; made by `score`."""

    report: ScoreReport | PoolsReport
    """Everything that is known; of several pools one report each, and a summary."""

    @property
    def table(self) -> list[dict[str, Any]]:
        """A row for each model, system and species: errors (meV), correlations, offsets."""
        from zeroflux.scoring.outputs import rows_of

        return rows_of(self.report)

    @property
    def achieved(self) -> dict[str, float]:
        """The score of 0 to 1 of each model."""
        return {name: one.score.value for name, one in self.report.achieved.items()}

    @property
    def refused(self) -> dict[str, str]:
        """Why a model was left out, by its name; of several pools, on which."""
        from zeroflux.scoring.pools import PoolsReport

        if isinstance(self.report, PoolsReport):
            return {name: ", ".join(pools) for name, pools in self.report.missing.items()}
        return self.report.refused

    def write(self, path: str | Path) -> None:
        """Write .json, .csv, and for one pool the page .html or the atoms .extxyz."""
        from zeroflux.scoring.outputs import write_output
        from zeroflux.scoring.pools import PoolsReport, write_pools

        if isinstance(self.report, PoolsReport):
            write_pools(self.report, Path(path))
        else:
            write_output(self.report, Path(path))


def score(
    data: str | Path | Atoms | Sequence[str | Path] | Sequence[Atoms],
    models: Any,
    *,
    reference: Literal["direct", "shortcut", "neutral", "stockholder", "orbital"] = "direct",
    training: str | Path | None = None,
    n_bootstrap: int = 1000,
    seed: int = 0,
    keys: Mapping[str, str] | None = None,
    reference_key: str | None = None,
    dispersion: bool = True,
    output: str | Path | None = None,
    refuse: Callable[[str], object] | None = None,
    say: Callable[[str], object] = lambda line: None,
) -> Scores:
    """Hold the per-atom energies of any models against basin energies.

    Parameters
    ----------
    data
        Labels: a file, a pool of the open data set (``"argon_test"``), several, ``"all"``, or
        atoms that `label` has labelled.
    models
        One or a sequence of: ASE calculators, checkpoints, files of predictions, known names such
        as ``"sevennet-0"``, ``"package.module:callable?key=value"``; a mapping names the rows.
    reference, training, n_bootstrap, seed, keys, reference_key, dispersion
        As of `zeroflux.scoring.run.run_score`.
    output
        File that `Scores.write` will be asked for: a name that cannot be is refused at once.
    refuse
        Called with a line for each model that is left out, of several; by default it is a warning.
    say
        Called with the name of each of several pools.

    Raises
    ------
    ZerofluxError
        If the data cannot be read or no model can be scored.

    Examples
    --------
    >>> import zeroflux as zf
    >>> zf.score("argon_test", "lj").achieved  # doctest: +SKIP
    """
    import warnings
    from functools import partial

    from ase import Atoms

    from zeroflux.artifacts.extxyz import label_from_atoms
    from zeroflux.errors import RefusedWarning
    from zeroflux.scoring.outputs import check_output
    from zeroflux.scoring.pools import pools_of, run_pools
    from zeroflux.scoring.run import run_score

    given = _models(models)
    listed = [data] if isinstance(data, (str, Path, Atoms)) else list(data)
    are_atoms = [isinstance(one, Atoms) for one in listed]
    if all(are_atoms) and listed:
        sets: list[Any] = [
            [label_from_atoms(one, where=f"atoms {i}") for i, one in enumerate(listed)]  # type: ignore[arg-type]
        ]
    elif any(are_atoms):
        raise ConfigError("Found atoms among the names of data; expected one kind. Give one.")
    else:
        sets = [pool for one in listed for pool in pools_of(Path(one))]  # type: ignore[arg-type]
    if output is not None:
        check_output(Path(output), has_terms=reference_key is None, n_pools=len(sets))
    scored = partial(
        run_score,
        reference=reference,
        training=None if training is None else Path(training),
        n_bootstrap=n_bootstrap,
        seed=seed,
        keys=keys,
        reference_key=reference_key,
        dispersion=dispersion,
        refuse=refuse or (lambda line: warnings.warn(line, RefusedWarning, stacklevel=2)),
    )
    if len(sets) == 1:
        return Scores(scored(sets[0], given))
    return Scores(run_pools(sets, given, scored, seed=seed, tell=say))


def _models(models: Any) -> list[Any]:
    """Models as the command names them, calculators with a name."""
    from zeroflux.scoring.models import NamedCalculator

    if isinstance(models, Mapping):
        return [
            f"{name}={model}" if isinstance(model, (str, Path)) else NamedCalculator(name, model)
            for name, model in models.items()
        ]
    listed = models if isinstance(models, (list, tuple)) else [models]
    for model in listed:
        if not isinstance(model, (str, Path)) and not hasattr(model, "get_potential_energy"):
            raise ConfigError(
                f"Found a {type(model).__name__} as a model; expected an ASE calculator, the path "
                "of a checkpoint or of predictions, a known name, or package.module:callable."
            )
    return [
        str(model)
        if isinstance(model, (str, Path))
        else NamedCalculator(type(model).__name__, model)
        for model in listed
    ]
