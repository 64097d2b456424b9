"""How well local energies agree, and whether that matters."""
