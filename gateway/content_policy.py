"""Pure: the Content-Security-Policy of a page of ours."""

import hashlib
import re
from base64 import b64encode

INLINE = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)


def policy_for(html: str) -> str:
    """What lets this very page work, and nothing else: its own inline scripts and styles, by their sums, and what lies
    on our own server. No other page may show it inside itself.
    """
    sums: dict[str, list[str]] = {"script": [], "style": []}
    for kind, text in INLINE.findall(html):
        sums[kind].append(f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'")
    return "; ".join(
        (
            "default-src 'none'",
            " ".join(("script-src 'self'", *sums["script"])),
            " ".join(("style-src 'self'", *sums["style"])),
            "img-src 'self' data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )
