"""Atomic basins of a density on a periodic grid."""
