"""What a store is told by the settings: where the bucket's name goes, which sums are sent, how objects are kept."""

from urllib.parse import urlsplit

import pytest
from pydantic import ValidationError

from stage.bucket import BucketSettings, bucket_client, config_options, write_options

KEYS = {"S3_ACCESS_KEY_ID": "AKID", "S3_SECRET_ACCESS_KEY": "hush", "S3_BUCKET_NAME": "media"}
OWN = {"S3_ENDPOINT_URL": "https://s3.example.org"}


def settings_of(**told: str | int) -> BucketSettings:
    return BucketSettings.model_validate({**KEYS, **told})


async def link(settings: BucketSettings) -> str:
    async with bucket_client(settings, public=True) as client:
        url: str = await client.generate_presigned_url("get_object", Params={"Bucket": "media", "Key": "jobs/a.jpg"})
        return url


@pytest.mark.parametrize(
    ("told", "place"),
    [
        (OWN, ("s3.example.org", "/media/jobs/a.jpg")),
        (OWN | {"S3_ADDRESSING_STYLE": "path"}, ("s3.example.org", "/media/jobs/a.jpg")),
        (OWN | {"S3_ADDRESSING_STYLE": "virtual"}, ("media.s3.example.org", "/jobs/a.jpg")),
        ({}, ("media.s3.amazonaws.com", "/jobs/a.jpg")),
        ({"S3_ADDRESSING_STYLE": "path"}, ("s3.amazonaws.com", "/media/jobs/a.jpg")),
        (OWN | {"S3_PUBLIC_ENDPOINT_URL": "http://localhost:9000"}, ("localhost:9000", "/media/jobs/a.jpg")),
        (
            {"S3_PUBLIC_ENDPOINT_URL": "https://cdn.example", "S3_ADDRESSING_STYLE": "virtual"},
            ("media.cdn.example", "/jobs/a.jpg"),
        ),
    ],
)
async def test_a_link_has_the_bucket_where_the_settings_say(told: dict[str, str], place: tuple[str, str]) -> None:
    parts = urlsplit(await link(settings_of(**told)))

    assert (parts.netloc, parts.path) == place


@pytest.mark.parametrize(
    ("told", "sums"),
    [
        (OWN, "when_required"), ({}, "when_supported"), (OWN | {"S3_CHECKSUMS": "when_supported"}, "when_supported"),
        ({"S3_CHECKSUMS": "when_required"}, "when_required"),
        ({"S3_PUBLIC_ENDPOINT_URL": "https://cdn.example"}, "when_supported"),
    ],
)  # fmt: skip
def test_sums_that_only_aws_speaks_are_sent_to_aws_alone_unless_told(told: dict[str, str], sums: str) -> None:
    assert config_options(settings_of(**told))["request_checksum_calculation"] == sums


def test_no_client_retries_by_itself() -> None:
    assert config_options(settings_of())["retries"] == {"total_max_attempts": 1}


@pytest.mark.parametrize(
    ("told", "options"),
    [
        ({}, {}),
        ({"S3_SERVER_SIDE_ENCRYPTION": "AES256"}, {"ServerSideEncryption": "AES256"}),
        (
            {"S3_SERVER_SIDE_ENCRYPTION": "aws:kms", "S3_KMS_KEY_ID": "key-1", "S3_STORAGE_CLASS": "STANDARD_IA"},
            {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "key-1", "StorageClass": "STANDARD_IA"},
        ),
    ],
)
def test_how_objects_are_encrypted_and_kept_is_told_only_when_it_is_set(
    told: dict[str, str], options: dict[str, str]
) -> None:
    assert write_options(settings_of(**told)) == options


@pytest.mark.parametrize(
    "told",
    [
        {"S3_ADDRESSING_STYLE": "host"}, {"S3_CHECKSUMS": "never"}, {"S3_SERVER_SIDE_ENCRYPTION": "aes"},
        {"S3_KMS_KEY_ID": "key-1"}, {"S3_KMS_KEY_ID": "key-1", "S3_SERVER_SIDE_ENCRYPTION": "AES256"},
        {"S3_MULTIPART_BYTES": 5 * 1024 * 1024 - 1}, {"S3_MULTIPART_BYTES": 2**31}, {"S3_VERIFY": "get"},
    ],
    ids=str,
)  # fmt: skip
def test_a_setting_that_cannot_be_meant_is_refused(told: dict[str, str | int]) -> None:
    with pytest.raises(ValidationError):
        settings_of(**told)
