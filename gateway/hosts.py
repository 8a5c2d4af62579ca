"""Which machine a name means, as far as that can be told from the name."""

import re
from functools import lru_cache
from ipaddress import ip_address

NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")


@lru_cache(64)  # the same few names with every request
def is_loopback(host: str) -> bool:
    """Whether this is the machine that it is said on, whatever a name server says."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def host_in(header: str) -> str:
    """The host of a `Host` header, in lower case, without its port and an IPv6 address's brackets."""
    if header.startswith("["):
        return header[1:].partition("]")[0].lower()
    return header.partition(":")[0].lower()


def names_in(setting: str) -> frozenset[str]:
    """The hosts of `gateway,darkroom.internal`, in lower case. Raises ValueError for what is no host's name."""
    names = [each for each in (part.strip() for part in setting.split(",")) if each]
    for name in names:
        if not NAME.fullmatch(name):
            raise ValueError(f"{name[:100]} is no host: write its name alone, without scheme and port")
    return frozenset(name.lower() for name in names)
