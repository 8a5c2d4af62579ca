"""Where bytes land: in memory while they are few, in a file beyond that, and for good once they are kept."""

import asyncio
import errno
import hashlib
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from uploader_service.landing import FULL, PORTION, Landing, SpoolFullError

IN_MEMORY = 1_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spool" / "output"


def there(path: Path) -> list[str]:
    """What lies in the spool."""
    return sorted(os.listdir(path.parent)) if path.parent.exists() else []


def content_of(landing: Landing) -> bytes:
    with landing.open() as file:
        return file.read()


async def landed(path: Path, *chunks: bytes) -> Landing:
    landing = Landing(path, IN_MEMORY)
    for chunk in chunks:
        await landing.write(chunk)
    return landing


@pytest.mark.parametrize(
    "chunks",
    [[], [b"a"], [b"a" * IN_MEMORY], [b"a" * 999, b"bc"], [b"abc" * 400, b"d" * 70], [b"x" * 900_000] * 5],
    ids=["nothing", "a byte", "just in memory", "a byte over", "a file", "portions"],
)
async def test_what_landed_can_be_read_with_its_size_and_sum(path: Path, chunks: list[bytes]) -> None:
    landing, whole = await landed(path, *chunks), b"".join(chunks)

    assert (landing.size, landing.sha256) == (len(whole), hashlib.sha256(whole).hexdigest())
    assert content_of(landing) == whole
    assert (landing.head(5), landing.head(5_000_000)) == (whole[:5], whole)
    assert await landing.read(2, 3) == whole[2:5]
    assert landing.content == (whole if len(whole) <= IN_MEMORY else None)
    await landing.discard()
    assert there(path) == []


async def test_few_bytes_touch_no_disk(path: Path) -> None:
    landing = await landed(path, b"x" * IN_MEMORY)

    content_of(landing)

    assert not path.parent.exists()
    await landing.discard()
    assert not path.parent.exists()


async def test_a_file_is_written_in_portions_and_not_for_each_packet(path: Path) -> None:
    landing = await landed(path, b"x" * (IN_MEMORY + 1))
    part = path.with_name("output.part")
    sizes = {part.stat().st_size}

    for _ in range(40):
        await landing.write(b"y" * (PORTION // 16))
        sizes.add(part.stat().st_size)

    assert len(sizes) == 3
    await landing.discard()


@pytest.mark.parametrize("size", [0, 10, IN_MEMORY + 1, 3 * PORTION])
async def test_what_is_kept_is_found_again_with_its_size_and_sum(path: Path, size: int) -> None:
    content = os.urandom(size)
    landing = await landed(path, content)

    await landing.keep()
    await landing.keep()
    found = await Landing.kept(path, IN_MEMORY)

    assert there(path) == ["output"]
    assert found is not None
    assert (found.size, found.sha256) == (landing.size, landing.sha256) == (size, hashlib.sha256(content).hexdigest())
    assert content_of(found) == content_of(landing) == content
    await found.keep()
    await found.discard()
    await found.discard()
    assert there(path) == []


async def test_nothing_is_found_where_nothing_was_kept(path: Path) -> None:
    assert await Landing.kept(path, IN_MEMORY) is None


async def test_what_was_only_begun_is_never_taken_for_kept(path: Path) -> None:
    landing = await landed(path, b"x" * (IN_MEMORY + 1))

    assert there(path) == ["output.part"]
    assert await Landing.kept(path, IN_MEMORY) is None
    await landing.discard()


@pytest.mark.parametrize("before", [b"few", b"many" * IN_MEMORY])
@pytest.mark.parametrize("after", [b"", b"other", b"others" * IN_MEMORY])
async def test_starting_over_forgets_what_was_there(path: Path, before: bytes, after: bytes) -> None:
    landing = await landed(path, before)
    landing.vouched = False

    await landing.restart()
    await landing.write(after)

    assert (landing.size, landing.sha256, landing.vouched) == (len(after), hashlib.sha256(after).hexdigest(), True)
    assert content_of(landing) == after
    await landing.discard()
    assert there(path) == []


async def test_a_write_that_is_cancelled_leaves_nothing_behind_after_the_discard(path: Path) -> None:
    for _ in range(50):
        landing = Landing(path, IN_MEMORY)
        writing = asyncio.create_task(landing.write(bytes(IN_MEMORY + 1)))
        await asyncio.sleep(0)
        writing.cancel()
        await asyncio.wait([writing])
        await landing.discard()

    assert there(path) == []


async def test_a_thread_that_comes_late_makes_no_file_anew(path: Path) -> None:
    landing = await landed(path, b"few")
    await landing.discard()

    landing._write_out()

    assert there(path) == []


@contextmanager
def files_limited_to(size: int) -> Iterator[None]:
    """No file of this process grows beyond `size` meanwhile. The kernel says EFBIG, the nearest to a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("before", [10, IN_MEMORY + 1, PORTION], ids=["in memory", "in a file", "in a larger one"])
async def test_a_disk_without_room_loses_nothing_and_may_have_some_later(
    path: Path, before: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("uploader_service.landing.FULL", FULL | {errno.EFBIG})
    content = os.urandom(before + 2 * PORTION)
    landing = await landed(path, content[:before])

    with files_limited_to(before + 100_000), pytest.raises(SpoolFullError):
        await landing.write(content[before:])
    with files_limited_to(before + 100_000), pytest.raises(SpoolFullError):
        await landing.keep()
    assert await Landing.kept(path, IN_MEMORY) is None

    await landing.keep()
    assert content_of(landing) == content
    await landing.discard()
    assert there(path) == []


async def test_few_bytes_that_cannot_be_kept_are_still_in_memory(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("uploader_service.landing.FULL", FULL | {errno.EFBIG})
    landing = await landed(path, bytes(IN_MEMORY))

    with files_limited_to(100), pytest.raises(SpoolFullError):
        await landing.keep()

    assert landing.content == bytes(IN_MEMORY)
    await landing.discard()
    assert there(path) == []


async def test_another_fault_of_the_disk_is_no_outcome(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("a file where the folder should be")

    with pytest.raises(OSError, match="spool"):
        await Landing(tmp_path / "spool" / "output", IN_MEMORY).write(bytes(2_000))
