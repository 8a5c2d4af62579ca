"""The server that stands in for where a provider leaves its outputs."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import psutil
import pytest

from bench.source import Source, source

LARGE = 20_000_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "outside.jpg").write_bytes(b"nobody's business")
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "0.jpg").write_bytes(b"small")
    (folder / "1.mp4").write_bytes(bytes(range(256)) * (LARGE // 256))
    return folder


@pytest.fixture
async def served(folder: Path) -> AsyncIterator[Source]:
    async with source(folder) as served:
        yield served


async def test_files_arrive_whole_over_kept_connections_and_side_by_side(served: Source, folder: Path) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=4)) as web:

        async def fetched(name: str) -> bytes:
            async with web.get(served.url(name)) as answer:
                assert answer.status == 200
                return await answer.read()

        names = ["0.jpg", "1.mp4"] * 8
        contents = await asyncio.gather(*(fetched(name) for name in names))

    assert contents == [(folder / name).read_bytes() for name in names]


@pytest.mark.parametrize("name", ["2.jpg", "", "source/state.json", "../outside.jpg"])
async def test_what_is_no_file_of_the_folder_is_not_found(served: Source, name: str) -> None:
    reader, writer = await asyncio.open_connection(*served.address.split(":"))
    writer.write(f"GET /{name} HTTP/1.1\r\n\r\n".encode())

    assert (await reader.readline()).split()[1] == b"404"
    writer.close()


async def test_it_is_a_process_of_its_own_that_ends_with_the_block(folder: Path) -> None:
    async with source(folder) as served:
        assert served.pid in {child.pid for child in psutil.Process().children()}

    assert not psutil.pid_exists(served.pid)
