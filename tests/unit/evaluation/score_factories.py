"""Factories of ASE calculators, named on the command line as `score_factories:NAME`."""

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
