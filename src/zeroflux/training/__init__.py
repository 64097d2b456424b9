"""Fitting potentials to total energies."""
