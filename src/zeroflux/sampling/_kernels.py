"""Compiled loops of the sampling; validated and documented by their callers."""

from typing import no_type_check

import numpy as np

from zeroflux.compilation import njit


@no_type_check
@njit(cache=True, inline="always")
def _wrapped(start, end, inverse):
    """Fractional coordinates of end - start, each within [-½, ½]."""
    x, y, z = end[0] - start[0], end[1] - start[1], end[2] - start[2]
    f0 = inverse[0, 0] * x + inverse[1, 0] * y + inverse[2, 0] * z
    f1 = inverse[0, 1] * x + inverse[1, 1] * y + inverse[2, 1] * z
    f2 = inverse[0, 2] * x + inverse[1, 2] * y + inverse[2, 2] * z
    return f0 - np.floor(f0 + 0.5), f1 - np.floor(f1 + 0.5), f2 - np.floor(f2 + 0.5)


@no_type_check
@njit(cache=True, inline="always")
def _cartesian(f0, f1, f2, cell):
    """Displacement (bohr) of fractional coordinates."""
    x = f0 * cell[0, 0] + f1 * cell[1, 0] + f2 * cell[2, 0]
    y = f0 * cell[0, 1] + f1 * cell[1, 1] + f2 * cell[2, 1]
    z = f0 * cell[0, 2] + f1 * cell[1, 2] + f2 * cell[2, 2]
    return x, y, z


@no_type_check
@njit(cache=True, nogil=True, error_model="numpy")
def _is_upper(a, b, c):
    """Whether a translation is the representative of the pair {+T, -T}; the zero one is not."""
    if a != 0:
        return a > 0
    if b != 0:
        return b > 0
    return c > 0


@no_type_check
@njit(cache=True, nogil=True, error_model="numpy")
def count_pairs(positions, cell, inverse, reach, cutoff_squared):
    """Number of half pairs (i < j with all images, i = j with half of them) within a cutoff."""
    n_atoms = len(positions)
    count = 0
    for i in range(n_atoms):
        for j in range(i, n_atoms):
            f0, f1, f2 = _wrapped(positions[i], positions[j], inverse)
            for a in range(int(np.ceil(-reach[0] - f0)), int(np.floor(reach[0] - f0)) + 1):
                for b in range(int(np.ceil(-reach[1] - f1)), int(np.floor(reach[1] - f1)) + 1):
                    for c in range(int(np.ceil(-reach[2] - f2)), int(np.floor(reach[2] - f2)) + 1):
                        if i == j and not _is_upper(a, b, c):
                            continue
                        x, y, z = _cartesian(f0 + a, f1 + b, f2 + c, cell)
                        if x * x + y * y + z * z < cutoff_squared:
                            count += 1
    return count


@no_type_check
@njit(cache=True, nogil=True, error_model="numpy")
def fill_pairs(positions, cell, inverse, reach, cutoff_squared, first, second, vectors):
    """Write the pairs that `count_pairs` counted, with the vector from first to second."""
    n_atoms = len(positions)
    count = 0
    for i in range(n_atoms):
        for j in range(i, n_atoms):
            f0, f1, f2 = _wrapped(positions[i], positions[j], inverse)
            for a in range(int(np.ceil(-reach[0] - f0)), int(np.floor(reach[0] - f0)) + 1):
                for b in range(int(np.ceil(-reach[1] - f1)), int(np.floor(reach[1] - f1)) + 1):
                    for c in range(int(np.ceil(-reach[2] - f2)), int(np.floor(reach[2] - f2)) + 1):
                        if i == j and not _is_upper(a, b, c):
                            continue
                        x, y, z = _cartesian(f0 + a, f1 + b, f2 + c, cell)
                        if x * x + y * y + z * z < cutoff_squared:
                            first[count] = i
                            second[count] = j
                            vectors[count, 0] = x
                            vectors[count, 1] = y
                            vectors[count, 2] = z
                            count += 1
    return count


@no_type_check
@njit(cache=True, nogil=True, error_model="numpy")
def _pair_energy(
    start, end, cell, inverse, reach, table, wall_squared, step_squared, cutoff_squared
):
    """Energy of one atom with all images of another; infinite inside the wall.

    `table[k]` holds the energy and its derivative by r² at r² = wall² + k step_squared.
    """
    f0, f1, f2 = _wrapped(start, end, inverse)
    energy = 0.0
    for a in range(int(np.ceil(-reach[0] - f0)), int(np.floor(reach[0] - f0)) + 1):
        for b in range(int(np.ceil(-reach[1] - f1)), int(np.floor(reach[1] - f1)) + 1):
            for c in range(int(np.ceil(-reach[2] - f2)), int(np.floor(reach[2] - f2)) + 1):
                x, y, z = _cartesian(f0 + a, f1 + b, f2 + c, cell)
                s = x * x + y * y + z * z
                if s >= cutoff_squared:
                    continue
                if s < wall_squared:
                    return np.inf
                u = (s - wall_squared) / step_squared
                k = int(u)
                t = u - k
                v0, d0 = table[k, 0], table[k, 1] * step_squared
                v1, d1 = table[k + 1, 0], table[k + 1, 1] * step_squared
                energy += v0 + t * (
                    d0 + t * (3 * (v1 - v0) - 2 * d0 - d1 + t * (2 * (v0 - v1) + d0 + d1))
                )
    return energy


@no_type_check
@njit(cache=True, nogil=True, error_model="numpy")
def _atom_row(
    i,
    position,
    kind,
    positions,
    kinds,
    cell,
    inverse,
    reach,
    tables,
    walls_squared,
    steps_squared,
    cutoff_squared,
    row,
):
    """Energies of atom i, placed at a position with a kind, with every other atom; their sum."""
    total = 0.0
    for j in range(len(positions)):
        if j == i:
            row[j] = 0.0
            continue
        other = kinds[j]
        row[j] = _pair_energy(
            positions[j],
            position,
            cell,
            inverse,
            reach,
            tables[kind, other],
            walls_squared[kind, other],
            steps_squared[kind, other],
            cutoff_squared,
        )
        total += row[j]
        if total == np.inf:
            break
    return total


@no_type_check
@njit(cache=True, nogil=True, error_model="numpy")
def metropolis(
    rng,
    positions,
    kinds,
    cell,
    inverse,
    reach,
    tables,
    walls_squared,
    steps_squared,
    cutoff_squared,
    beta,
    max_step,
    swap_fraction,
    sweeps_per_record,
    recorded_positions,
    recorded_kinds,
    recorded_energies,
    recorded_site_energies,
):
    """Metropolis Monte Carlo; positions and kinds are updated in place.

    Returns trials and acceptances: (moves tried, moves taken, swaps tried, swaps taken). The
    recorded energies leave out each atom's interaction with its own images, which no move of
    the canonical ensemble changes.
    """
    n_atoms = len(positions)
    pair = np.zeros((n_atoms, n_atoms))
    row = np.empty(n_atoms)
    row_b = np.empty(n_atoms)
    trial = np.empty(3)
    counts = np.zeros(4, dtype=np.int64)
    energy = 0.0
    for i in range(n_atoms):
        energy += 0.5 * _atom_row(
            i,
            positions[i],
            kinds[i],
            positions,
            kinds,
            cell,
            inverse,
            reach,
            tables,
            walls_squared,
            steps_squared,
            cutoff_squared,
            row,
        )
        pair[i] = row
    for record in range(len(recorded_energies)):
        for _ in range(sweeps_per_record * n_atoms):
            if swap_fraction > 0.0 and rng.random() < swap_fraction:
                i = int(rng.random() * n_atoms)
                j = int(rng.random() * n_atoms)
                if kinds[i] == kinds[j]:
                    continue  # exchanging equal atoms changes nothing; not counted
                counts[2] += 1
                new_i = _atom_row(
                    i,
                    positions[i],
                    kinds[j],
                    positions,
                    kinds,
                    cell,
                    inverse,
                    reach,
                    tables,
                    walls_squared,
                    steps_squared,
                    cutoff_squared,
                    row,
                )
                new_j = _atom_row(
                    j,
                    positions[j],
                    kinds[i],
                    positions,
                    kinds,
                    cell,
                    inverse,
                    reach,
                    tables,
                    walls_squared,
                    steps_squared,
                    cutoff_squared,
                    row_b,
                )
                if new_i == np.inf or new_j == np.inf:
                    continue
                # V_ij is the same before and after; the trial rows took it with the other
                # atom's old kind, so it is left out of both sums.
                change = new_i - row[j] + new_j - row_b[i]
                for k in range(n_atoms):
                    if k != i and k != j:
                        change -= pair[i, k] + pair[j, k]
                if change <= 0.0 or rng.random() < np.exp(-beta * change):
                    counts[3] += 1
                    energy += change
                    kinds[i], kinds[j] = kinds[j], kinds[i]
                    for k in range(n_atoms):
                        if k != i and k != j:
                            pair[i, k] = pair[k, i] = row[k]
                            pair[j, k] = pair[k, j] = row_b[k]
                continue
            i = int(rng.random() * n_atoms)
            counts[0] += 1
            for axis in range(3):
                trial[axis] = positions[i, axis] + max_step * (2.0 * rng.random() - 1.0)
            new = _atom_row(
                i,
                trial,
                kinds[i],
                positions,
                kinds,
                cell,
                inverse,
                reach,
                tables,
                walls_squared,
                steps_squared,
                cutoff_squared,
                row,
            )
            if new == np.inf:
                continue
            change = new - pair[i].sum()
            if change <= 0.0 or rng.random() < np.exp(-beta * change):
                counts[1] += 1
                energy += change
                positions[i] = trial
                for k in range(n_atoms):
                    pair[i, k] = pair[k, i] = row[k]
        recorded_positions[record] = positions
        recorded_kinds[record] = kinds
        recorded_energies[record] = energy
        for k in range(n_atoms):
            recorded_site_energies[record, k] = 0.5 * pair[k].sum()
    return counts
