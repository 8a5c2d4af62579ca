"""Going back in the log: a service reads again what it has read, which changes nothing that stands already."""

from collections.abc import Iterable, Mapping

from schemas.identity import PARTITIONS
from stage import offsets
from stage.database import Connection
from stage.sift import Partition


async def read_so_far(connection: Connection, topics: Iterable[str]) -> dict[Partition, int]:
    """How far the service has read these topics; those that it does not read are left out."""
    every = [(topic, number) for topic in topics for number in range(PARTITIONS)]
    return {place: following for place, (following, _) in (await offsets.stored(connection, every)).items()}


async def rewind(connection: Connection, begins: Mapping[Partition, int], to: int) -> dict[Partition, int]:
    """Let the service read again from `to`, or from where each place begins. Returns how many offsets each goes back.

    Never forward: that would skip. A running reader notices within seconds. The caller owns the transaction.
    """
    following = await offsets.lock(connection, begins)
    back = {place: max(to, begins[place]) for place, read in following.items() if max(to, begins[place]) < read}
    await offsets.move(connection, back)
    return {place: following[place] - target for place, target in back.items()}


def rewound(followed: Mapping[Partition, int], stored: Mapping[Partition, tuple[int, str]]) -> dict[Partition, int]:
    """The places that somebody else moved back, with where to. `followed` was known before `stored` was asked for.

    In between a reader only moves on, so what is stored below it was put there from outside.
    """
    return {place: stored[place][0] for place, read in followed.items() if place in stored and stored[place][0] < read}
