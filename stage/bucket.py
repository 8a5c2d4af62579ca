"""How any S3-compatible store is reached: one client for whoever writes media or makes the bucket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client


class BucketSettings(BaseSettings):
    """Where the bucket is, under the original's names. An empty endpoint means AWS."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    s3_endpoint_url: str = Field("", validation_alias="S3_ENDPOINT_URL")
    s3_public_endpoint_url: str = Field("", validation_alias="S3_PUBLIC_ENDPOINT_URL")  # as people's browsers see it
    s3_access_key_id: SecretStr = Field(validation_alias="S3_ACCESS_KEY_ID")
    s3_secret_access_key: SecretStr = Field(validation_alias="S3_SECRET_ACCESS_KEY")
    s3_bucket_name: str = Field(validation_alias="S3_BUCKET_NAME", min_length=3)
    s3_region: str = Field("us-east-1", validation_alias="S3_REGION")


@asynccontextmanager
async def bucket_client(
    settings: BucketSettings, *, connections: int = 64, public: bool = False
) -> AsyncIterator["S3Client"]:
    """A client of the store; with `public`, one that signs for the endpoint people's browsers use.

    It never retries by itself: who calls it knows what a repeat means. Checksums that only AWS speaks are sent
    to AWS alone.
    """
    endpoint = (settings.s3_public_endpoint_url or settings.s3_endpoint_url) if public else settings.s3_endpoint_url
    checksums = "when_required" if endpoint else "when_supported"
    config = AioConfig(
        signature_version="s3v4", s3={"addressing_style": "path" if endpoint else "auto"},
        request_checksum_calculation=checksums, response_checksum_validation=checksums,
        retries={"total_max_attempts": 1}, max_pool_connections=connections, connect_timeout=5, read_timeout=30,
    )  # fmt: skip
    async with get_session().create_client(
        "s3", endpoint_url=endpoint or None, region_name=settings.s3_region, config=config,
        aws_access_key_id=settings.s3_access_key_id.get_secret_value(),
        aws_secret_access_key=settings.s3_secret_access_key.get_secret_value(),
    ) as client:  # fmt: skip
        yield client
