"""Files, versions and provenance."""
