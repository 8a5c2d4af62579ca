"""Paid providers of media, simulated: their HTTP APIs, their faults, and a bill that nobody has to pay.

Each runs as a process of its own (`darkroom simulate replicate`) or inside a test:

    async with ReplicateSimulator(faults=[DropAnswer(nth=(1,))]) as simulator:
        ...
        assert simulator.bill().charged == 1

What they promise, and every fault they know: `docs/simulators.md`.
"""

from darkroom.simulators.cog.simulator import CogSimulator
from darkroom.simulators.replicate.simulator import ReplicateSimulator

__all__ = ["CogSimulator", "ReplicateSimulator"]
