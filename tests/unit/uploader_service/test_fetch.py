"""Which sources may be fetched. That they are is shown against a real server, in tests/integration."""

import ipaddress

import pytest

from uploader_service.fetch import Allowed, Fetcher, FetchError, is_public
from uploader_service.settings import Settings

ALLOWED = Allowed(("replicate.delivery", "*.replicate.delivery"), frozenset({"127.0.0.1:8101", "generator:8101"}))


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in {
        "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092", "DATABASE_URL": "postgresql://db/darkroom", "S3_ACCESS_KEY_ID": "a",
        "S3_SECRET_ACCESS_KEY": "b", "S3_BUCKET_NAME": "media", "UPLOADER_ALLOWED_HOSTS": "*",
        "UPLOADER_ALLOWED_PRIVATE": "",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    return Settings()


@pytest.mark.parametrize(
    "url",
    [
        "https://replicate.delivery/a.jpg", "https://pbxt.replicate.delivery/a.jpg", "https://a.b.replicate.delivery/",
        "https://PBXT.Replicate.DELIVERY/a.jpg", "https://replicate.delivery:8443/a", "http://127.0.0.1:8101/media/1",
        "https://generator:8101/media/1", "http://GENERATOR:8101/media/1",
    ],
)  # fmt: skip
def test_public_hosts_by_pattern_and_named_places_inside_may_be_fetched(url: str) -> None:
    assert ALLOWED.refuse(url) is None


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://replicate.delivery/a.jpg", "not https"),
        ("ftp://replicate.delivery/a.jpg", "not https"),
        ("file:///etc/passwd", "not https"),
        ("data:image/png;base64,AAAA", "not https"),
        ("gopher://127.0.0.1:8101/", "gopher, not http"),
        ("//replicate.delivery/a.jpg", "not https"),
        ("a.jpg", "not https"),
        ("", "not https"),
        ("https://evil-replicate.delivery/a.jpg", "is not allowed"),
        ("https://replicate.delivery.evil.com/a.jpg", "is not allowed"),
        ("https://replicate.delivery@evil.com/a.jpg", "is not allowed"),
        ("https://replicate.delivery\\@evil.com/a.jpg", "is not allowed"),
        ("https://evil.com#.replicate.delivery/a.jpg", "is not allowed"),
        ("https://evil.com?.replicate.delivery/a.jpg", "is not allowed"),
        ("https://127.0.0.1/a.jpg", "is not allowed"),
        ("http://127.0.0.1:8102/a.jpg", "not https"),
        ("http://generator/a.jpg", "not https"),
        ("https://[::1/a.jpg", "not a URL"),
        ("https://replicate.delivery:99999/a.jpg", "not a URL"),
        ("https://replicate.delivery:http/a.jpg", "not a URL"),
    ],
)
def test_everything_else_is_refused_with_the_reason(url: str, why: str) -> None:
    assert why in (ALLOWED.refuse(url) or "")


def test_settings_name_hosts_and_places_with_room_around_the_commas(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPLOADER_ALLOWED_HOSTS", " Replicate.delivery , *.example.org,")
    monkeypatch.setenv("UPLOADER_ALLOWED_PRIVATE", " Generator:8101 ,, 127.0.0.1:9 ")

    allowed = Allowed.of(Settings())

    assert allowed == Allowed(("replicate.delivery", "*.example.org"), frozenset({"generator:8101", "127.0.0.1:9"}))


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_an_address_on_the_internet_is_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.255.0.1", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254",
        "100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
        "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "2001:db8::1",
        "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::7f00:1", "2002:7f00:1::", "2002:a00:1::", "2001:0:7f00:1::",
    ],
)  # fmt: skip
def test_an_address_that_is_or_carries_an_inner_one_is_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/", "https://10.1.2.3:443/", "https://169.254.169.254/latest/meta-data/", "https://[::1]/",
        "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/", "https://[64:ff9b::7f00:1]/", "https://[fe80::1]/",
        "https://224.0.0.1/", "https://0.0.0.0/",
    ],
)  # fmt: skip
async def test_a_private_address_is_refused_where_every_host_is_allowed(url: str, settings: Settings) -> None:
    async with Fetcher.open(settings) as fetcher:
        with pytest.raises(FetchError, match="private address") as refused:
            await fetcher.fetch(url)

    assert (refused.value.outcome.code, refused.value.outcome.passing) == ("source_forbidden", False)


@pytest.mark.parametrize(
    "url",
    [
        "https://0x7f.1/", "https://0x7f000001/", "https://0177.0.0.1/", "https://2130706433/", "https://127.1/",
        "https://0/", "https://localhost/", "https://LOCALHOST/",
    ],
)  # fmt: skip
async def test_a_private_address_in_disguise_is_refused_for_good(url: str, settings: Settings) -> None:
    async with Fetcher.open(settings) as fetcher:
        with pytest.raises(FetchError) as refused:
            await fetcher.fetch(url)

    assert (refused.value.outcome.code, refused.value.outcome.passing) == ("source_forbidden", False)


@pytest.mark.parametrize(
    "url",
    [
        f"https://{'a' * 64}.replicate.delivery/", "https://a..replicate.delivery/", "https:///a.jpg",
        "https://:443/", "https://a\ud800b/",
    ],
    ids=ascii,
)  # fmt: skip
async def test_a_host_that_can_be_none_is_an_outcome_and_no_bug(url: str, settings: Settings) -> None:
    async with Fetcher.open(settings) as fetcher:
        with pytest.raises(FetchError) as refused:
            await fetcher.fetch(url)

    assert refused.value.outcome.passing is False
