"""Liquid argon near its triple point, against diffraction."""

import numpy as np
import pytest

from zeroflux import Frame
from zeroflux.sampling import RadialDistribution, StatePoint, radial_distribution, sample_canonical
from zeroflux.sampling.state_points import initial_frame
from zeroflux.units import ANGSTROM

LIQUID = StatePoint({"Ar": 108}, 84.25, 0.0212)


def sampled_frames(point: StatePoint) -> list[Frame]:
    """A few nearly independent configurations; 108 atoms average over themselves."""
    return sample_canonical(
        initial_frame(point, rng=np.random.default_rng(0)),
        temperature_kelvin=point.temperature_kelvin,
        n_frames=24,
        seed=0,
        cutoff=9.0 * ANGSTROM,
        n_melt_sweeps=200,
        max_pilot_sweeps=1000,
        max_stride=60,
    ).frames


def looks_like_liquid_argon(g: RadialDistribution) -> bool:
    """First shell of the distribution of atoms at 3.78 Å with about 10.5 atoms.

    The measured values are the maximum of 4πr²ρg(r) and the area under it (X-rays, 84.25 K).
    Tolerances: 0.06 Å for the statistics of the maximum and the pair approximation; 1.5 atoms
    because the area under one of two overlapping shells depends on where they are cut: at the
    minimum of 4πr²ρg here, which counts the tail of the second shell in.
    """
    distance, neighbours = g.first_shell()
    return abs(distance / ANGSTROM - 3.78) < 0.06 and abs(neighbours - 10.5) < 1.5


def test_first_shell_of_liquid_argon_is_where_diffraction_sees_it():
    g = radial_distribution(
        sampled_frames(LIQUID), pair=("Ar", "Ar"), r_max=8.5 * ANGSTROM, n_bins=85
    )
    assert looks_like_liquid_argon(g), g.first_shell()
    # Height of g(r): 3.0 in neutron diffraction at 85 K; the pair approximation makes it 3.1.
    assert g.values.max() == pytest.approx(3.05, abs=0.25)


@pytest.mark.parametrize("control", ["gas", "random positions", "krypton's density"])
def test_what_is_not_liquid_argon_does_not_look_like_it(control):
    if control == "gas":
        frames = sampled_frames(StatePoint({"Ar": 32}, 300.0, 0.001))
    elif control == "random positions":
        rng = np.random.default_rng(0)
        length = LIQUID.box_length
        frames = [
            Frame(np.full(108, 18), rng.uniform(0, length, (108, 3)), np.eye(3) * length)
            for _ in range(10)
        ]
    else:
        frames = sampled_frames(StatePoint({"Kr": 32}, 118.0, 0.0174))
    symbol = "Kr" if control.startswith("krypton") else "Ar"
    g = radial_distribution(frames, pair=(symbol, symbol), r_max=8.5 * ANGSTROM, n_bins=85)
    assert not looks_like_liquid_argon(g)
