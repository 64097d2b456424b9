"""Score models on labelled configurations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zeroflux.scoring.baselines import BASELINES, baseline_energies, profile_by_rigidity, stream
from zeroflux.scoring.report import Reference, ScoreReport

if TYPE_CHECKING:
    import numpy as np

    from zeroflux.correlation import ComponentTable
    from zeroflux.evaluation import Achieved, Convention
    from zeroflux.evaluation.statistics import Estimate
    from zeroflux.frames import Frame
    from zeroflux.labels import Label
    from zeroflux.report import ModelResult
    from zeroflux.scoring.models import Model, Predictions


def run_score(
    data: Path | Sequence[Label],
    models: Sequence[Model],
    *,
    reference: Reference = "direct",
    training: Path | None = None,
    n_bootstrap: int = 1000,
    seed: int = 0,
    keys: Mapping[str, str] | None = None,
    reference_key: str | None = None,
    dispersion: bool = True,
    refuse: Callable[[str], object] | None = None,
) -> ScoreReport:
    """Score models on labelled configurations.

    A model that cannot be scored does not cost the others: it is left out and named in
    ``refused``. All models are opened before the first is computed.

    Parameters
    ----------
    data
        Labels written by ``zeroflux label``, the name of a pool of the open data set, or labels.
    models
        Checkpoints, files of predicted energies, or calculators; see `score_models.opened`.
    reference
        ``"direct"`` basin energies, those of the best ``"shortcut"``, or of another partition that
        the labels hold: ``"neutral"``, ``"stockholder"``, ``"orbital"``.
    training
        Labels on which the pair-potential baseline is fitted and from which local prediction
        rigidities follow; without it the baseline is fitted out of fold on `data`.
    n_bootstrap
        Bootstrap samples of every interval.
    seed
        Of all random draws, each purpose with a stream of its own (`stream`).
    keys
        Names under which files of predictions hold ``energy`` and ``energies``.
    reference_key
        Array of per-atom energies (eV) that is the reference; `data` and `training` are then any
        extended XYZ that has it.
    dispersion
        Whether the reference holds the dispersion term of the labels.
    refuse
        Called with a line as soon as a model is found unfit.

    Raises
    ------
    ArtifactError
        If the data cannot be read.
    ModelError
        If no model can be loaded and has per-atom energies that decompose its total.
    """
    import numpy as np

    from zeroflux.artifacts.extxyz import read_labels
    from zeroflux.correlation import component_table
    from zeroflux.data import file_or_pool
    from zeroflux.errors import ConfigError
    from zeroflux.evaluation import noise_floors
    from zeroflux.labels import require_closed
    from zeroflux.scoring.reference import read_reference, without_dispersion
    from zeroflux.scoring.remarks import (
        achieved_remarks,
        baseline_remarks,
        centred,
        model_remarks,
        set_remarks,
    )

    where = str(data) if isinstance(data, Path) else "labels in memory"

    def read(given: Path | Sequence[Label]) -> list[Label]:
        if not isinstance(given, Path):
            return list(given) if dispersion else without_dispersion(list(given), where)
        path = file_or_pool(given)
        if reference_key is not None:
            return read_reference(path, reference_key)
        found = read_labels(path)
        return found if dispersion else without_dispersion(found, str(given))

    if reference_key is not None and not isinstance(data, Path):
        raise ConfigError(
            f"Found the array {reference_key} as the reference of labels in memory; expected a "
            "file. Write the atoms as extended XYZ."
        )
    if reference_key is not None and reference != "direct":
        raise ConfigError(
            f"Found --reference {reference} and --reference-key; that reference needs labels of "
            "zeroflux. Leave out one of them."
        )
    if not dispersion and (reference_key is not None or reference == "shortcut"):
        raise ConfigError(
            "Found --without-dispersion with a reference other than direct basin energies, from "
            "which no dispersion can be taken. Leave out one of them."
        )
    labels = read(data)
    if reference_key is None:
        require_closed(labels, where=where)
    table = component_table(labels)
    frames = [label.frame for label in labels]
    train_labels = labels if training is None else read(training)
    has_forces = all(label.forces is not None for label in labels)
    predict = _Predict(models, frames, keys, refuse, with_forces=has_forces)
    shortcut = None
    if reference_key is None:
        shortcut = _shortcut_energy(table, stream(seed, "shortcut"))
    target, words = _reference(labels, table, shortcut, reference, where=where)
    words = words if reference_key is None else f"array {reference_key} of {where}"
    words = words if dispersion else f"{words} without dispersion"

    def scored(local: np.ndarray) -> tuple:
        # One stream for every model: the same configurations are resampled for all.
        return _scores(local, target, table, n_bootstrap, stream(seed, "bootstrap"))

    results, conventions, profiles, mistakes, forces = [], {}, {}, [], {}
    for name, found, convention in predict.each(table):
        local = _on_zero_of_labels(found, convention, table)
        conventions[name] = convention
        if found.forces is not None:
            forces[name] = _force_error(
                found.forces, labels, n_bootstrap=n_bootstrap, rng=stream(seed, "forces")
            )
        results.append(_result(name, found, local, scored(local)))
        mistakes += model_remarks(name, local, table, frames, found.energies)
        if training is not None:
            profiles[name] = profile_by_rigidity(local, target, table, frames, train_labels)
    energies = baseline_energies(table, frames, train_labels, training is None, seed)
    baselines = [_baseline(name, local, scored(local)) for name, local in energies.items()]
    results += baselines
    difference = None if shortcut is None else centred(shortcut - table.basin_energy, table)
    # A reference of another origin has no terms, so these floors are not known.
    known = 1.0 if reference_key is None else float("nan")
    noise = noise_floors(
        laplacian=known * np.concatenate([label.terms.laplacian for label in labels]),
        closure_per_atom=known * np.array([label.closure / label.n_atoms for label in labels]),
        shortcut_rmse=float("nan") if difference is None else float(difference.std()),
        local_energy_by_seed=_seed_ensemble(results),
    )
    of_shortcut = difference if reference == "shortcut" else None
    floor = _floor_by_system(table, labels, of_shortcut, known=reference_key is None)
    fractions = {
        model.name: _achieved(
            model, energies, target, table, floor, n_bootstrap, stream(seed, "achieved")
        )
        for model in results
    }
    remarks = (
        *set_remarks(table),
        *achieved_remarks(fractions),
        *mistakes,
        *baseline_remarks(baselines, is_out_of_fold=training is None),
    )
    return ScoreReport(
        labels,
        words,
        tuple(results),
        conventions,
        profiles,
        noise,
        remarks,
        predict.refused,
        forces=forces,
        data_sha256=_sha256(file_or_pool(data)) if isinstance(data, Path) else "",
        target=target,
        achieved=fractions,
    )


class _Predict:
    """Models opened side by side; what one of them raises is kept and costs it alone."""

    def __init__(
        self,
        models: Sequence[Model],
        frames: list[Frame],
        keys: Mapping[str, str] | None,
        refuse: Callable[[str], object] | None,
        *,
        with_forces: bool,
    ) -> None:
        from zeroflux.scoring.models import opened, row_names

        self.refused: dict[str, str] = {}
        self._tell = refuse if len(models) > 1 else None  # the only one ends the command itself
        self._ready: dict[str, Callable[[], Predictions]] = {}
        for name, given in zip(row_names(models, taken=BASELINES), models, strict=True):
            found = self._tried(
                name,
                lambda given=given: opened(given, frames, keys=keys, with_forces=with_forces),
            )
            if found is not None:
                self._ready[name] = found
        self._expect_one()

    def each(self, table: ComponentTable):
        """Name, predictions and convention of every model that can be scored."""
        from zeroflux.evaluation import find_convention

        n_scored = 0
        for name, predict in self._ready.items():
            found = self._tried(name, predict)
            if found is None:
                continue
            convention = self._tried(
                name,
                lambda found=found, name=name: find_convention(
                    energies=found.energies,
                    model_total=found.total,
                    reference_total=table.total_energy,
                    species=table.species,
                    configuration=table.configuration,
                    rounding=found.rounding,
                    step=found.step,
                    name=name,
                ),
            )
            if convention is not None:
                n_scored += 1
                yield name, found, convention
        if not n_scored:
            self._expect_one(are_left=False)

    def _tried(self, name: str, action):
        """What the action returns, or None and a line why there is nothing."""
        from zeroflux.errors import ZerofluxError

        try:
            return action()
        except ZerofluxError as error:
            self.refused[name] = str(error)
            if self._tell is not None:
                self._tell(str(error))
            return None

    def _expect_one(self, *, are_left: bool = True) -> None:
        from zeroflux.errors import ModelError

        if self._ready and are_left:
            return
        if self._tell is None or len(self.refused) == 1:
            raise ModelError(" ".join(self.refused.values()))
        raise ModelError(f"None of {len(self.refused)} models can be scored. See the lines above.")


def _force_error(
    forces: np.ndarray, labels: list[Label], *, n_bootstrap: int, rng: np.random.Generator
) -> Estimate:
    """Root mean square error of the components of forces, its interval over configurations."""
    import numpy as np

    from zeroflux.evaluation.statistics import bootstrap

    parts = np.split(forces, np.cumsum([label.n_atoms for label in labels])[:-1])
    squares = np.array(
        [((part - label.forces) ** 2).sum() for part, label in zip(parts, labels, strict=True)]
    )
    counts = np.array([part.size for part in parts])
    return bootstrap(
        lambda drawn: float(np.sqrt(squares[drawn].sum() / counts[drawn].sum())),
        len(labels),
        n_bootstrap=n_bootstrap,
        rng=rng,
    )


def _sha256(path: Path) -> str:
    import hashlib

    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _reference(
    labels: list[Label],
    table: ComponentTable,
    shortcut: np.ndarray | None,
    reference: Reference,
    *,
    where: str,
) -> tuple[np.ndarray, str]:
    """Energies to score against and what they are."""
    import numpy as np

    from zeroflux.errors import LabelError

    if reference == "direct":
        return table.basin_energy, "direct basin energies"
    if reference != "shortcut":
        without = [k for k, label in enumerate(labels) if reference not in label.other_energies]
        if without:
            raise LabelError(
                f"{where}: label {without[0]} (counted from 0) has no {reference}_energy; expected "
                "labels made with label.partitions, such as the pools version3/. Score against "
                "the direct energies."
            )
        energies = np.concatenate([label.other_energies[reference] for label in labels])
        return energies, f"energies by the {reference} partition"
    if shortcut is None:
        raise LabelError(
            f"Found {table.n_configurations} configurations, too few for any shortcut; expected "
            "about ten. Score against the direct energies."
        )
    return shortcut, "energies by the shortcut that predicts held-out totals best"


def _shortcut_energy(table: ComponentTable, rng: np.random.Generator) -> np.ndarray | None:
    """Per-atom energies of the best shortcut, out of fold; None if none can be fitted."""
    from zeroflux.correlation import compare_shortcuts

    if table.n_configurations < 2:
        return None
    comparison = compare_shortcuts(table, n_bootstrap=20, rng=rng)
    return comparison.best.local_energy if comparison.results else None


def _on_zero_of_labels(
    found: Predictions, convention: Convention, table: ComponentTable
) -> np.ndarray:
    """Per-atom energies with omitted offsets added and the model's zero moved to the labels'."""
    import numpy as np

    move = {z: convention.omitted[z] - convention.zero_shift[z] for z in convention.omitted}
    return found.energies + np.array([move[int(z)] for z in table.species])


def _scores(
    local: np.ndarray,
    target: np.ndarray,
    table: ComponentTable,
    n_bootstrap: int,
    rng: np.random.Generator,
):
    """Local and total scores of per-atom energies."""
    from zeroflux.evaluation import local_scores, total_scores

    return local_scores(
        local_energy=local,
        reference=target,
        species=table.species,
        configuration=table.configuration,
        systems=table.systems,
        n_bootstrap=n_bootstrap,
        rng=rng,
    ), total_scores(
        predicted=table.totals(local),
        reference=table.total_energy,
        n_atoms=table.n_atoms_per_configuration,
        systems=table.systems,
        n_bootstrap=n_bootstrap,
        rng=rng,
    )


def _result(name: str, found: Predictions, local: np.ndarray, scored: tuple) -> ModelResult:
    """Record of a model."""
    from zeroflux.report import ModelResult

    return ModelResult(
        name=name,
        architecture=found.architecture,
        n_parameters=found.n_parameters,
        seed=found.seed,
        trained_on="unknown",
        local_energy=local,
        scores=scored[0],
        totals=scored[1],
    )


def _baseline(name: str, local: np.ndarray, scored: tuple) -> ModelResult:
    """Record of a baseline."""
    from zeroflux.report import ModelResult

    return ModelResult(name, "baseline", 0, 0, "totals", local, *scored, is_baseline=True)


def _floor_by_system(
    table: ComponentTable, labels: list[Label], from_shortcut: np.ndarray | None, *, known: bool
) -> dict[str, float]:
    """What blurs a basin energy in each system: surfaces and closure, and the shortcut if given.

    0 where the reference is not of zeroflux's labels, so that nothing is known of its noise.
    """
    import numpy as np

    if not known:
        return dict.fromkeys(table.systems, 0.0)
    square = np.square(0.25 * np.concatenate([label.terms.laplacian for label in labels]))
    square += np.concatenate(
        [np.full(label.n_atoms, (label.closure / label.n_atoms) ** 2) for label in labels]
    )
    if from_shortcut is not None:
        square += from_shortcut**2
    of_atom = np.array(table.systems)[table.configuration]
    return {name: float(np.sqrt(square[of_atom == name].mean())) for name in set(table.systems)}


def _achieved(
    model: ModelResult,
    baselines: dict[str, np.ndarray],
    target: np.ndarray,
    table: ComponentTable,
    floor: dict[str, float],
    n_bootstrap: int,
    rng: np.random.Generator,
) -> Achieved:
    """Fraction of the achievable; the baselines to beat are those that know totals."""
    from zeroflux.evaluation import achieved

    return achieved(
        error=model.local_energy - target,
        baseline_errors=[e - target for name, e in baselines.items() if name != "random split"],
        floor=floor,
        species=table.species,
        configuration=table.configuration,
        systems=table.systems,
        n_bootstrap=n_bootstrap,
        rng=rng,
    )


def _seed_ensemble(results: list[ModelResult]) -> np.ndarray | None:
    """Local energies of the largest group of models that differ by their seed only."""
    import numpy as np

    groups: dict[tuple[str, int], dict[int, np.ndarray]] = {}
    for model in results:
        if model.n_parameters:
            group = groups.setdefault((model.architecture, model.n_parameters), {})
            group[model.seed] = model.local_energy
    largest = max(groups.values(), key=len, default={})
    return np.array([*largest.values()]) if len(largest) > 1 else None
