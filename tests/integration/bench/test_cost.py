"""What processes took, as the kernel counts it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bench.cost import OURS, REST, Memory, Meter, difference

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="benches read /proc: they run on Linux alone")

HUNDRED = 100_000_000
BURN = "import time\nwhile time.process_time() < 0.5: pass\n"


@contextmanager
def python(program: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A Python that takes lines to run, and answers each once it is done."""
    loop = f"{program}\nfor line in sys.stdin: exec(line, globals()); print(flush=True)"
    with subprocess.Popen(
        [sys.executable, "-c", f"import sys\n{loop}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        yield process


def tell(process: "subprocess.Popen[bytes]", line: str) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{line}\n".encode())
    process.stdin.flush()
    assert process.stdout.readline() == b"\n"


def test_what_a_process_and_its_ended_children_took_is_counted_and_not_what_we_took() -> None:
    with python("import subprocess") as process:
        meter = Meter({"it": process.pid})
        before = meter.seconds()

        tell(process, f"subprocess.run([sys.executable, '-c', {BURN!r}])")

        taken = difference(before, meter.seconds())
    assert taken.keys() == {"it", OURS, REST}
    assert taken["it"] >= 0.4
    assert taken[OURS] < 0.2


def test_what_nobody_named_is_the_rest() -> None:
    with python("") as named, python("") as unnamed:
        meter = Meter({"named": named.pid})
        before = meter.seconds()

        tell(unnamed, f"exec({BURN!r})")

        taken = difference(before, meter.seconds())
    assert taken[REST] >= 0.4
    assert taken["named"] < 0.2


def test_the_peak_of_memory_is_the_kernels_and_begins_again_when_told() -> None:
    with python("") as process:
        memory = Memory(process.pid)
        idle = memory.now()

        tell(process, f"len(b'x' * {HUNDRED})")  # taken and given back before anybody could look

        assert memory.now() - idle < HUNDRED / 2
        assert memory.peak() - idle >= HUNDRED
        memory.forget()
        assert memory.peak() - idle < HUNDRED / 2
