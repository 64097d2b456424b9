"""Fit one architecture to total energies, for one seed or for many at once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float, Int

from zeroflux.errors import ArtifactError, ModelError
from zeroflux.potentials.layers import learning_rate_scales
from zeroflux.training.losses import LOSSES, Target
from zeroflux.training.offsets import SpeciesOffsets, species_offsets
from zeroflux.training.ridge import ridge_on_totals
from zeroflux.training.state import load_state, save_state

logger = logging.getLogger(__name__)

HELD_OUT_AT_ONCE = 64  # configurations of message-passing models


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train: one rule for every architecture and size."""

    learning_rate: float = 2e-2
    """Peak rate of Adam; matrices of large fan-in get less (`learning_rate_scales`)."""
    n_steps: int = 4000
    """Largest number of steps; the rate follows half a cosine down to zero over them."""
    n_warmup: int = 100
    """Steps over which the rate rises from zero."""
    batch_size: int = 25
    """Configurations per step."""
    interval: int = 50
    """Steps between two looks at the held-out totals."""
    patience: int = 1500
    """Steps without a better held-out error after which a seed stops."""
    is_double: bool = False
    """Train in double precision."""

    def __post_init__(self) -> None:
        counts = ("n_steps", "batch_size", "interval", "patience")
        if self.learning_rate <= 0 or min(getattr(self, c) for c in counts) < 1:
            raise ValueError(f"expected positive numbers in the schedule, found {asdict(self)}")

    def rates(self, start: int) -> Float[np.ndarray, " interval"]:
        """Learning rates of the ``interval`` steps that follow step ``start``."""
        step = np.arange(start, start + self.interval)
        warmup = np.minimum(1.0, (step + 1) / max(self.n_warmup, 1))
        decay = 0.5 * (1.0 + np.cos(np.pi * np.minimum(step / self.n_steps, 1.0)))
        return self.learning_rate * warmup * decay


class CurveRow(NamedTuple):
    """One look at a network in training."""

    step: int
    train_rmse_hartree: float
    """Root-mean-square error per atom since the last look, over the batches seen (hartree). For
    the controls it is the root of the loss in the same unit."""
    held_out_rmse_hartree: float
    """Root-mean-square error of held-out totals per atom (hartree)."""
    learning_rate: float


@dataclass(frozen=True, eq=False)
class Fitted:
    """One trained network with everything needed to use it."""

    params: Any
    statistics: dict[str, np.ndarray]
    offsets: SpeciesOffsets
    scale: float
    """Energy of one unit of output (hartree)."""
    held_out_rmse: float
    """Error of held-out totals per atom at the kept parameters (hartree)."""
    best_step: int
    """Step whose parameters were kept."""
    curve: tuple[CurveRow, ...]


class Totals(NamedTuple):
    """What a model may learn from: energies of whole configurations, and who is in them."""

    counts: Int[np.ndarray, "n_frames n_species"]
    """Atoms of each element."""
    energies: Float[np.ndarray, " n_frames"]
    """Total energies (hartree)."""


def fit(
    architecture: Any,
    inputs: Any,
    totals: Totals,
    *,
    train: Int[np.ndarray, " n_train"],
    held_out: Int[np.ndarray, " n_held_out"],
    seeds: Sequence[int],
    schedule: Schedule,
    atom_energies: Float[np.ndarray, " n_species"] | None = None,
    state_path: Path | None = None,
    on_progress: Callable[[int, float], None] | None = None,
) -> list[Fitted]:
    """Train one network per seed on total energies; basin energies have no way in.

    Linear architectures are solved in closed form, the ridge chosen on the held-out totals.
    Others are trained by Adam, all seeds at once under `jax.vmap`, and stopped early on the
    held-out totals, seed by seed.

    Parameters
    ----------
    architecture
        See `zeroflux.potentials.registry.Architecture`.
    inputs
        Its inputs of all configurations, `zeroflux.potentials.energy.prepared_inputs`.
    totals
        Composition and total energy of the same configurations.
    train, held_out
        Indices of the configurations to learn from and to stop on.
    seeds
        One network each: starting parameters and the order of batches.
    schedule
        Steps, rates and patience.
    atom_energies
        Energies of the isolated atoms (hartree) that anchor the offsets, if known.
    state_path
        File that keeps the state of the training; an interrupted call resumes from it bit for
        bit. It is removed at the end.
    on_progress
        Called with the step and the smallest held-out error per atom (hartree).

    Raises
    ------
    ModelError
        If there is nothing to train on or to stop on.
    """
    task = _scaled_task(architecture, inputs, totals, train, held_out, atom_energies, schedule)
    if architecture.is_linear:
        return [_fit_linear(architecture, task, train, held_out)] * len(seeds)
    return _descend(
        architecture, task, "total", train, held_out, seeds, schedule, state_path, on_progress
    )


def fit_control(
    architecture: Any,
    inputs: Any,
    totals: Totals,
    *,
    control: Target,
    train: Int[np.ndarray, " n_train"],
    held_out: Int[np.ndarray, " n_held_out"],
    seeds: Sequence[int],
    schedule: Schedule,
    local_energies: Float[np.ndarray, "n_frames n_atoms"] | None = None,
    neighborhoods: Any = None,
    forces: Float[np.ndarray, "n_frames n_atoms 3"] | None = None,
    atom_energies: Float[np.ndarray, " n_species"] | None = None,
    state_path: Path | None = None,
    on_progress: Callable[[int, float], None] | None = None,
) -> list[Fitted]:
    """Controls of the study: train on per-atom energies, or on totals and forces.

    As `fit`, and stopped on held-out totals too. ``local_energies`` (hartree, NaN in padding)
    belong to ``control="local"``, the ceiling of what the architecture can represent;
    ``neighborhoods`` and ``forces`` (hartree/bohr) to ``"total+forces"``.

    Raises
    ------
    ModelError
        If the data the control needs are missing.
    """
    task = _scaled_task(architecture, inputs, totals, train, held_out, atom_energies, schedule)
    if control == "local":
        if local_energies is None:
            raise ModelError(
                "The control 'local' needs per-atom energies, but none were given. Label the "
                "training set with basin energies, or train on totals."
            )
        task = _with_local_energies(task, inputs, local_energies, train)
        if architecture.is_linear:
            fitted = _fit_linear(architecture, task, train, held_out, on_local=True)
            return [fitted] * len(seeds)
    elif control == "total+forces":
        if forces is None or neighborhoods is None or architecture.is_linear:
            raise ModelError(
                "The control 'total+forces' needs forces and neighbour lists and an architecture "
                "that is trained by steps. Label with forces, or train on totals."
            )
        task = _with_forces(task, neighborhoods, forces, train)
    else:
        raise ModelError(f"Unknown control '{control}'; expected 'local' or 'total+forces'.")
    return _descend(
        architecture, task, control, train, held_out, seeds, schedule, state_path, on_progress
    )


@dataclass(frozen=True, eq=False)
class _Task:
    """Data in the units of the loss, and the constants that lead back to hartree."""

    data: dict[str, Any]
    """Arrays with a leading axis over configurations."""
    constants: dict[str, Any]
    statistics: dict[str, np.ndarray]
    offsets: SpeciesOffsets
    scale: float
    per_atom_spread: float
    """Standard deviation of the energy per atom less offsets, the unit of the loss (hartree)."""


def _scaled_task(
    architecture: Any,
    inputs: Any,
    totals: Totals,
    train: np.ndarray,
    held_out: np.ndarray,
    atom_energies: np.ndarray | None,
    schedule: Schedule,
) -> _Task:
    if min(len(train), len(held_out)) < 1:
        raise ModelError(
            f"Found {len(train)} configurations to train on and {len(held_out)} held out; expected "
            "at least one of each. Give more configurations or hold out a smaller fraction."
        )
    offsets = species_offsets(
        totals.counts[train], totals.energies[train], atom_energies=atom_energies
    )
    n_atoms = totals.counts.sum(axis=1)
    residual = (totals.energies - totals.counts @ offsets.values) / n_atoms
    spread = float(residual[train].std()) or 1.0  # one configuration has no spread
    # If atoms fluctuated independently, a mean over N of them would spread 1/√N as much.
    root = float(np.sqrt(n_atoms[train].mean()))
    # the closed form is cheap and needs the digits
    dtype = np.float64 if schedule.is_double or architecture.is_linear else np.float32
    with jax.enable_x64(True):
        of_train = jax.tree.map(lambda leaf: jnp.asarray(leaf[train]), inputs)
        statistics = jax.tree.map(np.asarray, _statistics(architecture, of_train))
        scaled = jax.tree.map(np.asarray, _standardised(architecture, inputs, statistics))
    floats = jax.tree.map(
        lambda leaf: leaf.astype(dtype) if np.issubdtype(leaf.dtype, np.floating) else leaf, scaled
    )
    data = {
        "inputs": floats,
        "weight": (root / n_atoms).astype(dtype),
        "target": (residual / spread).astype(dtype),
    }
    return _Task(data, {}, statistics, offsets, spread * root, spread)


@partial(jax.jit, static_argnames="architecture")
def _statistics(architecture: Any, inputs: Any) -> dict[str, Any]:
    return architecture.statistics(inputs)


@partial(jax.jit, static_argnames="architecture")
def _standardised(architecture: Any, inputs: Any, statistics: dict[str, Any]) -> Any:
    return jax.vmap(lambda one: architecture.standardise(one, statistics))(inputs)


def _with_local_energies(
    task: _Task, inputs: Any, local_energies: np.ndarray, train: np.ndarray
) -> _Task:
    species = np.asarray(inputs.species)
    residual = local_energies - task.offsets.values[np.maximum(species, 0)]
    scale = float(np.nanstd(residual[train])) or 1.0
    dtype = task.data["weight"].dtype
    # the same spread of outputs as in `fit`, now measured and not estimated from totals
    factor = np.asarray(task.scale / scale, dtype)
    data = {**task.data, "local": (residual / scale).astype(dtype)}
    data["weight"] = task.data["weight"] / factor
    return replace(task, data=data, scale=scale)


def _with_forces(task: _Task, neighborhoods: Any, forces: np.ndarray, train: np.ndarray) -> _Task:
    dtype = task.data["weight"].dtype
    is_atom = np.asarray(neighborhoods.species)[train] >= 0
    spread = float(forces[train][is_atom].std()) or 1.0
    data = {
        **task.data,
        "neighborhoods": neighborhoods._replace(
            displacements=neighborhoods.displacements.astype(dtype)
        ),
        "forces": (forces / spread).astype(dtype),
    }
    constants = {
        "statistics": jax.tree.map(lambda leaf: np.asarray(leaf, dtype), task.statistics),
        "force_scale": np.asarray(task.scale / spread, dtype),
    }
    return replace(task, data=data, constants=constants)


def _fit_linear(
    architecture: Any,
    task: _Task,
    train: np.ndarray,
    held_out: np.ndarray,
    *,
    on_local: bool = False,
) -> Fitted:
    solution = ridge_on_totals(
        architecture,
        task.data,
        train=train,
        held_out=held_out,
        local=task.data["local"] if on_local else None,
    )
    unit = task.per_atom_spread
    row = CurveRow(0, solution.train_rmse * unit, solution.held_out_rmse * unit, 0.0)
    return Fitted(
        params=solution.params,
        statistics=task.statistics,
        offsets=task.offsets,
        scale=task.scale,
        held_out_rmse=row.held_out_rmse_hartree,
        best_step=0,
        curve=(row,),
    )


def _descend(
    architecture: Any,
    task: _Task,
    target: Target,
    train: np.ndarray,
    held_out: np.ndarray,
    seeds: Sequence[int],
    schedule: Schedule,
    state_path: Path | None,
    on_progress: Callable[[int, float], None] | None,
) -> list[Fitted]:
    """Adam on random batches, all seeds side by side, each stopped on its own held-out error."""
    unit = task.per_atom_spread
    batch_size = min(schedule.batch_size, len(train))
    with jax.enable_x64(schedule.is_double):
        # Sets of like size share one compilation: rows are added that no batch ever draws.
        data, constants = jax.device_put((_padded_rows(task.data), task.constants))
        held_out_data, n_held_out = _held_out_rows(task.data, held_out)
        state = _initial_state(architecture, seeds, schedule)
        rows: list[list[CurveRow]] = [[] for _ in seeds]
        if state_path is not None and state_path.exists():
            try:
                state, rows = load_state(state_path, like=state)
            except ArtifactError as error:
                logger.warning("%s This training starts again.", error)
                state_path.unlink()
        while state["step"] < schedule.n_steps and not _all_stopped(state, schedule):
            start = int(state["step"])
            index = _batches(train, seeds, start, batch_size, schedule.interval)
            rates = schedule.rates(start) * architecture.learning_rate_factor
            moving, loss = _advance(
                architecture, target, state["moving"], data, constants, index, rates
            )
            error = np.asarray(
                _held_out_error(architecture, moving["params"], held_out_data, n_held_out),
                np.float64,
            )
            step = start + schedule.interval
            is_running = step - state["best_step"] <= schedule.patience + schedule.interval
            is_better = is_running & (error < state["best_error"])
            state = {
                "step": np.asarray(step),
                "moving": moving,
                "best": _keep_better(is_better, moving["params"], state["best"]),
                "best_error": np.where(is_better, error, state["best_error"]),
                "best_step": np.where(is_better, step, state["best_step"]),
            }
            for k, seed_rows in enumerate(rows):
                if is_running[k]:
                    seed_rows.append(
                        CurveRow(
                            step,
                            float(np.sqrt(loss[k])) * unit,
                            float(error[k]) * unit,
                            float(rates[-1]),
                        )
                    )
            if state_path is not None:
                save_state(state_path, state, rows)
            if on_progress is not None:
                on_progress(step, float(state["best_error"].min()) * unit)
        best = jax.tree.map(np.asarray, state["best"])
    if state_path is not None:
        state_path.unlink(missing_ok=True)
    return [
        Fitted(
            params=jax.tree.map(lambda leaf: leaf[k], best),  # noqa: B023
            statistics=task.statistics,
            offsets=task.offsets,
            scale=task.scale,
            held_out_rmse=float(state["best_error"][k]) * unit,
            best_step=int(state["best_step"][k]),
            curve=tuple(rows[k]),
        )
        for k in range(len(seeds))
    ]


def _initial_state(architecture: Any, seeds: Sequence[int], schedule: Schedule) -> dict[str, Any]:
    dtype = jnp.float64 if schedule.is_double else jnp.float32
    start = [jax.tree.map(np.asarray, architecture.init(int(seed))) for seed in seeds]
    stacked = jax.tree.map(lambda *leaves: jnp.asarray(np.stack(leaves), dtype), *start)
    n_seeds = len(seeds)
    return {
        "step": np.asarray(0),
        "moving": {"params": stacked, "adam": jax.vmap(optax.scale_by_adam().init)(stacked)},
        "best": stacked,
        "best_error": np.full(n_seeds, np.inf),
        "best_step": np.zeros(n_seeds, np.int64),
    }


def _bucket(n: int) -> int:
    """Next power of two, not less than 16."""
    return max(16, 1 << (n - 1).bit_length())


def _padded_rows(data: dict[str, Any]) -> dict[str, Any]:
    """Arrays with copies of their first row up to the next power of two."""

    def pad(leaf: np.ndarray) -> np.ndarray:
        n = _bucket(len(leaf)) - len(leaf)
        return np.concatenate([leaf, np.broadcast_to(leaf[:1], (n, *leaf.shape[1:]))])

    return jax.tree.map(pad, data)


def _held_out_rows(data: dict[str, Any], held_out: np.ndarray) -> tuple[dict[str, Any], Any]:
    """Held-out configurations, filled up with rows whose error is zero, and their true number."""
    kept = {key: data[key] for key in ("inputs", "weight", "target")}
    rows = _padded_rows(jax.tree.map(lambda leaf: leaf[held_out], kept))
    is_real = np.arange(len(rows["weight"])) < len(held_out)
    rows["weight"], rows["target"] = rows["weight"] * is_real, rows["target"] * is_real
    return jax.device_put(rows), np.float32(len(held_out))


def _all_stopped(state: dict[str, Any], schedule: Schedule) -> bool:
    return bool((state["step"] - state["best_step"] > schedule.patience).all())


def _batches(
    train: np.ndarray, seeds: Sequence[int], start: int, batch_size: int, n_steps: int
) -> Int[np.ndarray, "n_seeds n_steps batch"]:
    """Configurations of each step: shuffled passes over the training set, by seed and step."""
    n_passes = -(-n_steps * batch_size // len(train))
    each = []
    for seed in seeds:
        rng = np.random.default_rng([seed, start])
        order = np.concatenate([rng.permutation(train) for _ in range(n_passes)])
        each.append(order[: n_steps * batch_size].reshape(n_steps, batch_size))
    return np.stack(each)


@partial(jax.jit, static_argnames=("architecture", "target"))
def _advance(
    architecture: Any,
    target: Target,
    moving: dict[str, Any],
    data: dict[str, Any],
    constants: dict[str, Any],
    index: Any,
    rates: Any,
) -> tuple[dict[str, Any], Any]:
    """Some steps of Adam for every seed; returns the new state and the mean loss on the way."""
    adam = optax.scale_by_adam()
    loss_function = LOSSES[target]

    def step(carry: dict[str, Any], batch_and_rate: Any) -> tuple[dict[str, Any], Any]:
        rows, rate = batch_and_rate
        batch = {**jax.tree.map(lambda leaf: leaf[rows], data), **constants}
        loss, gradient = jax.value_and_grad(
            lambda params: loss_function(architecture, params, batch)
        )(carry["params"])
        update, adam_state = adam.update(gradient, carry["adam"])
        params = jax.tree.map(
            lambda p, u, s: p - (rate * s).astype(p.dtype) * u,
            carry["params"],
            update,
            learning_rate_scales(carry["params"]),
        )
        return {"params": params, "adam": adam_state}, loss

    def run(one: dict[str, Any], rows: Any) -> tuple[dict[str, Any], Any]:
        one, losses = jax.lax.scan(step, one, (rows, jnp.asarray(rates)))
        return one, losses.mean()

    return jax.vmap(run)(moving, index)


@partial(jax.jit, static_argnames="architecture")
def _held_out_error(architecture: Any, params: Any, rows: dict[str, Any], n_real: Any) -> Any:
    """Root-mean-square error of held-out totals per atom, in units of their spread."""
    n_rows = len(rows["weight"])

    def error(one: Any) -> Any:
        if architecture.is_local or n_rows <= HELD_OUT_AT_ONCE:
            return LOSSES["total"](architecture, one, rows)
        # many neighbour lists at once would need more memory than a training step
        squared = jax.lax.map(
            lambda row: LOSSES["total"](architecture, one, jax.tree.map(lambda x: x[None], row)),
            rows,
            batch_size=HELD_OUT_AT_ONCE,
        )
        return squared.mean()

    mean = jax.vmap(error)(params)
    return jnp.sqrt(mean * (n_rows / n_real.astype(mean.dtype)))


@jax.jit
def _keep_better(is_better: Any, new: Any, old: Any) -> Any:
    def choose(n: Any, o: Any) -> Any:
        return jnp.where(is_better.reshape(-1, *[1] * (n.ndim - 1)), n, o)

    return jax.tree.map(choose, new, old)
