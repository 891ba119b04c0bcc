"""Cluster scoring, on a real scheduler and real workers."""

import json
import os
import signal
from dataclasses import replace
from itertools import chain

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from app.__main__ import main
from app.cluster.model_payload import pack, unpack
from app.cluster.partitions import open_partition, split_source
from app.cluster.sources import find_sources
from app.inference.registry import load_models
from app.inference.scored import Scorer
from models import SAVED_MODELS
from models.features import FEATURE_NAMES
from models.saved_model.storage import SavedModelError, load_model
from tests.support.cluster import cluster_of
from tests.support.servers import run, started
from tests.support.waiting import wait_until

HEADER = ",".join(FEATURE_NAMES)
CSV_HEADER = b"prediction,lower,upper\n"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with cluster_of(3, tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def rows():
    """Rows of the data set, (n, 8)."""
    return load_model(SAVED_MODELS / "champion").model.encoder.reference_rows


def write_csv(path, rows):
    lines = "".join(",".join(map(repr, row)) + "\n" for row in rows.tolist())
    path.write_text(f"{HEADER}\n{lines}")


def write_ndjson(path, rows):
    objects = (dict(zip(FEATURE_NAMES, row, strict=True)) for row in rows.tolist())
    path.write_text("".join(json.dumps(item) + "\n" for item in objects))


def write_parquet(path, rows, row_group_size=None):
    table = pa.table(dict(zip(FEATURE_NAMES, rows.T, strict=True)))
    parquet.write_table(table, path, row_group_size=row_group_size)


write_by_suffix = {".csv": write_csv, ".ndjson": write_ndjson, ".parquet": write_parquet}


@pytest.fixture
def inputs(tmp_path):
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def command(pattern, output, address, *options, model="notebook"):
    return [
        *("-m", "app", "predict", str(pattern), "--output", str(output), "--cluster", address),
        *("--default", model, *options),
    ]


@pytest.fixture
def score(cluster, capsys):
    """Run the command in this process, to save its start-up. Returns exit status and stderr."""

    def score(pattern, output, *options, model="notebook"):
        _, _, *arguments = command(pattern, output, cluster.address, *options, model=model)
        status = main(arguments)
        return status, capsys.readouterr().err

    return score


WITHOUT_CLUSTER = """
import sys
from app.__main__ import main
model, *paths = sys.argv[1:]
for path in paths:
    status = main(["predict", path, "--output", path + ".expected", "--default", model])
    assert status in (0, 4)
"""


def scoring(source, output, cluster):
    """A run with the champion in the background."""
    return started(*command(source, output, cluster.address, model="champion"))


def assert_scored_as_without_a_cluster(output, sources, model="notebook"):
    """Check that each file's concatenated partitions equal the output of a run without a cluster."""
    sources = sorted(sources)
    result = run("-c", WITHOUT_CLUSTER, model, *map(str, sources))
    assert result.returncode == 0, result.stderr
    for source in sources:
        partitions = sorted(output.glob(f"{source.stem}-0*{source.suffix}"))
        assert_same_bits(partitions, source.with_name(f"{source.name}.expected"))


def assert_same_bits(partitions, expected):
    if partitions[0].suffix == ".parquet":
        predictions = pa.concat_tables([parquet.read_table(path) for path in partitions])
        assert predictions.equals(parquet.read_table(expected))
        return
    contents = [path.read_bytes() for path in partitions]
    if partitions[0].suffix == ".csv":
        assert all(content.startswith(CSV_HEADER) for content in contents)
        contents = [CSV_HEADER, *(content.removeprefix(CSV_HEADER) for content in contents)]
    assert b"".join(contents) == expected.read_bytes()


def wait_for(condition, process):
    """Wait for a condition while a process runs; returns the condition's value."""

    def is_met():
        found = condition()
        assert found or process.poll() is None, process.communicate(timeout=15)
        return found

    return wait_until(is_met, 120)


def executing(client):
    """The partitions that workers score now, cancelled ones included."""
    keys = client.run(lambda dask_worker: [task.key for task in dask_worker.state.executing])
    return [key for key in chain.from_iterable(keys.values()) if "score_partition" in key]


def receipts(output):
    return sorted(output.glob("_*.receipt"))


def pause_busy_worker(cluster, client):
    """Stop a worker in the middle of a partition. None if it has just completed one."""
    names = {
        worker["name"]: address
        for address, worker in client.scheduler_info(n_workers=-1)["workers"].items()
    }
    name = next(iter(cluster.workers))
    os.kill(cluster.workers[name].pid, signal.SIGSTOP)
    if any("score_partition" in str(key) for key in client.processing()[names[name]]):
        return name
    os.kill(cluster.workers[name].pid, signal.SIGCONT)
    return None


def test_killing_a_worker_loses_no_row_and_changes_no_bit(cluster, tmp_path, inputs, rows):
    sources = []
    for index in range(12):
        suffix = (".csv", ".ndjson", ".parquet")[index % 3]
        sources.append(inputs / f"{index:02}{suffix}")
        write_by_suffix[suffix](sources[-1], rows[index * 600 : (index + 1) * 600])
    output = tmp_path / "out"

    with (
        cluster.client() as client,
        scoring(inputs / "*", output, cluster) as process,
    ):
        wait_for(lambda: receipts(output), process)
        name = wait_for(lambda: pause_busy_worker(cluster, client), process)
        assert len(receipts(output)) < len(sources)
        worker = cluster.workers.pop(name)
        worker.kill()
        worker.wait(timeout=15)
        _, stderr = process.communicate(timeout=120)
    cluster.start_worker(name)
    cluster.wait()

    assert process.returncode == 0, stderr
    assert stderr.startswith("7,200 rows, 0 rejected; 12 partitions, 12 scored and 0 skipped; ")
    assert len(list(output.iterdir())) == 2 * len(sources)
    assert_scored_as_without_a_cluster(output, sources, "champion")


def test_large_files_are_split_and_scored_as_without_a_cluster(score, tmp_path, inputs, rows):
    many = np.concatenate([rows, rows])
    write_csv(inputs / "a.csv", rows)
    write_ndjson(inputs / "b.ndjson", rows[:9000])
    write_parquet(inputs / "c.parquet", many, row_group_size=3000)

    status, stderr = score(inputs / "*", tmp_path / "out", "--block-mib", "1")

    assert status == 0, stderr
    sources = [*inputs.iterdir()]
    for source in sources:
        assert len([*(tmp_path / "out").glob(f"{source.stem}-*")]) > 1
    assert_scored_as_without_a_cluster(tmp_path / "out", sources)


def test_rejected_rows_go_to_a_separate_file_with_their_reasons(score, tmp_path, inputs, rows):
    bad = np.tile(rows[:7000], (2, 1))
    bad[[2, 13_000], 1] = 201
    write_csv(inputs / "a.csv", bad)
    reason = "HouseAge must be a number from 0 to 200 (years), got a number that is too large."
    out = tmp_path / "out"

    status, stderr = score(inputs / "a.csv", out, "--block-mib", "1")
    status_again, stderr_again = score(inputs / "a.csv", out, "--block-mib", "1")

    first = json.loads((out / "_a-00000.csv.receipt").read_text())["rows"]
    assert status == status_again == 4
    lines = stderr.splitlines()
    assert lines[:2] == [f"{inputs}/a.csv, row {row}: {reason}" for row in (3, 13_001)]
    assert lines[2].startswith("14,000 rows, 2 rejected; 2 partitions, 2 scored and 0 skipped")
    assert lines[3:] == ["python -m app: 2 of 14,000 rows were rejected"]
    assert (out / "_a-00000.csv.refused").read_text() == f'row,reason\n3,"{reason}"\n'
    assert (
        out / "_a-00001.csv.refused"
    ).read_text() == f'row,reason\n{13_001 - first},"{reason}"\n'
    assert_scored_as_without_a_cluster(out, [inputs / "a.csv"])
    assert ", 0 scored and 2 skipped;" in stderr_again


def test_a_rerun_scores_only_missing_and_outdated_partitions(score, tmp_path, inputs, rows):
    for name in "abc":
        write_csv(inputs / f"{name}.csv", rows[:100])
    out = tmp_path / "out"
    score(inputs / "*.csv", out)
    written = {path: path.stat().st_mtime_ns for path in out.iterdir()}

    (out / "a-00000.csv").unlink()
    write_csv(inputs / "b.csv", rows[:50])
    leftover = out / f".a-00000.csv.{'0' * 32}.partial"  # as a killed worker leaves it
    leftover.touch()
    _, stderr = score(inputs / "*.csv", out)

    assert stderr.startswith("250 rows, 0 rejected; 3 partitions, 2 scored and 1 skipped; ")
    kept = {path for path in out.iterdir() if written.get(path) == path.stat().st_mtime_ns}
    assert {path.name for path in kept} == {"c-00000.csv", "_c-00000.csv.receipt"}
    assert not leftover.exists()
    assert_scored_as_without_a_cluster(out, inputs.iterdir())


@pytest.mark.parametrize("options", [["--level", "0.5"], ["--errors"], ["--default", "champion"]])
def test_a_rerun_with_another_model_or_level_scores_all_again(
    score, tmp_path, inputs, rows, options
):
    write_csv(inputs / "a.csv", rows[:100])
    score(inputs / "a.csv", tmp_path / "out")
    before = (tmp_path / "out" / "a-00000.csv").read_bytes()

    _, stderr = score(inputs / "a.csv", tmp_path / "out", *options)

    assert ", 1 scored and 0 skipped;" in stderr
    assert (tmp_path / "out" / "a-00000.csv").read_bytes() != before


def test_outputs_of_a_source_that_became_shorter_are_removed(score, tmp_path, inputs, rows):
    write_csv(inputs / "a.csv", rows)
    write_csv(inputs / "a-b.csv", rows[:10])
    score(inputs / "*.csv", tmp_path / "out", "--block-mib", "1")
    assert (tmp_path / "out" / "a-00001.csv").exists()

    write_csv(inputs / "a.csv", rows[:10])
    score(inputs / "a.csv", tmp_path / "out", "--block-mib", "1")

    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "_a-00000.csv.receipt",
        "_a-b-00000.csv.receipt",
        "a-00000.csv",
        "a-b-00000.csv",
    ]


def test_an_interrupted_run_leaves_only_complete_partitions_and_can_resume(
    cluster, tmp_path, inputs, rows
):
    for index in range(12):
        write_csv(inputs / f"{index:02}.csv", rows[index * 600 : (index + 1) * 600])
    arguments = command(inputs / "*.csv", tmp_path / "out", cluster.address, model="champion")
    out = tmp_path / "out"

    with started(*arguments) as process:
        wait_for(lambda: receipts(out), process)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    with cluster.client() as client:
        wait_until(lambda: not executing(client), 60)
    left = sorted(out.iterdir())
    sizes = {path.name: path.stat().st_size for path in left if path.suffix == ".csv"}
    receipted = {
        path.name[1 : -len(".receipt")]: json.loads(path.read_text())["answer_bytes"]
        for path in receipts(out)
    }
    result = run(*arguments)

    assert (process.returncode, stderr) == (130, "python -m app: interrupted\n")
    assert 0 < len(receipted) < 12
    assert sizes.items() >= receipted.items()
    assert {path.suffix for path in left} == {".csv", ".receipt"}
    assert f", {12 - len(receipted)} scored and {len(receipted)} skipped;" in result.stderr
    assert len([*out.iterdir()]) == 24
    assert_scored_as_without_a_cluster(out, inputs.iterdir(), "champion")


def test_a_worker_stops_scoring_when_the_run_is_interrupted(tmp_path, inputs, rows):
    """The only partition takes far longer than the deadline."""
    source, out = inputs / "a.csv", tmp_path / "out"
    write_csv(source, np.tile(rows, (5, 1)))
    source.write_text(source.read_text().replace("\n", "\n\n"))  # read in chunks of a few rows

    with (
        cluster_of(1, tmp_path) as cluster,
        cluster.client() as client,
        scoring(source, out, cluster) as process,
    ):
        wait_for(lambda: executing(client), process)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        wait_until(lambda: not executing(client), 10)

    assert [*out.iterdir()] == []


def test_a_lost_scheduler_gives_a_one_line_error(tmp_path, inputs, rows):
    for index in range(12):
        write_csv(inputs / f"{index:02}.csv", rows[index * 600 : (index + 1) * 600])
    out = tmp_path / "out"

    with (
        cluster_of(1, tmp_path) as cluster,
        scoring(inputs / "*.csv", out, cluster) as process,
    ):
        wait_for(lambda: receipts(out), process)
        cluster.scheduler.kill()
        _, stderr = process.communicate(timeout=60)

    assert process.returncode == 2, stderr
    assert stderr == (
        "python -m app: The connection to the scheduler was lost. Run the same command again: "
        "completed partitions are kept.\n"
    )


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("rows.csv", "", "rows.csv is empty; expected a header line with MedInc, HouseAge, ..."),
        ("rows.csv", "a,b\n", "rows.csv, line 1: the header must have the column MedInc"),
        ("rows.parquet", "PAR1", "rows.parquet must be a Parquet file, got damaged"),
    ],
)
def test_an_invalid_file_is_rejected_before_anything_is_written(
    score, tmp_path, inputs, rows, name, content, says
):
    (inputs / name).write_text(content)
    write_csv(inputs / "good.csv", rows[:10])

    status, stderr = score(inputs / "*", tmp_path / "out")

    assert status == 2
    assert says in stderr
    assert stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("pattern", "output", "says"),
    [
        ("absent-*.csv", "out", "must match a file, got no match"),
        ("absent.csv", "out", "must be accessible: No such file or directory"),
        ("*", "", "--output must be a directory without input files, got one with "),
        ("../*", "out", "must be a file, got a directory"),
        ("rows.txt", "out", "must be named *.csv, *.ndjson, *.jsonl or *.parquet, got .txt"),
    ],
)
def test_unusable_paths_give_a_one_line_error(tmp_path, inputs, capsys, pattern, output, says):
    (inputs / "a.csv").write_text(HEADER)
    if pattern == "rows.txt":
        (inputs / pattern).touch()

    status = main(
        ["predict", str(inputs / pattern), "--output", str(inputs / output), "--cluster", "local"]
    )

    stderr = capsys.readouterr().err
    assert status == 2
    assert says in stderr
    assert stderr.count("\n") == 1


def test_a_cluster_needs_an_output(capsys):
    assert main(["predict", "rows.csv", "--cluster", "local"]) == 2
    assert capsys.readouterr().err == (
        "python -m app: --output must name a directory when --cluster is used, got nothing\n"
    )


def test_a_missing_scheduler_is_reported(tmp_path, inputs):
    (inputs / "a.csv").write_text(HEADER)

    result = run(*command(inputs / "a.csv", tmp_path / "out", "tcp://127.0.0.1:1"))

    assert (result.returncode, result.stderr) == (
        2,
        "python -m app: tcp://127.0.0.1:1 must be the address of a Dask scheduler, such as "
        "tcp://HOST:8786, got no answer\n",
    )


def test_the_error_for_a_missing_extra_names_it(tmp_path):
    script = (
        "import sys; sys.modules['distributed'] = None\n"
        "from app.__main__ import main\n"
        f"sys.exit(main(['predict', 'a.csv', '--output', {str(tmp_path)!r}, '--cluster', 'local']))"
    )

    result = run("-c", script)

    assert (result.returncode, result.stderr) == (
        2,
        "python -m app: --cluster needs the extra `cluster`. Install it with make .venv/cluster.\n",
    )


def test_a_damaged_model_is_rejected_with_exit_status_3(tmp_path, capsys):
    (tmp_path / "notebook").mkdir()
    (tmp_path / "notebook" / "model.json").write_text("{}")

    status = main(
        [
            *("predict", "a.csv", "--output", str(tmp_path / "out"), "--cluster", "local"),
            *("--models", str(tmp_path), "--default", "notebook"),
        ]
    )

    assert status == 3
    assert capsys.readouterr().err.count("\n") == 1


def test_a_worker_verifies_the_model_that_it_receives():
    model = load_models(SAVED_MODELS, "notebook").default
    payload = pack(SAVED_MODELS / "notebook", model)
    (name,) = [name for name in payload.files if name.endswith(".npz")]
    flipped = bytearray(payload.files[name])
    flipped[len(flipped) // 2] ^= 1

    assert unpack(payload).identity == model.identity
    with pytest.raises(SavedModelError):
        unpack(replace(payload, sha256="other", files={**payload.files, name: bytes(flipped)}))


@pytest.mark.parametrize("block_bytes", [1, 7, 64, 333, 10_000])
@pytest.mark.parametrize("name", ["rows.csv", "rows.ndjson"])
def test_each_line_is_read_once_wherever_a_text_file_is_split(inputs, rows, name, block_bytes):
    source = inputs / name
    write_by_suffix[source.suffix](source, rows[:12])
    lines = source.read_bytes().rstrip()  # no newline at the end
    source.write_bytes(b"\n\n".join(lines.rsplit(b"\n", 3)))
    scorer = Scorer(load_models(SAVED_MODELS, "notebook").default)
    (found,) = find_sources(str(source))

    read = []
    for partition in split_source(found, block_bytes):
        with open_partition(partition, scorer, error_column=False) as (chunks, _):
            read += [row for chunk in chunks for row in chunk.values.tolist()]

    assert read == rows[:12].tolist()


IN_MEMORY = """
import fsspec
from distributed import LocalCluster
from app.cluster.run import score_on_cluster
from app.cluster.model_payload import pack
from app.inference.registry import load_models
from models import SAVED_MODELS

if __name__ == "__main__":
    memory = fsspec.filesystem("memory")
    memory.pipe_file("/in/2024/a.csv", open("{source}", "rb").read())
    model = pack(SAVED_MODELS / "notebook", load_models(SAVED_MODELS, "notebook").default)
    with LocalCluster(n_workers=1, processes=False, dashboard_address="127.0.0.1:0") as cluster:
        for _ in range(2):
            print(score_on_cluster(
                "memory://in/**/*.csv", "memory://out", model, level=0.9, error_column=False,
                cluster=cluster.scheduler_address, block_bytes=2**20,
            ))
    print(sorted(memory.find("/out")))
    open("{output}", "wb").write(memory.cat_file("/out/2024/a-00000.csv"))
"""


def test_input_and_output_can_be_on_any_fsspec_filesystem(tmp_path, inputs, rows):
    source, output = inputs / "a.csv", tmp_path / "a-00000.csv"
    write_csv(source, rows[:100])

    result = run("-c", IN_MEMORY.format(source=source, output=output))

    first, again, names = result.stdout.splitlines()
    assert first.startswith("100 rows, 0 rejected; 1 partitions, 1 scored and 0 skipped; ")
    assert again.startswith("100 rows, 0 rejected; 1 partitions, 0 scored and 1 skipped; ")
    assert names == "['/out/2024/_a-00000.csv.receipt', '/out/2024/a-00000.csv']"
    assert_scored_as_without_a_cluster(tmp_path, [source])


def test_local_starts_a_cluster_on_this_machine(tmp_path, inputs, rows):
    write_parquet(inputs / "a.parquet", rows[:1000])

    result = run(*command(f"file://{inputs}/*.parquet", tmp_path / "out", "local"))

    assert result.returncode == 0, result.stderr
    assert result.stderr.startswith("1,000 rows, 0 rejected; 1 partitions, 1 scored ")
    assert result.stderr.count("\n") == 1
    assert_scored_as_without_a_cluster(tmp_path / "out", [inputs / "a.parquet"])
