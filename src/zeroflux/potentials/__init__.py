"""Machine-learned potentials in JAX: descriptors, architectures, per-atom energies."""
