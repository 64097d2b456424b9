"""From files of densities to basins: inputs, checks, integration, outputs."""
