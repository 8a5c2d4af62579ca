"""How any S3-compatible store is reached: one client for whoever writes media or makes the bucket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Literal

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

MEBIBYTE = 1 << 20
READ_SECONDS = 120
"""Without a byte from the store, also while a body goes up to it: longer than any deadline of ours for a small one."""


class BucketSettings(BaseSettings):
    """Where the bucket is, under the original's names, and what its store wants. An empty endpoint means AWS."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    s3_endpoint_url: str = Field("", validation_alias="S3_ENDPOINT_URL")
    s3_public_endpoint_url: str = Field("", validation_alias="S3_PUBLIC_ENDPOINT_URL")  # as people's browsers see it
    s3_access_key_id: SecretStr = Field(validation_alias="S3_ACCESS_KEY_ID")
    s3_secret_access_key: SecretStr = Field(validation_alias="S3_SECRET_ACCESS_KEY")
    s3_bucket_name: str = Field(validation_alias="S3_BUCKET_NAME", min_length=3)
    s3_region: str = Field("us-east-1", validation_alias="S3_REGION")
    # auto: the bucket in the path at an endpoint of one's own, in the host name at AWS
    s3_addressing_style: Literal["auto", "path", "virtual"] = Field("auto", validation_alias="S3_ADDRESSING_STYLE")
    # auto: the checksums that only AWS speaks are sent to AWS alone
    s3_checksums: Literal["auto", "when_required", "when_supported"] = Field("auto", validation_alias="S3_CHECKSUMS")
    s3_server_side_encryption: Literal["", "AES256", "aws:kms"] = Field(
        "", validation_alias="S3_SERVER_SIDE_ENCRYPTION"
    )
    s3_kms_key_id: str = Field("", validation_alias="S3_KMS_KEY_ID")
    s3_storage_class: str = Field("", validation_alias="S3_STORAGE_CLASS")
    # What is larger goes up in parts of this size; S3 takes none below 5 MiB.
    s3_multipart_bytes: int = Field(
        16 * MEBIBYTE, validation_alias="S3_MULTIPART_BYTES", ge=5 * MEBIBYTE, le=100 * MEBIBYTE
    )
    s3_verify: Literal["", "head"] = Field("", validation_alias="S3_VERIFY")  # ask after each PUT whether it is there

    @field_validator("s3_kms_key_id")
    @classmethod
    def _for_kms_alone(cls, key: str, info: ValidationInfo) -> str:
        if key and info.data.get("s3_server_side_encryption") != "aws:kms":
            raise ValueError("needs S3_SERVER_SIDE_ENCRYPTION=aws:kms")
        return key


def client_options(settings: BucketSettings, *, public: bool = False) -> dict[str, Any]:
    """What any botocore client of this store is made with; with `public`, for the endpoint people's browsers use."""
    return {
        "endpoint_url": _endpoint(settings, public=public) or None,
        "region_name": settings.s3_region,
        "aws_access_key_id": settings.s3_access_key_id.get_secret_value(),
        "aws_secret_access_key": settings.s3_secret_access_key.get_secret_value(),
    }


def config_options(settings: BucketSettings, *, public: bool = False) -> dict[str, Any]:
    """How such a client signs, addresses and sums. It never retries: who calls it knows what a repeat means."""
    own = bool(_endpoint(settings, public=public))
    style, checksums = settings.s3_addressing_style, settings.s3_checksums
    if checksums == "auto":
        checksums = "when_required" if own else "when_supported"
    return {
        "signature_version": "s3v4",
        # A body is not summed up for the signature: it would hold up everybody else. Its MD5 is signed instead.
        "s3": {"addressing_style": "path" if style == "auto" and own else style, "payload_signing_enabled": False},
        "request_checksum_calculation": checksums,
        "response_checksum_validation": checksums,
        "retries": {"total_max_attempts": 1},
    }


def write_options(settings: BucketSettings) -> dict[str, Any]:
    """What the store must be told with every object that is written: how to encrypt it, and how to keep it."""
    options = {
        "ServerSideEncryption": settings.s3_server_side_encryption,
        "SSEKMSKeyId": settings.s3_kms_key_id,
        "StorageClass": settings.s3_storage_class,
    }
    return {name: value for name, value in options.items() if value}


@asynccontextmanager
async def bucket_client(
    settings: BucketSettings, *, connections: int = 64, public: bool = False
) -> AsyncIterator["S3Client"]:
    """A client of the store, closed at the end."""
    config = AioConfig(
        **config_options(settings, public=public), max_pool_connections=connections, connect_timeout=5,
        read_timeout=READ_SECONDS,
    )  # fmt: skip
    async with get_session().create_client("s3", config=config, **client_options(settings, public=public)) as client:
        yield client


def _endpoint(settings: BucketSettings, *, public: bool) -> str:
    return (settings.s3_public_endpoint_url if public else "") or settings.s3_endpoint_url
