import multiprocessing
import os
import stat
import threading

import pytest

from models import atomic_file
from models.atomic_file import open_atomically, remove_partial_files, write_atomically


def names(directory):
    return sorted(path.name for path in directory.iterdir())


def test_a_file_is_replaced_when_the_block_ends(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    with open_atomically(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"

    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("interruption", [ValueError, OSError, KeyboardInterrupt, SystemExit])
def test_an_interrupted_write_keeps_the_old_file_and_leaves_nothing_behind(tmp_path, interruption):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def write_half():
        with open_atomically(path) as file:
            file.write(b"half")
            raise interruption

    with pytest.raises(interruption):
        write_half()

    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_an_interrupted_first_write_leaves_no_file(tmp_path):
    with pytest.raises(KeyboardInterrupt), open_atomically(tmp_path / "file"):
        raise KeyboardInterrupt

    assert names(tmp_path) == []


def write_repeatedly(path, content, started):
    started.set()
    while True:
        write_atomically(path, content)


def test_readers_beside_two_writing_processes_only_see_complete_files(tmp_path):
    path = tmp_path / "file"
    contents = {letter * 1_000_000 for letter in (b"a", b"b")}
    context = multiprocessing.get_context("forkserver")
    writers, started = [], []
    for content in contents:
        started.append(context.Event())
        writers.append(context.Process(target=write_repeatedly, args=(path, content, started[-1])))
    for writer, event in zip(writers, started, strict=True):
        writer.start()
        assert event.wait(timeout=30)
    try:
        while not path.exists():
            assert all(writer.is_alive() for writer in writers)
        seen = {path.read_bytes() for _ in range(500)}
        assert all(writer.is_alive() for writer in writers)
    finally:
        for writer in writers:
            writer.kill()
            writer.join()

    assert seen <= contents


def test_of_two_overlapping_writers_the_last_to_finish_wins(tmp_path):
    path = tmp_path / "file"

    with open_atomically(path) as slow:
        slow.write(b"slow")
        thread = threading.Thread(target=write_atomically, args=(path, b"fast"))
        thread.start()
        thread.join(timeout=30)
        assert path.read_bytes() == b"fast"

    assert path.read_bytes() == b"slow"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("name", ["x" * 255, "ä" * 127])
def test_a_file_name_of_the_maximum_length_can_be_written(tmp_path, name):
    write_atomically(tmp_path / name, b"content")

    assert (tmp_path / name).read_bytes() == b"content"


def test_a_link_planted_as_the_temporary_file_is_not_followed(tmp_path, monkeypatch):
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    uuid = atomic_file.uuid4()
    monkeypatch.setattr(atomic_file, "uuid4", lambda: uuid)
    (tmp_path / f".housing.{uuid.hex}.partial").symlink_to(victim)

    with pytest.raises(FileExistsError):
        write_atomically(tmp_path / "file", b"content")

    assert victim.read_bytes() == b"precious"
    assert not (tmp_path / "file").exists()


def test_a_new_file_has_the_mode_that_the_umask_allows(tmp_path):
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "file", b"content")
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


def test_the_temporary_file_and_the_result_have_the_mode_of_the_existing_file(tmp_path):
    path = tmp_path / "file"
    path.touch(mode=0o600)

    with open_atomically(path) as file:
        assert stat.S_IMODE(os.fstat(file.fileno()).st_mode) == 0o600

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_link_is_followed(tmp_path):
    target, link = tmp_path / "elsewhere" / "target", tmp_path / "link"
    target.parent.mkdir()
    link.symlink_to(target)

    write_atomically(link, b"content")

    assert link.is_symlink()
    assert target.read_bytes() == b"content"
    assert names(target.parent) == ["target"]


def test_a_pipe_and_a_device_are_written_directly(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    received = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()), daemon=True)
    reader.start()

    write_atomically(pipe, b"content")
    write_atomically(tmp_path.joinpath("/dev/null"), b"content")

    reader.join(timeout=30)
    assert received == [b"content"]
    assert names(tmp_path) == ["pipe"]


def test_writing_to_a_directory_or_into_a_missing_one_fails_and_leaves_no_file(tmp_path):
    (tmp_path / "directory").mkdir()

    with pytest.raises(IsADirectoryError):
        write_atomically(tmp_path / "directory", b"content")
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "absent" / "file", b"content")

    assert names(tmp_path) == ["directory"]


def write_half_and_wait(path, started):
    with open_atomically(path) as file:
        file.write(b"half")
        started.set()
        threading.Event().wait()


def test_the_temporary_file_of_a_killed_writer_is_removed_and_others_are_kept(tmp_path):
    (tmp_path / ".housing.mine.partial").touch()
    context = multiprocessing.get_context("forkserver")
    started = context.Event()
    writer = context.Process(target=write_half_and_wait, args=(tmp_path / "file", started))
    writer.start()
    assert started.wait(timeout=30)
    writer.kill()
    writer.join()
    assert len(names(tmp_path)) == 2

    remove_partial_files(tmp_path)

    assert names(tmp_path) == [".housing.mine.partial"]
