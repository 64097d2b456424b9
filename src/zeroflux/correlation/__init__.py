"""Semi-empirical correlation of energy components: local energies without a partition."""
