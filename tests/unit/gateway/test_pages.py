"""The pages for people: each runs what it brings and nothing else, and loads nothing from elsewhere."""

import re

import pytest

from gateway.content_policy import policy_for
from tests.unit.gateway.http import calling

PAGES = pytest.mark.parametrize("path", ["/docs", "/asyncapi"])
LOADED = re.compile(r'(?:src|href)="([^"#]*)"')


@PAGES
async def test_a_page_allows_its_own_scripts_and_styles_by_their_sums(path: str) -> None:
    async with calling() as client:
        page = await client.get(path)

    policy = page.headers["Content-Security-Policy"]
    assert policy == policy_for(page.text)
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert policy.count("sha256-") == len(re.findall("<(?:script|style)>", page.text)) == 1


@PAGES
async def test_a_page_has_nothing_inline_that_its_policy_cannot_name(path: str) -> None:
    async with calling() as client:
        page = (await client.get(path)).text

    assert re.findall(r"<[^>]+\s(?:style|on[a-z]+)=", page) == []


@PAGES
async def test_what_a_page_loads_and_links_to_is_there(path: str) -> None:
    async with calling() as client:
        links = LOADED.findall((await client.get(path)).text)
        answers = {link: (await client.get(f"/{link}")).status_code for link in links}

    assert answers
    assert set(answers.values()) == {200}
    assert [link for link in links if "//" in link] == []


def test_a_sum_is_that_of_the_very_text_between_the_tags() -> None:
    # As the standard's own example has it.
    hello = policy_for("<p>1</p><script>alert('Hello, world.');</script>")
    spaced = policy_for("<script>\n run()\n</script>")

    assert "script-src 'self' 'sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng=';" in hello
    assert "script-src 'self' 'sha256-f6NJq0g+zIqDu1XmQdmVUSReHgKAixBhDmKvME5yL4M=';" in spaced


def test_another_script_has_another_sum() -> None:
    one, other = (policy_for(f"<script>{text}</script><style>a</style>") for text in ("run()", "run(1)"))

    assert one != other
    assert one.split("; ")[2] == other.split("; ")[2]
