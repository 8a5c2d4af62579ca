"""Whether Kafka's log is still the one that was read."""

from stage.sift import Partition


class LogReplacedError(Exception):
    """Kafka's log is not the one that was read: going on would skip or repeat facts without a word."""


def refuse_another_log(place: Partition, following: int, begins: int, ends: int, owner: str, cluster: str) -> None:
    """Raise `LogReplacedError` when a place that was read up to `following` in the cluster `owner` is not there."""
    name = f"{place[0]}-{place[1]}"
    if owner != cluster:
        raise LogReplacedError(f"{name} was read from cluster {owner}, this is {cluster}: Kafka's data was replaced")
    if following > ends:
        raise LogReplacedError(f"{name} was read up to {following} but ends at {ends}: Kafka's data was replaced")
    if following < begins:
        raise LogReplacedError(f"{name} begins at {begins}, but only up to {following} was read: records are lost")
