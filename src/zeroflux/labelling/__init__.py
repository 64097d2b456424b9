"""Energy densities from density functional theory, and per-atom labels."""
