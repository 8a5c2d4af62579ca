"""Links to stored media that open in a browser: presigned for the address that people see."""

from collections import OrderedDict
from datetime import datetime, timedelta

import botocore.session
from botocore.config import Config

from schemas.clock import Clock
from stage.bucket import BucketSettings

LIFETIME = timedelta(hours=1)
WINDOW = timedelta(minutes=15)  # a link is given out this long, then signed anew
KEPT = 20_000


class Signer:
    """Signs links. Signing asks nobody, so it works while the store is away."""

    def __init__(self, settings: BucketSettings, now: Clock) -> None:
        endpoint = settings.s3_public_endpoint_url or settings.s3_endpoint_url or None
        style = {"addressing_style": "path" if endpoint else "auto"}
        self._client = botocore.session.get_session().create_client(
            "s3", endpoint_url=endpoint, region_name=settings.s3_region,
            aws_access_key_id=settings.s3_access_key_id.get_secret_value(),
            aws_secret_access_key=settings.s3_secret_access_key.get_secret_value(),
            config=Config(signature_version="s3v4", s3=style),
        )  # fmt: skip
        self._bucket, self._now = settings.s3_bucket_name, now
        self._signed: OrderedDict[str, tuple[str, datetime]] = OrderedDict()

    def link(self, key: str) -> tuple[str, datetime]:
        """A link to `key`, and when it stops working: between 45 and 60 minutes from now."""
        now = self._now()
        known = self._signed.get(key)
        if known and now < known[1] - LIFETIME + WINDOW:
            return known
        url = self._client.generate_presigned_url(
            "get_object", Params={"Bucket": self._bucket, "Key": key}, ExpiresIn=int(LIFETIME.total_seconds())
        )
        self._signed[key] = (url, now + LIFETIME)
        self._signed.move_to_end(key)
        if len(self._signed) > KEPT:
            self._signed.popitem(last=False)
        return self._signed[key]
