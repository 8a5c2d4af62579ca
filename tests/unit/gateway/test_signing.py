"""Links to stored media: for the address that people see, the same for a while, valid long enough."""

import re
from datetime import datetime, timedelta
from urllib.parse import parse_qs, quote, unquote, urlsplit

import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

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

    assert signing.link("jobs/a.jpg") == first


def test_two_gateways_give_out_the_same_link_within_a_window(monkeypatch: pytest.MonkeyPatch, clock: Hand) -> None:
    one, other = signer(monkeypatch, clock), signer(monkeypatch, clock)
    clock.time = later(100)
    first = one.link("jobs/a.jpg")

    clock.time = later(800)

    assert other.link("jobs/a.jpg") == first


def test_a_link_is_signed_anew_after_its_window(monkeypatch: pytest.MonkeyPatch, clock: Hand) -> None:
    signing = signer(monkeypatch, clock)
    url, until = signing.link("jobs/a.jpg")

    clock.time = NOON + WINDOW

    assert signing.link("jobs/a.jpg")[1] == until + WINDOW
    assert signing.link("jobs/a.jpg")[0] != url


def test_a_clock_that_is_set_back_gives_the_link_of_its_own_time(monkeypatch: pytest.MonkeyPatch, clock: Hand) -> None:
    signing = signer(monkeypatch, clock)
    first = signing.link("jobs/a.jpg")

    clock.time = NOON + WINDOW
    signing.link("jobs/a.jpg")
    clock.time = NOON

    assert signing.link("jobs/a.jpg") == first


@pytest.mark.parametrize("key", ["jobs/0d0/x/1/0.jpg", "a b+c&d=e%?#~*'().jpg", "Schloß/星空 🌆.png", "//a/../b"])
@pytest.mark.parametrize("disposition", [None, 'attachment; filename="a b;c&d.jpg"'])
@pytest.mark.parametrize(
    "told",
    [
        {"S3_ENDPOINT_URL": "http://127.0.0.1:9000"},
        {"S3_PUBLIC_ENDPOINT_URL": "https://media.example.org:443/store"},
        {"S3_ENDPOINT_URL": "", "S3_REGION": "eu-central-1"},
    ],
    ids=["on a port", "below a path", "AWS"],
)  # fmt: skip
def test_a_link_is_signed_as_botocore_signs_it(
    told: dict[str, str], disposition: str | None, key: str, monkeypatch: pytest.MonkeyPatch, clock: Hand
) -> None:
    signing = signer(monkeypatch, clock, **told)

    url = signing.named_link(key, disposition) if disposition else signing.link(key)[0]

    theirs = signed_by_botocore(url, told.get("S3_REGION", "us-east-1"))
    path = urlsplit(url).path
    assert url.partition("?")[0] == theirs.partition("?")[0]
    assert unquote(path).endswith(f"/{key}")
    assert re.fullmatch("[A-Za-z0-9._~/%-]*", path)
    assert parse_qs(urlsplit(url).query) == parse_qs(urlsplit(theirs).query)


def signed_by_botocore(url: str, region: str) -> str:
    """The same link without its signature, signed at noon by botocore."""
    address, _, query = url.partition("?")
    disposition = parse_qs(query).get("response-content-disposition")
    bare = address + (f"?response-content-disposition={quote(disposition[0], safe='')}" if disposition else "")
    request = AWSRequest("GET", bare)
    request.context["timestamp"] = f"{NOON:%Y%m%dT%H%M%SZ}"
    auth = S3SigV4QueryAuth(Credentials("AKID", "hush"), "s3", region, expires=3600)
    auth._modify_request_before_signing(request)
    text = auth.string_to_sign(request, auth.canonical_request(request))
    auth._inject_signature_to_request(request, auth.signature(text, request))
    return str(request.url)


@pytest.mark.parametrize(
    ("told", "place"),
    [
        ({"S3_ENDPOINT_URL": "http://s3:9000"}, "http://s3:9000/media/k"),
        ({"S3_PUBLIC_ENDPOINT_URL": "https://media.example.org/store"}, "https://media.example.org/store/media/k"),
        ({"S3_ENDPOINT_URL": ""}, "https://media.s3.amazonaws.com/k"),
        ({"S3_ENDPOINT_URL": "", "S3_REGION": "eu-central-1"}, "https://media.s3.eu-central-1.amazonaws.com/k"),
        ({"S3_ENDPOINT_URL": "", "S3_REGION": "eu-central-1", "S3_BUCKET_NAME": "my.media"},
         "https://s3.eu-central-1.amazonaws.com/my.media/k"),
    ],
)  # fmt: skip
def test_the_bucket_is_named_as_its_store_knows_it(
    told: dict[str, str], place: str, monkeypatch: pytest.MonkeyPatch, clock: Hand
) -> None:
    url, _ = signer(monkeypatch, clock, **told).link("k")

    assert url.partition("?")[0] == place


def test_a_link_carries_the_name_that_the_file_is_saved_under(monkeypatch: pytest.MonkeyPatch, clock: Hand) -> None:
    url = signer(monkeypatch, clock).named_link("jobs/a.jpg", 'attachment; filename="b.jpg"')

    assert parse_qs(urlsplit(url).query)["response-content-disposition"] == ['attachment; filename="b.jpg"']


def test_the_signing_key_shows_nowhere(monkeypatch: pytest.MonkeyPatch, clock: Hand) -> None:
    signing = signer(monkeypatch, clock)

    assert "secret" not in repr(signing._window)


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

    for number in range(KEPT + 2):
        signing.link(str(number))

    assert (len(signing._signed), "1" in signing._signed, "2" in signing._signed) == (KEPT, False, True)


def test_a_window_says_for_how_long_links_stay_the_same(monkeypatch: pytest.MonkeyPatch, clock: Hand) -> None:
    signing = signer(monkeypatch, clock)
    shown = []
    for seconds in (0, 899, 900, 1799):
        clock.time = later(seconds)
        shown.append((signing.window(), signing.link("jobs/a.jpg")))

    assert shown[0] == shown[1] != shown[2] == shown[3]
    assert [window for window, _ in shown[1:3]] == [NOON, later(900)]
