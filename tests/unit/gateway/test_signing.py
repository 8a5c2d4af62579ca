"""Links to stored media: for the address that people see, the same for a while, valid long enough."""

from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.signing import KEPT, LIFETIME, WINDOW, Signer
from stage.bucket import BucketSettings
from tests.builders import NOON, later


class Hand:
    """A clock whose hand is moved."""

    def __init__(self) -> None:
        self.time = NOON

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture
def clock() -> Hand:
    return Hand()


def signer(monkeypatch: pytest.MonkeyPatch, clock: Hand, **settings: str) -> Signer:
    everything = {
        "S3_ENDPOINT_URL": "http://s3:9000", "S3_PUBLIC_ENDPOINT_URL": "", "S3_ACCESS_KEY_ID": "AKID",
        "S3_SECRET_ACCESS_KEY": "hush", "S3_BUCKET_NAME": "media",
    }  # fmt: skip
    for name, value in (everything | settings).items():
        monkeypatch.setenv(name, value)
    return Signer(BucketSettings(), clock)


def test_a_link_leads_to_the_key_and_holds_no_secret(monkeypatch: pytest.MonkeyPatch, clock: Hand) -> None:
    url, _ = signer(monkeypatch, clock).link("jobs/0d0/x/1/0.jpg")

    parts, query = urlsplit(url), parse_qs(urlsplit(url).query)
    assert (parts.netloc, parts.path) == ("s3:9000", "/media/jobs/0d0/x/1/0.jpg")
    assert (query["X-Amz-Expires"], query["X-Amz-Algorithm"]) == (["3600"], ["AWS4-HMAC-SHA256"])
    assert "hush" not in url


def test_a_link_is_signed_for_the_address_that_people_see(monkeypatch: pytest.MonkeyPatch, clock: Hand) -> None:
    url, _ = signer(monkeypatch, clock, S3_PUBLIC_ENDPOINT_URL="https://media.example.org").link("jobs/a.jpg")

    assert url.startswith("https://media.example.org/media/jobs/a.jpg?")
    assert parse_qs(urlsplit(url).query)["X-Amz-SignedHeaders"] == ["host"]


def test_the_signature_covers_the_host(monkeypatch: pytest.MonkeyPatch, clock: Hand) -> None:
    inside, _ = signer(monkeypatch, clock).link("jobs/a.jpg")
    outside, _ = signer(monkeypatch, clock, S3_PUBLIC_ENDPOINT_URL="http://localhost:9000").link("jobs/a.jpg")

    signatures = [parse_qs(urlsplit(url).query)["X-Amz-Signature"] for url in (inside, outside)]
    assert signatures[0] != signatures[1]


def test_a_link_stays_the_same_within_its_window(monkeypatch: pytest.MonkeyPatch, clock: Hand) -> None:
    signing = signer(monkeypatch, clock)
    first = signing.link("jobs/a.jpg")

    clock.time = NOON + WINDOW - timedelta(seconds=1)

    assert signing.link("jobs/a.jpg") is first


def test_a_link_is_signed_anew_after_its_window(monkeypatch: pytest.MonkeyPatch, clock: Hand) -> None:
    signing = signer(monkeypatch, clock)
    _, until = signing.link("jobs/a.jpg")

    clock.time = NOON + WINDOW

    assert signing.link("jobs/a.jpg")[1] == until + WINDOW


@pytest.mark.parametrize("minutes", [0, 1, 14, 15, 29, 44, 61, 600])
def test_a_link_works_for_another_45_to_60_minutes(minutes: int, monkeypatch: pytest.MonkeyPatch, clock: Hand) -> None:
    signing = signer(monkeypatch, clock)
    signing.link("jobs/a.jpg")

    clock.time = later(minutes * 60)
    left = signing.link("jobs/a.jpg")[1] - clock.time

    assert LIFETIME - WINDOW <= left <= LIFETIME


def test_each_key_has_a_link_of_its_own(monkeypatch: pytest.MonkeyPatch, clock: Hand) -> None:
    signing = signer(monkeypatch, clock)

    assert signing.link("jobs/a.jpg")[0] != signing.link("jobs/b.jpg")[0]


def test_only_so_many_links_are_kept(monkeypatch: pytest.MonkeyPatch, clock: Hand) -> None:
    signing = signer(monkeypatch, clock)
    first = signing.link("jobs/0.jpg")
    signing._signed.update({str(number): first for number in range(KEPT)})

    signing.link("jobs/1.jpg")
    signing.link("jobs/2.jpg")

    assert len(signing._signed) <= KEPT + 1
    assert "jobs/0.jpg" not in signing._signed
