"""Which sources may be fetched, and by which provider."""

import ipaddress
import socket

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from uploader_service.addresses import Allowed, ForbiddenError, PublicResolver, Way, by_provider, is_public, parsed
from uploader_service.settings import Settings

ALLOWED = Allowed(
    {"": ("cdn.example",), "replicate": ("replicate.delivery", "*.replicate.delivery"), "open": ("*",)},
    {"": ("127.0.0.1:8101",), "fake": ("generator:8101",), "cog": ("cog:5000", "[::1]:5000", "tls.cog:443")},
)


def admitted(url: str, provider: str = "replicate", before: Way | None = None) -> Way:
    return ALLOWED.admit(parsed(url), provider, before)


@pytest.mark.parametrize(
    "url",
    [
        "https://replicate.delivery/a.jpg", "https://pbxt.replicate.delivery/a.jpg", "https://a.b.replicate.delivery/",
        "https://PBXT.Replicate.DELIVERY/a.jpg", "https://replicate.delivery:8443/a", "https://cdn.example/a",
    ],
)  # fmt: skip
def test_a_providers_own_hosts_and_those_of_all_may_be_fetched(url: str) -> None:
    assert admitted(url) is Way.PUBLIC


@pytest.mark.parametrize(
    ("url", "provider"),
    [
        ("http://127.0.0.1:8101/media/1", "replicate"), ("http://127.0.0.1:8101/media/1", "fake"),
        ("https://generator:8101/media/1", "fake"), ("http://GENERATOR:8101/media/1", "fake"),
        ("https://tls.cog/a", "cog"),
    ],
)  # fmt: skip
def test_places_inside_that_are_named_for_a_provider_may_be_fetched(url: str, provider: str) -> None:
    assert admitted(url, provider) is Way.PRIVATE


@pytest.mark.parametrize(
    ("url", "provider"),
    [
        ("https://replicate.delivery/a.jpg", "cog"), ("http://generator:8101/media/1", "cog"),
        ("http://cog:5000/a", "fake"), ("https://replicate.delivery/a.jpg", "somebody new"),
    ],
)  # fmt: skip
def test_what_is_another_providers_may_not_be_fetched(url: str, provider: str) -> None:
    with pytest.raises(ForbiddenError, match=r"not allowed|not https"):
        admitted(url, provider)


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
        ("https://replicate.delivery./a.jpg", "is not allowed"),
        ("https://evil.com#.replicate.delivery/a.jpg", "is not allowed"),
        ("https://evil.com?.replicate.delivery/a.jpg", "is not allowed"),
        ("https://127.0.0.1/a.jpg", "is not allowed"),
        ("https://:443/a.jpg", "is not allowed"),
        ("http://127.0.0.1:8102/a.jpg", "not https"),
        ("http://generator/a.jpg", "not https"),
        ("https://replicate.delivery@evil.com/a.jpg", "credentials"),
        ("https://me:secret@replicate.delivery/a.jpg", "credentials"),
        ("http://me@127.0.0.1:8101/a.jpg", "credentials"),
        ("https://replicate.delivery\\@evil.com/a.jpg", "not a URL"),
        ("https://[::1/a.jpg", "not a URL"),
        ("https://replicate.delivery:99999/a.jpg", "not a URL"),
        ("https://replicate.delivery:http/a.jpg", "not a URL"),
        ("https://a\ud800b/", "not a URL"),
    ],
    ids=ascii,
)
def test_everything_else_is_refused_with_the_reason(url: str, why: str) -> None:
    with pytest.raises(ForbiddenError, match=why):
        admitted(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/", "https://10.1.2.3:443/", "https://169.254.169.254/latest/meta-data/", "https://[::1]/",
        "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/", "https://[64:ff9b::7f00:1]/", "https://[fe80::1]/",
        "https://224.0.0.1/", "https://0.0.0.0/", "https://generator:8101/",
    ],
)  # fmt: skip
def test_where_every_host_is_allowed_an_inner_address_is_refused_all_the_same(url: str) -> None:
    """A name is looked up later: that its addresses are public is the resolver's part."""
    if "generator" in url:
        assert admitted(url, "open") is Way.PUBLIC
    else:
        with pytest.raises(ForbiddenError, match="private address"):
            admitted(url, "open")


def test_a_redirect_from_outside_leads_to_no_place_inside() -> None:
    assert admitted("http://127.0.0.1:8101/a", before=Way.PRIVATE) is Way.PRIVATE
    with pytest.raises(ForbiddenError, match="from outside"):
        admitted("http://127.0.0.1:8101/a", before=Way.PUBLIC)


@pytest.mark.parametrize(
    ("setting", "places"),
    [
        ("", {"": ()}),
        (" Replicate.delivery , *.example.org,", {"": ("replicate.delivery", "*.example.org")}),
        ("replicate=a, b;cog=c", {"replicate": ("a", "b"), "cog": ("c",)}),
        ("a;Replicate = b; ;c;replicate=d", {"": ("a", "c"), "replicate": ("b", "d")}),
    ],
)
def test_a_setting_names_places_for_all_or_for_one_provider(setting: str, places: dict[str, tuple[str, ...]]) -> None:
    assert by_provider(setting) == places


def test_settings_of_the_plain_form_count_for_every_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092", "DATABASE_URL": "postgresql://db/darkroom", "S3_ACCESS_KEY_ID": "a",
        "S3_SECRET_ACCESS_KEY": "b", "S3_BUCKET_NAME": "media", "UPLOADER_ALLOWED_HOSTS": "*.example.org",
        "UPLOADER_ALLOWED_PRIVATE": "Generator:8101",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)

    allowed = Allowed.of(Settings())

    assert allowed.admit(parsed("https://a.example.org/"), "anybody") is Way.PUBLIC
    assert allowed.admit(parsed("http://generator:8101/"), "anybody") is Way.PRIVATE


class Names(AbstractResolver):
    """Says that every name leads to these addresses."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
            for address in self._addresses
        ]

    async def close(self) -> None:
        pass


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["::ffff:169.254.169.254"]], ids=str)
async def test_a_name_that_leads_inside_with_even_one_address_is_refused(addresses: list[str]) -> None:
    with pytest.raises(ForbiddenError, match="private address"):
        await PublicResolver(lambda: Names(*addresses)).resolve("rebound.example", 443)


async def test_a_name_that_leads_outside_is_resolved() -> None:
    found = await PublicResolver(lambda: Names("8.8.8.8", "2606:4700::1111")).resolve("public.example", 443)

    assert [address["host"] for address in found] == ["8.8.8.8", "2606:4700::1111"]


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "a..example", "", "0x7f.1", "2130706433", "0177.0.0.1"])
async def test_a_name_that_is_none_or_a_hidden_address_does_not_resolve_to_a_place(host: str) -> None:
    with pytest.raises((ForbiddenError, OSError)):
        await PublicResolver().resolve(host, 443)


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
