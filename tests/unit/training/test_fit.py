"""Training from totals: what it sees, when it stops, and that it resumes."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from zeroflux.errors import ModelError
from zeroflux.potentials.bpnn import BehlerParrinello
from zeroflux.potentials.energy import composition, prepared_inputs
from zeroflux.training.cells import split
from zeroflux.training.descent import Fitted
from zeroflux.training.fit import fit, fit_control
from zeroflux.training.schedule import Schedule
from zeroflux.training.tasks import Totals

CUTOFF = 10.0
NETWORK = BehlerParrinello(CUTOFF, 1, width=3, n_radial=6, n_angular=0)
SHORT = Schedule(n_steps=60, n_warmup=5, batch_size=8, interval=20, patience=1000)
TRAIN, HELD_OUT = split(80, 0, held_out_fraction=0.2, seed=0)


@pytest.fixture(scope="module")
def task(known):
    data, _ = known
    return (
        prepared_inputs(NETWORK, data.frames, [18]),
        Totals(composition(data.frames, [18]), data.total_energies),
    )


def train(task, *, seeds=(0, 1), schedule=SHORT, **kwargs) -> list[Fitted]:
    return fit(
        NETWORK, *task, train=TRAIN, held_out=HELD_OUT, seeds=seeds, schedule=schedule, **kwargs
    )


def assert_same(a: Fitted, b: Fitted, rtol: float = 0.0) -> None:
    for x, y in zip(jax.tree.leaves(a.params), jax.tree.leaves(b.params), strict=True):
        np.testing.assert_allclose(x, y, rtol=rtol, atol=rtol)
    assert a.best_step == b.best_step


def test_training_on_totals_lowers_the_held_out_error(task):
    (fitted,) = train(task, seeds=[0], schedule=replace(SHORT, n_steps=400))
    first, last = fitted.curve[0], fitted.curve[-1]
    assert fitted.held_out_rmse < 0.5 * first.held_out_rmse_hartree
    assert fitted.held_out_rmse == min(row.held_out_rmse_hartree for row in fitted.curve)
    assert last.step == 400


def test_an_interrupted_training_resumes_bit_for_bit(task, tmp_path):
    whole = train(task)

    def pull_the_plug(step: int, _error: float) -> None:
        if step == 40:
            raise KeyboardInterrupt

    state = tmp_path / "fit.state"
    with pytest.raises(KeyboardInterrupt):
        train(task, state_path=state, on_progress=pull_the_plug)
    assert state.exists()
    steps = []
    resumed = train(task, state_path=state, on_progress=lambda step, _: steps.append(step))
    assert steps == [60]  # the first 40 steps were not repeated
    assert not state.exists()
    for a, b in zip(whole, resumed, strict=True):
        assert_same(a, b)
        assert a.curve == b.curve


def test_seeds_side_by_side_train_as_each_alone(task):
    together = train(task)
    # Matrix products of a group run in another order: single-precision rounding, 1e-7, grown
    # by 60 steps of Adam.
    assert_same(together[1], train(task, seeds=[1])[0], rtol=1e-3)
    with pytest.raises(AssertionError):  # control: seeds differ
        assert_same(together[0], together[1], rtol=1e-3)


def test_a_seed_stops_when_held_out_totals_no_longer_improve(task):
    """Held-out totals that contradict the others are best served by an early network."""
    inputs, totals = task
    energies = totals.energies.copy()
    centre = energies[TRAIN].mean()
    energies[HELD_OUT] = 2 * centre - energies[HELD_OUT]
    schedule = replace(SHORT, n_steps=1000, patience=60)
    (fitted,) = train((inputs, Totals(totals.counts, energies)), seeds=[0], schedule=schedule)
    # Which early look is best depends on the start; what must hold is the stop behind it.
    assert fitted.curve[-1].step <= fitted.best_step + 60 + 20
    assert fitted.curve[-1].step < 500


def test_the_control_on_local_energies_needs_them_and_uses_them(task, known):
    inputs, totals = task
    local = np.stack(known[1])
    common = {"train": TRAIN, "held_out": HELD_OUT, "seeds": [0], "schedule": SHORT}
    with pytest.raises(ModelError, match="needs per-atom energies"):
        fit_control(NETWORK, inputs, totals, control="local", **common)
    right = fit_control(NETWORK, inputs, totals, control="local", local_energies=local, **common)[0]
    wrong = fit_control(
        NETWORK, inputs, totals, control="local", local_energies=local[:, ::-1], **common
    )[0]
    assert right.held_out_rmse < wrong.held_out_rmse


def test_forces_help_when_totals_are_few(task, known):
    from zeroflux.potentials.neighbors import stacked_neighborhoods

    data, _ = known
    inputs, totals = task
    few = {"train": TRAIN[:6], "held_out": HELD_OUT, "seeds": [0]}
    schedule = replace(SHORT, n_steps=200)
    alone = fit(NETWORK, inputs, totals, schedule=schedule, **few)[0]
    with_forces = fit_control(
        NETWORK,
        inputs,
        totals,
        control="total+forces",
        neighborhoods=stacked_neighborhoods(data.frames, [18], CUTOFF),
        forces=np.stack(data.forces),
        schedule=schedule,
        **few,
    )[0]
    assert with_forces.held_out_rmse < 0.7 * alone.held_out_rmse


def test_nothing_to_stop_on_is_refused(task):
    with pytest.raises(ModelError, match="held out"):
        fit(NETWORK, *task, train=TRAIN, held_out=TRAIN[:0], seeds=[0], schedule=SHORT)


@pytest.mark.parametrize("change", [{"learning_rate": 0.0}, {"n_steps": 0}, {"batch_size": 0}])
def test_a_schedule_that_makes_no_sense_is_refused(change):
    with pytest.raises(ValueError, match="positive"):
        replace(SHORT, **change)
