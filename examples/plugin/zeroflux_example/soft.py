"""A model: a function that returns an ASE calculator with per-atom ``energies``."""

from ase.calculators.lj import LennardJones


def soft_argon(epsilon: float = 0.0103):
    """Lennard-Jones argon."""
    return LennardJones(sigma=3.4, epsilon=epsilon, rc=12.0)
