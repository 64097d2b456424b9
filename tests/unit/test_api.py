"""The public calls: their names, and that each gives what the commands give."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.lj import LennardJones
from ase.io import read

import zeroflux as zf
from zeroflux.analysis.found import find_inputs
from zeroflux.errors import ArtifactError, ConfigError, FileFormatError, RefusedWarning
from zeroflux.grids import UniformGrid
from zeroflux.partition import gaussian_promolecule
from zeroflux.units import ANGSTROM
from zeroflux.volumetric import VolumetricData, write_volumetric

PUBLIC = {
    *("basins", "label", "score", "Basins", "Scores", "read_volumetric"),
    *("Calculator", "Frame", "Label", "BasinTerms", "Partition", "UniformGrid"),
}
TERMS = [((7.5, 0.9), (0.5, 3.0)), ((7.0, 0.6), (1.0, 2.0))]


def moments(result: zf.Basins) -> np.ndarray:
    assert result.moments is not None
    return result.moments


def test_public_names_are_these():
    assert set(zf.__all__) == PUBLIC
    assert set(dir(zf)) >= PUBLIC
    assert all(getattr(zf, name) is not None for name in PUBLIC)


def test_help_shows_the_three_calls_and_the_import_is_light():
    code = "import sys, zeroflux; print(zeroflux.__doc__); print('numpy' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for call in ("zf.basins(", "zf.label(", "zf.score("):
        assert call in out.stdout
    assert out.stdout.rstrip().endswith("False")


@pytest.fixture
def atoms() -> Atoms:
    return Atoms(
        "ArKr", positions=[[1.0, 1.2, 1.1], [3.6, 3.4, 3.7]], cell=[5.2, 5.6, 6.0], pbc=True
    )


@pytest.fixture
def data(atoms) -> VolumetricData:
    """Densities of a mixed pair of atoms, and a magnetization that is a tenth of it."""
    frame = zf.Frame.from_ase(atoms)
    grid = UniformGrid(cell=frame.cell, shape=(40, 42, 44))
    density = gaussian_promolecule(frame, grid, TERMS)
    fields = {"total": density, "magnetization": 0.1 * density}
    return VolumetricData(
        grid=grid, fields=fields, frame=frame, units=dict.fromkeys(fields, "1/bohr^3")
    )


@pytest.fixture
def run(data, tmp_path):
    """Folder of a spin-polarised VASP run: the valence density dips, the reference does not."""
    folder = tmp_path / "run"
    folder.mkdir()
    write_volumetric(folder / "CHGCAR", data)
    total = {"total": data.fields["total"]}
    for name, share in (("AECCAR0", 0.25), ("AECCAR2", 0.75)):
        fields = {"total": share * total["total"]}
        write_volumetric(
            folder / name,
            VolumetricData(grid=data.grid, fields=fields, frame=data.frame),
        )
    potcar = [
        f" TITEL  = PAW_PBE {s} 01Jan2000\n POMASS = 1.0; ZVAL   =    8.000\n" for s in ("Ar", "Kr")
    ]
    (folder / "POTCAR").write_text("".join(potcar))
    return folder


def test_a_file_an_array_and_pymatgen_give_the_same(run, data, atoms):
    from pymatgen.io.vasp.outputs import Chgcar

    of_file = zf.basins(run / "CHGCAR", reference=())
    density = data.fields["total"] * ANGSTROM**3
    of_array = zf.basins(density, atoms, valence={"Ar": 8, "Kr": 8})
    of_pymatgen = zf.basins(Chgcar.from_file(run / "CHGCAR"), valence={"Ar": 8, "Kr": 8})
    for other in (of_array, of_pymatgen):
        np.testing.assert_allclose(other.charges, of_file.charges, atol=1e-5)
        np.testing.assert_allclose(other.volumes, of_file.volumes, atol=1e-4)
    assert of_file.volumes.sum() == pytest.approx(atoms.get_volume(), rel=1e-6)
    assert abs(of_file.charges.sum()) < 1e-4
    np.testing.assert_allclose(moments(of_pymatgen), 0.1 * of_pymatgen.populations, rtol=1e-6)
    assert of_array.moments is None


def test_a_folder_is_a_density_with_reference_valences_and_moments(run, capsys):
    from zeroflux.analysis.run import run_basins

    result = zf.basins(run)
    np.testing.assert_allclose(moments(result), 0.1 * result.populations, rtol=1e-5)
    assert result.report.valence_source == "POTCAR"
    said = []
    run_basins([run], on_found=said.append)
    assert said == [f"found {run / 'CHGCAR'}, reference AECCAR0 + AECCAR2, POTCAR"]
    (run / "AECCAR2").unlink()
    assert find_inputs(str(run)).reference == ()


def test_folders_without_one_density_are_refused(tmp_path, data):
    with pytest.raises(ConfigError, match="no density"):
        zf.basins(tmp_path)
    for name in ("a.cube", "b.cube"):
        write_volumetric(tmp_path / name, data)
    with pytest.raises(ConfigError, match=r"2 files that may be the density \(a.cube, b.cube\)"):
        zf.basins(tmp_path)
    write_volumetric(tmp_path / "run-ELECTRON_DENSITY-1_0.cube", data)
    assert find_inputs(str(tmp_path)).density.endswith("run-ELECTRON_DENSITY-1_0.cube")


def test_arrays_that_are_no_density_are_refused(data, atoms):
    with pytest.raises(FileFormatError, match="without atoms"):
        zf.basins(data.first)
    with pytest.raises(FileFormatError, match=r"shape \(3,\)"):
        zf.basins(np.ones(3), atoms)
    with pytest.raises(FileFormatError, match="unit 'e'"):
        zf.basins(data.first, atoms, unit="e")


def test_acf_is_read_by_pymatgen_and_by_ase(run, tmp_path, monkeypatch):
    from ase.io.bader import attach_charges
    from pymatgen.command_line.bader_caller import BaderAnalysis

    result = zf.basins(run)
    result.write(tmp_path / "ACF.dat")
    atoms = result.atoms.copy()
    attach_charges(atoms, str(tmp_path / "ACF.dat"))
    np.testing.assert_allclose(
        atoms.get_initial_charges(), atoms.numbers - result.populations, atol=2e-6
    )
    monkeypatch.chdir(tmp_path)
    theirs = BaderAnalysis.__new__(BaderAnalysis)
    theirs.__dict__.update(is_vasp=True, parse_atomic_densities=False)
    parsed = theirs._parse_acf() if hasattr(theirs, "_parse_acf") else None
    if parsed is None:
        pytest.fail("pymatgen's reader has another name")
    np.testing.assert_allclose([d["charge"] for d in parsed], result.populations, atol=1e-6)
    np.testing.assert_allclose([d["atomic_vol"] for d in parsed], result.volumes, atol=1e-6)
    assert theirs.nelectrons == pytest.approx(result.populations.sum(), abs=1e-4)


def test_compat_has_pymatgens_attributes(run):
    from zeroflux.compat import BaderAnalysis

    result, bader = zf.basins(run), BaderAnalysis.from_path(run)
    assert bader.get_partial_charge(0) == pytest.approx(result.charges[0])
    assert bader.get_charge_transfer(1, nelect=7) == pytest.approx(result.populations[1] - 7)
    assert bader.nelectrons == pytest.approx(result.populations.sum())
    assert bader.data[1]["atomic_vol"] == pytest.approx(result.volumes[1])
    structure = bader.get_oxidation_state_decorated_structure()
    assert structure[0].specie.oxi_state == pytest.approx(result.charges[0])
    charges = bader.get_charge_decorated_structure().site_properties["charge"]
    np.testing.assert_allclose(charges, -result.populations)


def test_outputs_have_the_names_of_labels(run, tmp_path):
    result = zf.basins(run)
    result.write(tmp_path / "b.extxyz")
    atoms = read(tmp_path / "b.extxyz")
    np.testing.assert_allclose(atoms.arrays["basin_charge"], result.charges, atol=1e-7)
    np.testing.assert_allclose(atoms.arrays["basin_volume"], result.volumes, atol=1e-6)
    assert f"{result.populations[0]:.5f}" in result.table()


def test_labels_of_one_structure_and_of_many():
    crystal = bulk("Ar", "fcc", a=5.4, cubic=True)
    settings = {"basis": "DZVP-MOLOPT-PBE-GTH-q8", "workers": {"kind": "serial"}}
    one = zf.label(crystal, cutoff=90, **settings)
    assert one.get_potential_energy() == pytest.approx(one.arrays["basin_energy"].sum())
    assert set(one.arrays) >= {"neutral_energy", "stockholder_energy", "orbital_energy"}
    (same,) = zf.label([crystal], cutoff=90, partitions=False, **settings)
    np.testing.assert_allclose(same.arrays["basin_energy"], one.arrays["basin_energy"], atol=1e-9)
    with pytest.raises(ConfigError, match="`basiss`"):
        zf.label(crystal, basiss="x")


def test_scores_of_calculators_and_names(tmp_path):
    ours = LennardJones(sigma=3.4, epsilon=0.0103, rc=12.0)
    report = zf.score("dimers", {"ours": ours, "lj": "lj"}, n_bootstrap=20)
    assert {"ours", "lj", "E/N"} <= {row["model"] for row in report.table}
    assert set(report.achieved) >= {"ours", "lj"}
    report.write(tmp_path / "scores.json")
    assert (tmp_path / "scores.json").stat().st_size > 1000
    several = zf.score(["dimers", "clusters"], LennardJones(sigma=3.4, rc=12.0), n_bootstrap=20)
    assert {row["pool"] for row in several.table} == {"dimers", "clusters"}


def test_a_page_shows_the_surfaces(run, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    result = zf.basins(run)
    assert result.view(tmp_path / "b.html") == tmp_path / "b.html"
    assert opened == [(tmp_path / "b.html").as_uri()]
    text = (tmp_path / "b.html").read_text()
    assert '"vertices"' in text
    assert f"{result.volumes[0]:.6g}" in text
    owners = result.report.owners
    assert owners is not None
    assert set(np.unique(owners)) == {-1, 0, 1}  # next to no density is nobody's
    zf.basins(run).write(tmp_path / "again.html")
    assert (tmp_path / "again.html").stat().st_size < 3e6


def test_acf_has_the_form_of_henkelmans_program(run, tmp_path):
    zf.basins(run).write(tmp_path / "ACF.dat")
    lines = (tmp_path / "ACF.dat").read_text().splitlines()
    # a line that version 1.05 wrote
    theirs = "    1    0.000000    0.000000    0.000000    8.000303     1.161917    10.977166"
    places = [i for i, c in enumerate(theirs) if c == "."]
    assert lines[0] == (
        "    #         X           Y           Z       CHARGE      MIN DIST   ATOMIC VOL"
    )
    assert lines[1] == lines[4] == " " + 80 * "-"
    for line in lines[2:4]:
        assert [i for i, c in enumerate(line) if c == "."] == places
    assert lines[5:] == [
        "    VACUUM CHARGE:               0.0000",
        "    VACUUM VOLUME:               0.0000",
        f"    NUMBER OF ELECTRONS:{zf.basins(run).populations.sum():15.4f}",
    ]


def test_compat_is_complete_and_uses_what_it_is_given(run):
    from pymatgen.command_line import bader_caller

    ours = zf.compat.BaderAnalysis.from_path(run)
    public = {name for name in dir(bader_caller.BaderAnalysis) if not name.startswith("_")}
    assert public <= set(dir(ours))
    assert ours.summary["reference_used"] is True
    assert ours.nelects == [8.0, 8.0]
    np.testing.assert_allclose(ours.summary["charge_transfer"], -ours.basins.charges)
    np.testing.assert_allclose(ours.summary["magmom"], ours.basins.moments)
    other = run.parent / "POTCAR_other"
    other.write_text((run / "POTCAR").read_text().replace("8.000", "18.00"))
    given = zf.compat.BaderAnalysis(run / "CHGCAR", other)
    assert given.summary["reference_used"] is False
    assert given.nelects == [18.0, 18.0]
    for name in ("CHGCAR", "AECCAR0", "AECCAR2", "POTCAR"):
        (run / name).rename(run / f"{name}.static")
    suffixed = zf.compat.BaderAnalysis.from_path(run, ".static")
    np.testing.assert_allclose(suffixed.basins.volumes, ours.basins.volumes)
    assert suffixed.reference_used
    for wrong in ({}, {"chgcar_filename": "a", "cube_filename": "b"}):
        with pytest.raises(ConfigError, match="expected one of them"):
            zf.compat.BaderAnalysis(**wrong)


def test_atoms_carry_charges_and_moments(run):
    result = zf.basins(run)
    np.testing.assert_array_equal(result.atoms.get_initial_charges(), result.charges)
    assert result.moments is not None
    np.testing.assert_array_equal(result.atoms.get_initial_magnetic_moments(), result.moments)


def test_names_of_schema_1_are_read(run):
    from zeroflux.analysis.frame_report import OLD_NAMES, FrameReport

    report = zf.basins(run, coarse_check=True, vacuum=1e-3).report
    to_old = {new: old for old, new in OLD_NAMES.items()}
    for old, new in OLD_NAMES.items():
        np.testing.assert_array_equal(report.columns[old], report.columns[new])
    record = report.to_dict()
    for part in ("totals", "vacuum"):
        record[part] = {to_old.get(key, key): value for key, value in record[part].items()}
    record["atoms"] = [{to_old.get(k, k): v for k, v in one.items()} for one in record["atoms"]]
    old = FrameReport.from_dict(record)
    np.testing.assert_array_equal(old.columns["volume"], report.columns["volume"])
    assert (old.totals, old.vacuum) == (report.totals, report.vacuum)
    changed = report.columns["volume_angstrom3_coarse_change"]
    np.testing.assert_array_equal(changed, report.columns["volume_coarse_change"])


def test_a_plain_script_labels_and_keeps_what_is_known(tmp_path):
    """Processes would import the script again, which has no guard."""
    pytest.importorskip("pyscf")
    (tmp_path / "script.py").write_text(
        "from ase import Atoms\nimport zeroflux as zf\n"
        "he = Atoms('He2', [[0, 0, 0], [0, 0, 2.8]], cell=[4.5, 4.5, 5.6], pbc=True)\n"
        "he.info['system'] = 'pair'\n"
        "one = zf.label(he, cutoff=30, basis='gth-dzvp', pseudopotential='GTH-PBE-q2',\n"
        "               dispersion='none', partitions=False)\n"
        "print(one.info['system'], 'basin_energy' in one.arrays)\n"
    )
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.stdout.split() == ["pair", "True"], done.stderr


@pytest.mark.parametrize(
    ("density", "spin"),
    [
        ("run-ELECTRON_DENSITY-1_5.cube", "run-SPIN_DENSITY-1_5.cube"),
        ("rho.cube", "spin.cube"),
    ],
)
def test_a_spin_density_in_a_cube_of_its_own_gives_moments(tmp_path, data, density, spin):
    from zeroflux.analysis.run import run_basins

    total, magnetization = ({name: data.fields[name]} for name in data.fields)
    write_volumetric(tmp_path / density, replace(data, fields=total))
    assert zf.basins(tmp_path).moments is None  # control
    write_volumetric(tmp_path / spin, replace(data, fields=magnetization))
    said = []
    for given in (tmp_path, tmp_path / density):
        (report,) = run_basins([given], on_found=said.append)
        np.testing.assert_allclose(
            report.columns["moment"], 0.1 * report.columns["population"], rtol=1e-5
        )
    assert said == [
        f"found {tmp_path / density}, spin density {spin}",
        f"found spin density {spin}",
    ]
    assert find_inputs(str(tmp_path / spin)).spin is None


def test_vaspwave_has_the_reference_beside_it(run, data):
    h5py = pytest.importorskip("h5py")
    expected = zf.basins(run)
    (run / "CHGCAR").unlink()
    with h5py.File(run / "vaspwave.h5", "w") as file:
        blocks = [data.fields[n].T * data.grid.volume for n in ("total", "magnetization")]
        file["charge/charge"] = np.array(blocks)
        group = file.create_group("structure/positions")
        group["scale"], group["lattice_vectors"] = 1.0, data.grid.cell / ANGSTROM
        group["position_ions"] = data.frame.fractional_positions
        group["number_ion_types"] = [1, 1]
        group["ion_types"] = np.array([b"Ar", b"Kr"])
        group["direct_coordinates"] = 1
    result = zf.basins(run)
    assert result.report.source.endswith("vaspwave.h5")
    np.testing.assert_allclose(moments(result), moments(expected), atol=1e-6)
    np.testing.assert_allclose(result.volumes, expected.volumes, atol=1e-4)


def test_labelled_atoms_are_scored(tmp_path):
    from ase.calculators.emt import EMT

    from zeroflux import data as pools
    from zeroflux.artifacts.extxyz import label_to_atoms, read_labels

    labelled = [label_to_atoms(one) for one in read_labels(pools.path("argon_test"))]
    with pytest.warns(RefusedWarning, match="EMT"):
        in_memory = zf.score(labelled, ["lj", EMT()], n_bootstrap=20)
    by_name = zf.score("argon_test", "lj", n_bootstrap=20)
    assert in_memory.table[0]["Pearson r"] == pytest.approx(by_name.table[0]["Pearson r"])
    assert list(in_memory.refused) == ["EMT"]  # it knows no argon
    assert not by_name.refused
    with pytest.raises(ConfigError, match="Found a int as a model"):
        zf.score("argon_test", [3])
    with pytest.raises(ArtifactError, match=r"atoms 0: .* missing; expected a frame labelled"):
        zf.score([Atoms("Ar", cell=[8, 8, 8], pbc=True)], "lj")
