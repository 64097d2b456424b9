"""Neural potentials whose energy is a sum over atoms (JAX)."""
