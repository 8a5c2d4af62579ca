"""Each provider's share of a generator: slots of its own, so that one that hangs delays nobody else's calls."""

from collections.abc import Callable, Iterable, Sequence

from generator_service.store import Store
from generator_service.worker import Worker
from stage.service import Loop
from stage.work import Beats, Workers


class Shares:
    """The workers of every provider in `served`, and of calls that were asked of providers which nobody here knows.

    `worker` makes one that claims what its store gives; `recorded` is told whenever something was.
    """

    def __init__(
        self, store: Store, served: Iterable[str], worker: Callable[[Store], Worker], recorded: Callable[[], None]
    ) -> None:
        self._shares = [Share(provider, worker(store.only(provider)), recorded) for provider in served]
        all_of_it = worker(store)
        self._unserved = Workers(
            Beats("unserved", all_of_it.claim_unserved, all_of_it.look, all_of_it.record_groups, recorded)
        )

    @property
    def loops(self) -> Sequence[Loop]:
        """What runs until the service stops."""
        return [*(loop for share in self._shares for loop in share.loops), self._unserved.run]

    def make(self) -> None:
        """There may be room for calls."""
        for share in self._shares:
            share.makers.wake()

    def wake(self) -> None:
        """Something was heard: there may be calls to make, or news of some."""
        for share in self._shares:
            share.makers.wake()
            share.lookers.wake()


class Share:
    """The workers of one provider, whose `worker` claims no other's: for calls to make, with news, and waiting."""

    def __init__(self, provider: str, worker: Worker, recorded: Callable[[], None]) -> None:
        make = Beats(f"calls of {provider}", worker.claim_to_make, worker.make, worker.record, recorded)
        look = Beats(f"looks of {provider}", worker.claim_to_look_at, worker.look, worker.record_groups, recorded)
        wait = Beats(f"waits of {provider}", worker.claim_waiting, worker.look, worker.record_groups, recorded)
        self.makers, self.lookers = Workers(make), Workers(look)
        self.loops: Sequence[Loop] = (self.makers.run, self.lookers.run, Workers(wait, slots=1).run)
