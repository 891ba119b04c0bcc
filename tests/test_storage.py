import hashlib
import io
import json
import multiprocessing
import os
import random
import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from models import SAVED_MODELS
from models.atomic_file import PARTIAL_NAME
from models.layers import Dense, ReLU, Sigmoid
from models.network import Network
from models.saved_model.manifest import seal, unseal
from models.saved_model.storage import SavedModelError, load_model, save_model
from tests.support.waiting import join_all

KILLS = int(os.environ.get("HOUSING_KILLS", "100"))  # `make fuzz` sets both higher
BIT_FLIPS = int(os.environ.get("HOUSING_BIT_FLIPS", "1000"))


@pytest.fixture
def directory(tmp_path):
    """A copy of the committed model, to damage."""
    report = shutil.ignore_patterns("README.md", "report")
    return Path(shutil.copytree(SAVED_MODELS / "notebook", tmp_path / "notebook", ignore=report))


def files(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def parameters_path(directory):
    (path,) = directory.glob("parameters-*.npz")
    return path


def save(directory, saved, model):
    return save_model(directory, model, saved.card, saved.golden_rows)


def test_a_model_is_loaded_as_it_was_saved(tmp_path, saved, other_model, rng):
    rows = rng.uniform(1, 40, size=(100, 8))

    version = save(tmp_path / "new" / "model", saved, other_model).version
    loaded = load_model(tmp_path / "new" / "model")

    assert loaded.version == version != saved.version
    assert loaded.card == saved.card
    assert_array_equal(loaded.model.interval.half_widths, other_model.interval.half_widths)
    assert_array_equal(loaded.model.background.rows, other_model.background.rows)
    assert_array_equal(loaded.model.predict(rows), other_model.predict(rows))


def test_networks_of_any_depth_and_activation_can_be_saved(tmp_path, saved, rng):
    layers = [
        Dense(rng.normal(size=(8, 3)), rng.normal(size=3)),
        ReLU(),
        Dense(rng.normal(size=(3, 5)), rng.normal(size=1)),
        Sigmoid(),
        Dense(rng.normal(size=(5, 1)), rng.normal(size=1)),
    ]
    model = replace(saved.model, network=Network(layers))

    save(tmp_path, saved, model)

    rows = saved.golden_rows
    assert_array_equal(load_model(tmp_path).model.predict(rows), model.predict(rows))


def test_the_same_model_gives_the_same_bytes(tmp_path, saved, directory):
    """The golden outputs only on a processor with the same instructions."""
    save(tmp_path / "once", saved, saved.model)
    save(tmp_path / "again", saved, load_model(tmp_path / "once").model)

    assert files(tmp_path / "again") == files(tmp_path / "once")
    assert files(tmp_path / "again").keys() == files(directory).keys()


def test_a_save_leaves_only_the_new_models_files(directory, saved, other_model):
    for name in (f".housing.{'0' * 32}.partial", f".housing.{'f' * 32}.partial"):
        (directory / name).write_bytes(b"of a save that was killed")

    save(directory, saved, other_model)

    assert sorted(files(directory)) == ["model.json", parameters_path(directory).name]


def test_a_save_keeps_unrelated_files(tmp_path, saved):
    for name in (".housing.mine.partial", "parameters-mine.npz", "notes.txt"):
        (tmp_path / name).write_text("mine")

    save(tmp_path, saved, saved.model)

    assert len(files(tmp_path)) == 5


def test_a_model_that_could_not_be_loaded_is_never_saved(directory, saved):
    before = files(directory)
    *layers, output = saved.model.network.layers
    broken = replace(
        saved.model, network=Network([*layers, Dense(output.weights * np.nan, output.biases)])
    )

    with pytest.raises(SavedModelError, match=r"layers\.2\.weights must be finite"):
        save(directory, saved, broken)

    assert files(directory) == before


@pytest.mark.parametrize("damaged", ["model.json", "parameters"])
def test_single_bit_flips_are_detected(directory, damaged):
    path = directory / "model.json" if damaged == "model.json" else parameters_path(directory)
    intact = path.read_bytes()
    rng = random.Random(0)

    for bit in rng.sample(range(len(intact) * 8), min(BIT_FLIPS, len(intact) * 8)):
        flipped = bytearray(intact)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        with pytest.raises(SavedModelError):
            load_model(directory)


@pytest.mark.parametrize("damaged", ["model.json", "parameters"])
def test_truncation_at_any_length_is_detected(directory, damaged):
    path = directory / "model.json" if damaged == "model.json" else parameters_path(directory)
    intact = path.read_bytes()

    for length in range(len(intact)):
        path.write_bytes(intact[:length])
        with pytest.raises(SavedModelError):
            load_model(directory)


@pytest.fixture(scope="module")
def forkserver():
    """A context whose processes start fast, because its server has imported this module."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.test_storage"])
    return context


def save_alternately(directory, saved, models, started=None):
    if started:
        started.set()
    while True:
        for model in models:
            save(directory, saved, model)


def test_after_kills_while_saving_a_complete_model_can_be_loaded(
    forkserver, tmp_path, saved, other_model
):
    versions = {save(tmp_path, saved, model).version for model in (other_model, saved.model)}
    rng = random.Random(0)
    begun = time.perf_counter()
    for model in (saved.model, other_model):
        save(tmp_path, saved, model)
    two_saves = time.perf_counter() - begun
    cut_off = 0

    for _ in range(KILLS):
        started = forkserver.Event()
        child = forkserver.Process(
            target=save_alternately,
            args=(tmp_path, saved, (other_model, saved.model), started),
            daemon=True,
        )
        child.start()
        assert started.wait(15)
        time.sleep(rng.uniform(0, 2 * two_saves))
        child.kill()
        join_all([child])
        assert load_model(tmp_path).version in versions
        cut_off += len(files(tmp_path)) > 2

    assert cut_off > KILLS // 25, "the kills must come in the middle of saves"


def test_a_load_during_saves_gets_one_complete_model(forkserver, tmp_path, saved, other_model):
    versions = {save(tmp_path, saved, model).version for model in (other_model, saved.model)}
    child = forkserver.Process(
        target=save_alternately, args=(tmp_path, saved, (other_model, saved.model)), daemon=True
    )
    child.start()
    try:
        seen = {load_model(tmp_path).version for _ in range(500)}
    finally:
        child.kill()
        join_all([child])

    assert seen == versions


def test_loads_during_two_concurrent_writers_get_complete_models(
    forkserver, tmp_path, saved, other_model
):
    versions = {save(tmp_path, saved, model).version for model in (other_model, saved.model)}
    writers = [
        forkserver.Process(
            target=save_alternately, args=(tmp_path, saved, (other_model, saved.model)), daemon=True
        )
        for _ in range(2)
    ]
    for writer in writers:
        writer.start()
    try:
        seen = {load_model(tmp_path).version for _ in range(500)}
        assert all(writer.is_alive() for writer in writers)
    finally:
        for writer in writers:
            writer.kill()
        join_all(writers)

    assert seen == versions


def test_every_file_is_flushed_to_disk_before_it_is_renamed(tmp_path, saved, monkeypatch):
    done = []
    fsync, replace_path = os.fsync, Path.replace

    def note_fsync(descriptor):
        name = Path(f"/proc/self/fd/{descriptor}").readlink().name
        done.append(("fsync", "temporary file" if PARTIAL_NAME.fullmatch(name) else name))
        fsync(descriptor)

    def note_replace(path, target):
        done.append(("replace", target.name))
        return replace_path(path, target)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(Path, "replace", note_replace)
    save(tmp_path / "new", saved, saved.model)

    parameters = parameters_path(tmp_path / "new").name
    assert done == [
        ("fsync", tmp_path.name),
        ("fsync", "temporary file"),
        ("replace", parameters),
        ("fsync", "new"),
        ("fsync", "temporary file"),
        ("replace", "model.json"),
        ("fsync", "new"),
    ]


@pytest.mark.parametrize("missing", ["model.json", "parameters"])
def test_the_error_for_a_missing_file_names_it(directory, missing):
    path = directory / "model.json" if missing == "model.json" else parameters_path(directory)
    path.unlink()

    with pytest.raises(SavedModelError, match=rf"No such file or directory: .*{path.name}"):
        load_model(directory)


def forge(directory, change_arrays=lambda arrays: None, change_manifest=lambda content: None):
    """Change a model and seal it again, as a faulty or newer program might have written it."""
    path = parameters_path(directory)
    with np.load(path) as archive:
        arrays = dict(archive)
    change_arrays(arrays)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    content = unseal((directory / "model.json").read_bytes())
    digest = content["parameters_sha256"] = hashlib.sha256(buffer.getvalue()).hexdigest()
    change_manifest(content)
    path.unlink()
    path.with_name(f"parameters-{digest}.npz").write_bytes(buffer.getvalue())
    (directory / "model.json").write_bytes(seal(content))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda a: a.pop("encoder.mean"), r"the parameters must be \[.*'encoder.mean'"),
        (lambda a: a.update(extra=np.ones(1)), "got .*'extra'"),
        (lambda a: a.update({"encoder.mean": np.ones(7)}),
         r"encoder.mean must be float64 \(8,\), got float64 \(7,\)"),
        (lambda a: a.update({"encoder.mean": np.ones(8, np.float32)}),
         r"must be float64 \(8,\), got float32 \(8,\)"),
        (lambda a: a["layers.0.weights"].__setitem__((3, 2), np.nan),
         "layers.0.weights must be finite"),
        (lambda a: a["layers.2.biases"].__setitem__(0, np.inf), "layers.2.biases must be finite"),
        (lambda a: a["encoder.scale"].__setitem__(1, 0.0), "encoder: every scale must be above 0"),
        (lambda a: a["encoder.scale"].__setitem__(1, -2.0), "encoder: every scale must be above 0"),
        (lambda a: a["interval.half_widths"].__setitem__(0, -0.1),
         "interval: the half-widths must be 0 or above"),
        (lambda a: a["interval.levels"].__setitem__(2, 7.0), "interval: the levels must ascend"),
        (lambda a: a["interval.levels"].__setitem__(2, 0.85), "interval: the levels must .* include 0.9"),
        (lambda a: a["layers.0.weights"].__imul__(1.000001),
         "the golden rows must give their saved output to within 1e-09, got a difference of"),
        (lambda a: a.update({"encoder.mean": np.array([object()] * 8)}),
         "must be an .npz file without pickled objects"),
    ],
)  # fmt: skip
def test_sealed_parameters_that_no_model_can_have_are_rejected(directory, change, says):
    forge(directory, change_arrays=change)

    with pytest.raises(SavedModelError, match=says):
        load_model(directory)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c: c.pop("golden"), "must have exactly the fields of a model, got .*'golden'"),
        (lambda c: c.update(unknown=1), "must have exactly the fields of a model"),
        (lambda c: c["metrics"].pop("mae"), "must have exactly the fields of a model"),
        (lambda c: c["parts"]["layers.1"].update(type="Softmax"),
         "layers.1 must be one of .*, got 'Softmax'"),
        (lambda c: c["parts"]["layers.1"].update(type="ReLU"), "the golden rows must give"),
        (lambda c: c["parts"]["layers.1"].update(slope=2), "layers.1: .*slope"),
        (lambda c: c["parts"].update(extra=c["parts"]["layers.1"]), "must have exactly the fields"),
        (lambda c: c["golden"]["predictions"].__setitem__(0, 4.3), "the golden rows must give"),
        (lambda c: c["golden"].update(rows=[[1.0] * 7]), "must have exactly the fields of a model"),
        (lambda c: c["golden"].update(rows=None), "must have exactly the fields of a model"),
        (lambda c: c["golden"].update(rows=[["x"] * 8]), "must have exactly the fields of a model"),
        (lambda c: c["golden"].update(predictions=["x"] * 8), "must have exactly the fields of a model"),
        (lambda c: c.update(features=[]), "must have exactly the fields of a model"),
        (lambda c: c["features"].reverse(), "the range of MedInc must be a minimum and a maximum in 10,000 USD"),
        (lambda c: c["features"][1].update(unit="months"), "the range of HouseAge must be a minimum and a maximum in years"),
        (lambda c: c["features"][1].update(minimum=None), "the range of HouseAge must be"),
        (lambda c: c["features"][1].update(minimum=99.0), "the range of HouseAge must be"),
        (lambda c: c["target"].update(unit="USD"), "the range of MedHouseVal must be a minimum and a maximum in 100,000 USD"),
        (lambda c: c["metrics"].update(mae="x"), "mae must be .*float.*, got 'x'"),
        (lambda c: c["versions"].update(numpy=2), "versions must be"),
        (lambda c: c.update(seed="x"), "seed must be .*int.*, got 'x'"),
        (lambda c: c.update(parts=None), "must have exactly the fields of a model"),
        (lambda c: c.update(parameters_sha256=None), "must be 64 hex digits, got None"),
        (lambda c: c.update(parameters_sha256="../x"), "must be 64 hex digits, got '../x'"),
    ],
)  # fmt: skip
def test_a_sealed_manifest_that_no_model_can_have_is_rejected(directory, change, says):
    forge(directory, change_manifest=change)

    with pytest.raises(SavedModelError, match=says):
        load_model(directory)


def test_parameters_that_belong_to_another_manifest_are_rejected(directory):
    path = parameters_path(directory)
    path.write_bytes(path.read_bytes() + b"\0")

    with pytest.raises(SavedModelError, match="the parameters file must match its digest"):
        load_model(directory)


@pytest.mark.parametrize(
    "manifest",
    [b"", b"null", b"[]", b'"x"', b"{}", b'{"format": 1}', b"[" * 100_000, b"\xff", b"1" * 5000],
)
def test_a_manifest_that_is_not_valid_is_rejected(directory, manifest):
    (directory / "model.json").write_bytes(manifest)

    with pytest.raises(SavedModelError, match="must be a JSON object with a format and a seal"):
        load_model(directory)


def test_a_manifest_of_another_format_is_rejected(directory):
    content = json.loads((directory / "model.json").read_bytes())
    (directory / "model.json").write_text(json.dumps({**content, "format": 2}))

    with pytest.raises(SavedModelError, match="must have the format 1, got 2"):
        load_model(directory)
