"""How people write ports and replicas on the command line and in settings. Pure."""

from collections.abc import Collection, Iterable

MOST_REPLICAS = 32  # of one service on one machine; more is a slip of the finger


def parse_counts(text: str, known: Collection[str]) -> dict[str, int]:
    """`generator=2,uploader=2` as a mapping. `ValueError` names what is wrong with it."""
    counts: dict[str, int] = {}
    for word in filter(None, (word.strip() for word in text.split(","))):
        name, equals, number = (piece.strip() for piece in word.partition("="))
        if not equals or not (number.isascii() and number.isdigit()):
            raise ValueError(f"{word!r} is not NAME=NUMBER")
        if name not in known:
            raise ValueError(f"{name!r} is not one of {', '.join(known)}")
        if name in counts:
            raise ValueError(f"{name} is given twice")
        counts[name] = int(number)
    return counts


def parse_replicas(text: str, services: Collection[str]) -> dict[str, int]:
    """How many of which service; 0 leaves a service out. `ValueError` names what is wrong."""
    replicas = parse_counts(text, services)
    for name, count in replicas.items():
        if count > MOST_REPLICAS:
            raise ValueError(f"{count} of {name} are too many: give at most {MOST_REPLICAS}")
    return replicas


def parse_ports(texts: Iterable[str], default: str, names: Collection[str]) -> dict[str, int]:
    """The port of each part that is given one; those in `texts` win over `default`, and 0 means any free port."""
    ports = parse_counts(default, names) | parse_counts(",".join(texts), names)
    for name, port in ports.items():
        if port > 65_535:
            raise ValueError(f"port {port} ({name}) does not exist: give one up to 65535")
    fixed = {name: port for name, port in ports.items() if port}
    for port in fixed.values():
        if len(both := sorted(other for other in fixed if fixed[other] == port)) > 1:
            raise ValueError(f"port {port} is given to {' and to '.join(both)}")
    return fixed
