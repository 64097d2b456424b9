"""From models to scores: predictions, baselines, remarks, outputs."""
