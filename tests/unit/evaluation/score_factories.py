"""Factories of ASE calculators, named on the command line as `score_factories:NAME`."""

import numpy as np
from ase.calculators.calculator import all_changes
from ase.calculators.lj import LennardJones

PARAMETERS = {"sigma": 3.4, "epsilon": 0.0103, "rc": 8.0, "smooth": True}


def true_potential() -> LennardJones:
    """The potential that made the synthetic labels."""
    return LennardJones(**PARAMETERS)


def wrong_potential() -> LennardJones:
    """A potential of larger atoms."""
    return LennardJones(**{**PARAMETERS, "sigma": 3.55})


def not_a_decomposition() -> LennardJones:
    """Per-atom energies that do not sum to the energy."""
    calculator = true_potential()
    inner = calculator.calculate

    def calculate(*args, **kwargs):
        inner(*args, **kwargs)
        calculator.results["energies"] = 1.5 * calculator.results["energies"]

    calculator.calculate = calculate
    return calculator


def without_energies() -> LennardJones:
    """Totals only."""
    calculator = true_potential()
    inner = calculator.calculate

    def calculate(*args, **kwargs):
        inner(*args, **kwargs)
        calculator.results.pop("energies")

    calculator.calculate = calculate
    return calculator


def altered(change, potential=wrong_potential) -> LennardJones:
    """The wrong potential with results that ``change`` has altered."""
    calculator = potential()
    inner = calculator.calculate

    def calculate(*args, **kwargs):
        inner(*args, **kwargs)
        change(calculator.results)

    calculator.calculate = calculate
    return calculator


def in_single_precision(results, scale=1.0) -> None:
    """Energies as large as those of an atom with its core, and their sum, as of a float32 model."""
    energies = (scale * results["energies"] - 575.0).astype(np.float32)
    results["energies"] = energies
    results["energy"] = float((results["energy"] - 575.0 * len(energies)).astype(np.float32))


def single_precision():
    return altered(in_single_precision)


def total_in_single_precision():
    """Small per-atom energies without the cores, beside a large total in single precision."""
    return altered(
        lambda results: results.update(
            energy=float(np.float32(results["energy"] - 575.0 * len(results["energies"])))
        )
    )


def single_precision_without_sense():
    return altered(lambda results: in_single_precision(results, scale=1.5))


def with_nan():
    return altered(lambda results: results["energies"].__setitem__(3, np.nan))


def with_nan_total():
    return altered(lambda results: results.update(energy=np.nan))


def one_atom_short():
    return altered(lambda results: results.update(energies=results["energies"][1:]))


def total_as_array():
    return altered(lambda results: results.update(energy=np.array([results["energy"]])))


def total_of_two():
    return altered(lambda results: results.update(energy=np.full(2, results["energy"])))


def committee():
    """As MACE has it: ``energies`` are totals of the members."""
    return altered(
        lambda results: results.update(
            node_energy=results["energies"], energies=np.zeros(27), energy_var=0.1
        )
    )


def committee_only():
    return altered(lambda results: results.update(energies=np.tile(results["energies"], (3, 1))))


def raising():
    raise FileNotFoundError("no weights\nin the folder")


def leaving():
    raise SystemExit(3)


def nothing():
    return None


def failing_later():
    """A calculator that fails at its third configuration."""
    calls = []

    def change(results):
        calls.append(1)
        if len(calls) > 3:
            raise RuntimeError("out of memory")

    return altered(change)


class OnRequest(LennardJones):
    """Per-atom energies only for who asks for them, as of QUIP."""

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        if "energies" not in properties:
            self.results.pop("energies")


def on_request():
    return OnRequest(**{**PARAMETERS, "sigma": 3.55})


class CHGNetCalculator(LennardJones):
    """Totals only, under the name of a class whose flag is known."""

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        self.results.pop("energies")


def without_flag():
    return CHGNetCalculator(**PARAMETERS)


not_callable = 3


def scaled(factor):
    """The same energies in another unit."""
    return altered(
        lambda results: results.update(
            energies=factor * results["energies"], energy=factor * results["energy"]
        )
    )


def shuffled():
    order = np.random.default_rng(0).permutation(27)
    return altered(
        lambda results: results.update(energies=results["energies"][order]), true_potential
    )


def constant():
    return altered(lambda results: results.update(energies=np.ones(27), energy=27.0))


def divided():
    return altered(lambda results: results.update(energies=np.full(27, results["energy"] / 27)))


class WithoutImages(LennardJones):
    """A model that has forgotten the periodic boundary conditions."""

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        cluster = atoms.copy()
        cluster.wrap()
        cluster.pbc = False
        super().calculate(cluster, properties, system_changes)


def without_images():
    return WithoutImages(**PARAMETERS)
