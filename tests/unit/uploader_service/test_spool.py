"""The spool's folder: whose files are whose, and a service that has none does not start."""

import os
from pathlib import Path

import pytest

from tests.builders import JOB, an_upload_claim
from uploader_service.app import open_spool
from uploader_service.settings import Settings
from uploader_service.spool import ABANDONED_SECONDS, Spool, output_of


async def a_spool(root: Path, instance: str = "uploader-1") -> Spool:
    spool = Spool(root, instance, 1_000)
    await spool.open()
    return spool


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (f"{JOB}.1.0.7", (str(JOB), 1, 0)),
        (f"{JOB}.1.0.7.part", None),
        (f"{JOB}.1.0", None),
        (f"{JOB}.x.0.7", None),
        ("not-a-job.1.0.7", None),
        ("lost+found", None),
    ],
)
def test_a_files_name_tells_its_output_or_is_left_alone(file: str, expected: object) -> None:
    assert output_of(file) == expected


async def test_instances_beside_each_other_have_folders_of_their_own_whatever_they_are_called(tmp_path: Path) -> None:
    for name in ("uploader-1", "uploader-2", "../up/loader"):
        await a_spool(tmp_path, name)

    assert sorted(os.listdir(tmp_path)) == ["..%2Fup%2Floader", "uploader-1", "uploader-2"]


async def test_bytes_in_hand_are_not_idle_until_they_are_let_go(tmp_path: Path) -> None:
    spool = await a_spool(tmp_path)
    held = spool.landing(an_upload_claim())
    await held.landing.write(b"some bytes")
    await held.landing.keep()

    while_held = await spool.idle_files()
    spool.release(held)

    assert (while_held, list(await spool.idle_files())) == ({}, [held.file])


async def test_what_an_earlier_life_kept_is_found_by_its_output_whatever_its_claim_was(tmp_path: Path) -> None:
    former = await a_spool(tmp_path)
    kept = former.landing(an_upload_claim(fence=3))
    await kept.landing.write(b"some bytes")
    await kept.landing.keep()

    spool = await a_spool(tmp_path)
    found = await spool.left_behind(an_upload_claim(fence=9))

    assert found is not None
    assert (found.file, found.landing.head(99)) == (kept.file, b"some bytes")
    assert await spool.left_behind(an_upload_claim(index=1)) is None


async def test_a_file_that_was_only_begun_is_removed_once_nobody_can_be_writing_it(tmp_path: Path) -> None:
    spool = await a_spool(tmp_path)
    old, young = tmp_path / "uploader-1" / f"{JOB}.1.0.1.part", tmp_path / "uploader-1" / f"{JOB}.1.1.1.part"
    for file in (old, young):
        file.touch()
    os.utime(old, (0, old.stat().st_mtime - ABANDONED_SECONDS - 1))

    await spool.idle_files()

    assert (old.exists(), young.exists()) == (False, True)


async def test_without_a_place_for_its_spool_the_service_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a-file").touch()
    for name, value in {
        "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092", "DATABASE_URL": "postgresql://db/darkroom", "S3_ACCESS_KEY_ID": "a",
        "S3_SECRET_ACCESS_KEY": "b", "S3_BUCKET_NAME": "media", "UPLOADER_SPOOL_DIR": str(tmp_path / "a-file"),
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)

    with pytest.raises(SystemExit) as ended:
        await open_spool(Settings(), "uploader-1")

    assert ended.value.code == 2
    assert "uploader: UPLOADER_SPOOL_DIR: " in capsys.readouterr().err
