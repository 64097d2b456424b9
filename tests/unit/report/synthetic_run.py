"""A made-up run with every kind of content: it exercises the page and means nothing."""

import numpy as np

from zeroflux.correlation import compare_shortcuts, component_table, predictor
from zeroflux.evaluation import (
    Criterion,
    PooledEffect,
    RadialBasis,
    ReceptiveField,
    ambiguity,
    best_size,
    checkpoint,
    local_scores,
    locality,
    mean_energy_baseline,
    noise_floors,
    rigidity_profile,
    size_regression,
    total_scores,
    transfer_associations,
    verdict,
)
from zeroflux.frames import Frame
from zeroflux.labels import TERMS, BasinTerms, Label
from zeroflux.report import (
    DimerCurve,
    EnergyTrace,
    JudgedClaim,
    ModelResult,
    RadialDistribution,
    Reach,
    ReportData,
    SeedAmbiguity,
    SizeCell,
)
from zeroflux.units import ANGSTROM, MILLIELECTRONVOLT


def synthetic_label(system: str, rng: np.random.Generator) -> Label:
    """A jittered lattice with per-atom terms drawn around a function of the coordination."""
    numbers = np.full(27, 18) if system == "argon" else rng.permutation([18] * 15 + [36] * 12)
    spacing = rng.uniform(3.6, 4.0) * ANGSTROM
    lattice = np.stack(np.meshgrid(*[np.arange(3)] * 3, indexing="ij"), -1).reshape(-1, 3)
    positions = spacing * lattice + rng.normal(scale=0.3, size=(27, 3)) * ANGSTROM
    frame = Frame(numbers.astype(np.int64), positions, 3 * spacing * np.eye(3))
    environment = rng.normal(scale=60.0, size=27) + 300 * (spacing / ANGSTROM - 3.8)
    mev = MILLIELECTRONVOLT
    small = rng.normal(scale=2.0, size=(5, 27))
    values = {
        "kinetic": 8.0 + mev * (1.40 * environment + small[0]),
        "xc": -5.0 + mev * (-0.62 * environment + small[1]),
        "electrostatic": -24.0 - 0.1 * numbers + mev * (-0.95 * environment + small[2]),
        "pseudo_local": mev * (0.1 * environment + small[3]),
        "pseudo_nonlocal": mev * small[4],
        "dispersion": mev * rng.normal(-40, 3, size=27),
    }
    assert set(values) == set(TERMS)
    terms = BasinTerms(
        **values,
        population=np.full(27, 8.0),
        charge=rng.normal(scale=1e-3, size=27),
        volume=np.full(27, 240.0),
        laplacian=rng.normal(scale=1e-5, size=27),
    )
    total = float(terms.energy_unclosed.sum()) + 27 * 0.003 * mev * rng.normal()
    return Label(frame, total, terms, info={"system": system})


def synthetic_run(*, n_labels: int = 24, systems=("argon", "mixture"), seed: int = 0) -> ReportData:
    """A complete report's data, small enough for a test."""
    rng = np.random.default_rng(seed)
    labels = [synthetic_label(system, rng) for system in systems for _ in range(n_labels)]
    evaluated = [k for k in range(len(labels)) if k % 3 == 0]
    table = component_table([labels[k] for k in evaluated])
    shape = {
        "species": table.species,
        "configuration": table.configuration,
        "systems": table.systems,
        "n_bootstrap": 60,
        "rng": rng,
    }

    def model(
        name, architecture, size, seed, energy, is_baseline=False, n_training=40
    ) -> ModelResult:
        return ModelResult(
            name=name,
            architecture=architecture,
            n_parameters=size,
            seed=seed,
            trained_on="argon",
            home_systems=("argon",),
            n_training_configurations=n_training,
            size=size,
            local_energy=energy,
            scores=local_scores(local_energy=energy, reference=table.basin_energy, **shape),
            totals=total_scores(
                predicted=table.totals(energy),
                reference=table.total_energy,
                n_atoms=table.n_atoms_per_configuration,
                systems=table.systems,
                n_bootstrap=60,
                rng=rng,
            ),
            is_baseline=is_baseline,
        )

    models = []
    for size in (37, 577, 18_800, 136_000):
        for k in range(4):
            error = (2.5 + 0.4 * np.log10(size)) * MILLIELECTRONVOLT * rng.uniform(0.8, 1.2)
            energy = table.basin_energy + error * rng.normal(size=len(table.species))
            models.append(model(f"bpnn-{size}-{k}", "bpnn", size, k, energy))
    for k in range(4):  # a learning curve at one size
        energy = table.basin_energy + 6.0 * MILLIELECTRONVOLT * rng.normal(size=len(table.species))
        models.append(model(f"bpnn-577-few-{k}", "bpnn", 577, k, energy, n_training=20))
    mean = mean_energy_baseline(table.total_energy, table.configuration)
    models.append(model("E/N", "baseline", 1, 0, mean, is_baseline=True))
    networks = [m for m in models if m.n_training_configurations == 40 and not m.is_baseline]
    sizes = np.array([m.n_parameters for m in networks])
    errors = np.array([m.home_error for m in networks])
    trend = size_regression(sizes, errors, n_bootstrap=200, rng=rng)
    claim = Criterion(
        "Smaller networks decompose more faithfully", "positive", 0.1 * MILLIELECTRONVOLT
    )
    comparisons = [
        compare_shortcuts(
            component_table(labels).of_systems([system]),
            predictors=[predictor(name) for name in ("es", "xc", "t+xc", "t,xc")],
            n_bootstrap=60,
            rng=rng,
        )
        for system in systems
    ]
    frames = [labels[k].frame for k in evaluated]
    edges = np.linspace(5.0, 13.0, 17)
    decay = np.exp(-0.5 * (edges[1:] - 5.0)) * MILLIELECTRONVOLT
    grid = np.linspace(3.2, 8, 80)
    return ReportData(
        title="Synthetic run for the tests of the page",
        labels=labels,
        evaluated=evaluated,
        shortcuts=comparisons,
        models=models,
        mean_slope=PooledEffect(trend.slope, float("nan"), 1),
        claims=[
            JudgedClaim(
                verdict(trend.slope, claim),
                "size_slope",
                "meV per decade",
                basis="Over the seeds of one training set.",
                details=("argon, bpnn: a line of its own",),
            )
        ],
        cells=[SizeCell("argon", "bpnn", 40, trend, None, best_size(sizes, errors, rng=rng))],
        ambiguities=[
            SeedAmbiguity(
                "argon",
                "bpnn",
                size,
                ambiguity(
                    np.array([m.local_energy for m in networks if m.n_parameters == size]),
                    group=table.species,
                    configuration=table.configuration,
                ),
            )
            for size in (37, 577)
        ],
        reaches=[
            Reach("argon", "bpnn", size, ReceptiveField(edges, decay * size, decay / decay.sum()))
            for size in (37, 577)
        ],
        checkpoints=[
            checkpoint(
                structure="isolated Ar",
                model="bpnn, 37 parameters",
                total_energy=-21.0,
                local_energy=np.array([-21.0 + shift * MILLIELECTRONVOLT]),
            )
            for shift in (3.0, 5.0)
        ],
        associations=transfer_associations(
            local_error=errors,
            transfer_error={"solid": errors + rng.normal(scale=1e-5, size=len(errors))},
            covariates=np.log10(sizes)[:, None],
            n_bootstrap=60,
            rng=rng,
        ),
        locality=locality(
            frames=frames,
            energy=table.basin_energy,
            systems=table.systems,
            basis=RadialBasis(n_functions=4),
        ),
        noise=noise_floors(
            laplacian=np.concatenate([label.terms.laplacian for label in labels]),
            closure_per_atom=np.array([label.closure / label.n_atoms for label in labels]),
        ),
        rigidity={
            "bpnn-37-0": rigidity_profile(rng.normal(size=40), rng.uniform(size=40)),
        },
        dimers=[
            DimerCurve(
                "Ar₂",
                method,
                grid * ANGSTROM,
                depth * ((3.76 / grid) ** 12 - 2 * (3.76 / grid) ** 6) * MILLIELECTRONVOLT,
                n_parameters=size,
            )
            for method, depth, size in (("DFT", 12.3, 0), ("bpnn, 37 parameters", 9.0, 37))
        ],
        traces=[
            EnergyTrace(
                f"{system}, 87 K",
                np.arange(0, 2000, 20.0),
                (-60 + 5 * np.exp(-np.arange(100) / 8) + rng.normal(scale=0.5, size=100))
                * MILLIELECTRONVOLT,
            )
            for system in systems
        ],
        distributions=[
            RadialDistribution(
                system,
                grid * ANGSTROM,
                1
                - np.exp(-((grid - 2.5) ** 2) * 2)
                + 1.9 * np.exp(-((grid - 3.78) ** 2) * 6)
                + 0.3 * np.exp(-((grid - 6.9) ** 2) * 2),
            )
            for system in systems
        ],
        provenance={
            "Settings": {"functional": "none: synthetic numbers", "systems": ", ".join(systems)},
            "Versions": {"zeroflux": "test", "</script>": "<b>text, not markup</b>"},
        },
    )
