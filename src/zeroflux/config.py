"""One YAML file, a section per stage. Config objects stop at `stages.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from ase.data import atomic_numbers
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from zeroflux import plugins
from zeroflux.errors import ConfigError

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
OWN_POOL = "all"
"""Pool, training set and test set of a run that labels its own configurations."""


def _one_of(*ours: str, kind: plugins.Kind) -> AfterValidator:
    """Check a name against ours and those that other packages add."""

    def checked(name: str) -> str:
        if name not in ours and name not in (added := plugins.installed(kind)):
            known = ", ".join([*ours, *added])
            raise ValueError(f"expected one of {known}, or the package that adds it")
        return name

    return AfterValidator(checked)


ArchitectureName = Annotated[
    str, _one_of("linear", "pair", "bpnn", "schnet", "painn", kind="architectures")
]
EngineName = Annotated[str, _one_of("pyscf", "cp2k", kind="engines")]


class Section(BaseModel):
    """Base of all sections: frozen, no unknown keys, prose under each field."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )

    @model_validator(mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, data: Any) -> Any:
        """YAML's yes, no, on and off are truth values, which Python counts as 1 and 0."""
        for name, value in data.items() if isinstance(data, dict) else ():
            field = cls.model_fields.get(name)
            values = value if isinstance(value, list) else [value]
            if (
                field
                and field.annotation is not bool
                and any(v is True or v is False for v in values)
            ):
                raise ValueError(
                    f"`{name}` is true or false (YAML reads yes, no, on and off so); expected "
                    "another value"
                )
        return data


class StatePointConfig(Section):
    """One simulation: composition, temperature, density, and how many configurations of it."""

    composition: dict[str, Count]
    """Number of atoms of each element in the box, such as {Ar: 17}."""
    temperature_kelvin: Positive
    """Temperature (K)."""
    density_per_angstrom3: Positive
    """Number density (atoms/Å³); liquid argon at its boiling point has 0.02104."""
    n_configurations: Count
    """Decorrelated configurations to keep."""

    @model_validator(mode="after")
    def _known_elements(self) -> StatePointConfig:
        for symbol in self.composition:
            if symbol not in ("Ar", "Kr"):
                known = "an element" if symbol in atomic_numbers else "no element"
                raise ValueError(
                    f"composition names '{symbol}', {known} without a pair potential here; "
                    "expected Ar or Kr. For others give your own structures: sample.from_file"
                )
        return self


class SystemConfig(Section):
    """One liquid, at one or more state points."""

    name: str
    """Name of the system in labels, tables and figures, such as argon."""
    state_points: Annotated[list[StatePointConfig], Field(min_length=1)]
    """State points to sample."""


class SampleConfig(Section):
    """Configurations: sampled from pair potentials by Monte Carlo, or from a file."""

    seed: int | None = None
    """Seed of all random numbers of the sampling. No default when sampling."""
    systems: list[SystemConfig] = []
    """Liquids to sample with the pair potentials of argon and krypton."""
    from_file: Path | None = None
    """Your own structures instead: any file that ASE reads, relative to the config file."""
    cutoff_angstrom: Positive = 12.0
    """Distance from which on pairs are left out in the sampling (Å)."""
    min_stride_sweeps: Count = 100
    """Fewest Monte Carlo sweeps between configurations; more are taken if they decorrelate
    slowly."""

    @model_validator(mode="after")
    def _one_source(self) -> SampleConfig:
        if bool(self.systems) == (self.from_file is not None):
            raise ValueError(
                "found " + ("both" if self.systems else "neither") + " `systems` and "
                "`from_file`; expected exactly one of them"
            )
        if self.systems and self.seed is None:
            raise ValueError("`seed` is missing; expected a whole number, every run names its seed")
        names = [system.name for system in self.systems]
        if len(set(names)) != len(names):
            raise ValueError(f"names of systems repeat: {', '.join(names)}; expected each once")
        return self


class WorkersConfig(Section):
    """Where labels and networks are computed."""

    kind: Literal["processes", "dask", "serial"] = "processes"
    """processes: this machine. dask: a local Dask cluster, a running scheduler or a batch system
    (extra `cluster`). serial: this process."""
    n_workers: Annotated[int, Field(ge=0)] = 0
    """Number of workers; 0 takes one for each core this process may use."""
    threads_per_worker: Count = 1
    """Threads of each worker."""
    scheduler_address: str | None = None
    """dask: address of a running scheduler, such as tcp://10.0.0.1:8786."""
    queue: Literal["slurm", "pbs"] | None = None
    """dask: batch system that starts the workers (needs the package dask-jobqueue)."""
    queue_options: dict[str, Any] = {}
    """dask: options of the batch jobs (cores, memory, walltime, account, ...), as dask-jobqueue
    names them."""


class LabelConfig(Section):
    """Density functional theory and the division into basins."""

    engine: EngineName = "pyscf"
    """Program that solves the Kohn-Sham equations at the Γ point: pyscf, cp2k (which has to be
    installed), or one that another package adds."""
    cp2k_command: Annotated[str, Field(min_length=1)] = "cp2k"
    """cp2k: command that starts it, such as mpirun -np 4 cp2k.psmp. Not part of what the labels
    depend on."""
    functional: str = "PBE"
    """Semilocal exchange-correlation functional, a libxc name."""
    dispersion: Literal["d3bj", "d3bj-atm", "none"] = "d3bj"
    """Dispersion: D3 with Becke-Johnson damping, the same with the three-body term, or none."""
    basis: str | None = None
    """Gaussian basis set, ours or of the UZH file. By default it follows the elements:
    5S5P4D1F-GTH-PBE-q8 for argon and krypton, within 0.5 meV per atom of plane waves;
    DZVP-MOLOPT-PBE-GTH-q8, whose unlike neighbours exchange several meV, where others are among
    them."""
    pseudopotential: str = "GTH-PBE-q8"
    """Pseudopotential of the UZH file."""
    density_cutoff_hartree: Positive | None = None
    """Plane-wave cutoff of the density's grid (hartree). By default it follows the elements: 220,
    and more for hard ions such as neon's (400). 220 keeps basin energies within 0.1 meV of 350 in
    argon, 160 within 0.3 meV."""
    max_cycles: Count = 40
    """SCF steps before a configuration counts as not converged."""
    partition: Literal["refined", "weight", "neargrid", "ongrid"] = "refined"
    """How the grid is divided into basins. refined: the weight method extrapolated from the grid
    and one of half its spacing. weight: the grid alone, a third of the memory, and 0.3 to 1 meV
    less accurate where unlike atoms touch. neargrid and ongrid are there for comparison."""
    forces: bool = False
    """Also write forces. They are not used in training unless a control asks for them."""
    partitions: bool = True
    """Also write the atoms' energies by other partitions of the same fields and orbitals: over
    charge-neutral volumes, by stockholder shares, by intrinsic atomic orbitals."""
    keep_orbitals: bool = False
    """pyscf: keep the converged orbitals (about 100 kB a label) beside the labels, so that a change
    of the partition needs no new SCF."""
    reuse: list[Path] = []
    """Files of labels made before at the same settings, relative to the config file:
    configurations found in them are not computed again."""
    workers: WorkersConfig = WorkersConfig()
    """Where labels are computed. Not part of what the labels depend on."""

    @model_validator(mode="after")
    def _only_pyscf_keeps_orbitals(self) -> LabelConfig:
        if self.keep_orbitals and self.engine != "pyscf":
            raise ValueError(
                f"`keep_orbitals` is on with engine {self.engine}; expected pyscf, the one engine "
                "that has it. Leave it out"
            )
        return self


class DataConfig(Section):
    """Labelled data that exist already, in place of sampling and labelling."""

    files: Annotated[dict[str, Path], Field(min_length=1)]
    """Pools of labels by name: extended XYZ files (.extxyz, .extxyz.gz, .extxyz.xz) or run
    directories, relative to the config file, or names of `zeroflux data list`."""


class CorrelateConfig(Section):
    """The shortcut: per-atom energies from components, fitted on totals."""

    seed: int = 0
    """Seed of the folds and the bootstrap."""
    predictors: list[str] = []
    """Predictors by name; empty for the standard set. t+xc is one sum of two terms, t,xc two
    terms with a slope each; terms: t (kinetic), xc, es (electrostatic), ppl, nl."""
    n_folds: Annotated[int, Field(ge=2)] = 5
    """Parts of the cross-validation."""
    n_bootstrap: Count = 200
    """Resamples for the intervals."""

    @model_validator(mode="after")
    def _known_predictors(self) -> CorrelateConfig:
        from zeroflux.correlation import predictor

        for name in self.predictors:
            predictor(name)
        return self


ControlName = Literal["basin_energies", "totals_and_forces"]


class GridConfig(Section):
    """More networks. What is left out is as in the section `train` itself."""

    seeds: list[int] | None = None
    """One network per seed; the linear models have no random start and take the first."""
    architectures: list[ArchitectureName] | None = None
    """Architectures."""
    sizes: list[Count] | None = None
    """Numbers of parameters."""
    training_sets: list[str] | None = None
    """Names of training sets."""
    n_configurations: list[Count | Literal["all"]] | None = None
    """Configurations given to training."""
    controls: list[ControlName] | None = None
    """Controls; these networks come in addition to those trained on totals."""


class TrainConfig(Section):
    """Networks, fitted to total energies only."""

    training_sets: dict[str, Annotated[list[str], Field(min_length=1)]] = {}
    """What networks learn from: a name and the pools of `data.files` it joins, such as
    {argon: [argon], pure: [argon, krypton]}. By default one set of all labels."""
    seeds: Annotated[list[int], Field(min_length=1)]
    """One network of each architecture and size per seed; the linear models have no random start
    and take the first. No default."""
    architectures: Annotated[list[ArchitectureName], Field(min_length=1)] = ["bpnn"]
    """Architectures, see docs/potentials.md."""
    sizes: Annotated[list[Count], Field(min_length=1)] = [50, 500, 5000, 50000]
    """Numbers of parameters asked for; the closest the architecture has is taken, and none if
    that is off by more than a factor of two."""
    n_configurations: Annotated[list[Count | Literal["all"]], Field(min_length=1)] = ["all"]
    """Configurations given to training, those held out for early stopping included. Smaller
    draws are contained in larger ones and are the same for all networks."""
    controls: list[ControlName] = []
    """Further networks that see more than totals. basin_energies: trained on the basin energies
    themselves, what the architecture could represent. totals_and_forces: trained on totals and
    on the forces, which all labels must hold then (`label.forces`)."""
    also: list[GridConfig] = []
    """Further grids of networks, such as a learning curve at fewer sizes."""
    cutoff_angstrom: Positive = 7.0
    """Neighbour cutoff (Å). Beyond it the model sees nothing."""
    test_fraction: Fraction = 0.25
    """Share of each system's labels kept for evaluation, never seen in training."""
    held_out_fraction: Fraction = 0.2
    """Share of the training labels on whose totals training is stopped early."""
    split_seed: int = 0
    """Seed of the split into training and test labels."""
    hyperparameters: dict[ArchitectureName, dict[str, int | float]] = {
        "bpnn": {"depth": 1, "n_angular": 0}
    }
    """Further hyperparameters by architecture, the same for all sizes; see docs/potentials.md for
    how these were chosen on held-out totals."""
    n_steps: Count = 2000
    """Largest number of steps of Adam."""
    patience: Count = 1000
    """Steps without a better held-out total after which a network stops."""
    learning_rate: Positive = 2e-2
    """Peak learning rate; one rule for all sizes, see docs/potentials.md."""
    batch_size: Count = 10
    """Configurations per step."""
    workers: WorkersConfig = WorkersConfig()
    """Where networks are trained. Not part of what they depend on."""


class EvaluateConfig(Section):
    """Local energies of the networks against basin energies."""

    test_sets: dict[str, Annotated[list[str], Field(min_length=1)]] = {}
    """What networks are scored on: a name and the pools of `data.files` it joins. By default each
    pool is its own test set. Of a pool that is also trained on, `train.test_fraction` is kept for
    the test. A test set is in distribution for a training set that holds a pool of its name or
    one of its pools."""

    seed: int = 0
    """Seed of the bootstrap."""
    n_bootstrap: Count = 500
    """Resamples for the intervals."""


class ClaimConfig(Section):
    """A claim and what would support it, written down before the numbers are read."""

    claim: str
    """The claim in plain words."""
    effect: Literal["size_slope", "size_slope_at_equal_totals", "fidelity_transfer"]
    """size_slope: change of the local error per decade of parameters (meV).
    size_slope_at_equal_totals: the same with the error of totals as a covariate.
    fidelity_transfer: rank correlation of the local error at home with the error of totals
    elsewhere, given size, architecture and error of totals at home."""
    direction: Literal["positive", "negative"]
    """Sign of the effect that the claim predicts."""
    minimum_effect: Annotated[float, Field(ge=0)]
    """Size below which the effect, if real, would not carry the claim; meV for slopes."""


class ReportConfig(Section):
    """The page."""

    claims: list[ClaimConfig] = []
    """Claims to judge: supported if the whole interval of the effect lies beyond the minimum
    effect, refuted if it lies short of it, else undecided."""
    figures: bool = True
    """Also write the figures as SVG and PNG files."""


class Config(Section):
    """A whole run."""

    title: str = "Atomic energies of a liquid"
    """Title of the report."""
    sample: SampleConfig | None = None
    label: LabelConfig = LabelConfig()
    data: DataConfig | None = None
    """Labels that exist already. Leave out `sample` and `label` then."""
    correlate: CorrelateConfig = CorrelateConfig()
    train: TrainConfig | None = None
    """Networks. Leave it out to sample and label only."""
    evaluate: EvaluateConfig = EvaluateConfig()
    report: ReportConfig = ReportConfig()

    @model_validator(mode="after")
    def _consistent(self) -> Config:
        if (self.sample is None) == (self.data is None):
            found = "neither" if self.sample is None else "both"
            raise ValueError(
                f"found {found} `sample` and `data`; expected exactly one: new configurations, or "
                "labels that exist"
            )
        if self.train is None:
            return self
        pools = [*self.data.files] if self.data else [OWN_POOL]
        for key, sets in (
            ("train.training_sets", self.train.training_sets),
            ("evaluate.test_sets", self.evaluate.test_sets),
        ):
            for name, members in sets.items():
                for pool in members:
                    if pool not in pools:
                        raise ValueError(
                            f"`{key}.{name}` names the pool '{pool}'; expected one of "
                            f"{', '.join(pools)}"
                        )
        names = [*self.train.training_sets] or [OWN_POOL]
        for grid in self.train.also:
            for name in grid.training_sets or []:
                if name not in names:
                    raise ValueError(
                        f"`train.also` names the training set '{name}'; expected one of "
                        f"{', '.join(names)}"
                    )
        return self


def sampling_of(config: Config) -> SampleConfig:
    """Section `sample` of a configuration.

    Raises
    ------
    ConfigError
        If there is none.
    """
    if config.sample is None:
        raise ConfigError(
            "The configuration has no section `sample`: its labels come from `data.files`; "
            "expected a section `sample` for this stage. Leave the stage out."
        )
    return config.sample


def training_of(config: Config) -> TrainConfig:
    """Section `train` of a configuration.

    Raises
    ------
    ConfigError
        If there is none.
    """
    if config.train is None:
        raise ConfigError(
            "The configuration has no section `train`; expected one with `seeds` for this stage. "
            "See `zeroflux template`."
        )
    return config.train
