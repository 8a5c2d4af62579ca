"""Logs: one JSON line per event with the ids that make one grep tell one job's story. Never a prompt or secret."""

import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

import structlog
from structlog.typing import Processor

QUIET = ("aiokafka", "aiobotocore", "botocore", "asyncio", "faststream", "httpx", "urllib3", "PIL")
"""Libraries whose own chatter is kept to warnings, and to one of a kind in `REPEAT_SECONDS`."""
REPEAT_SECONDS = 10.0


def configure_logging(service: str, instance: str, level: str, log_format: str) -> None:
    """Send every logger of the process, libraries included, to stdout in one format."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service, instance=instance or service)
    handler = logging.StreamHandler(sys.stdout)
    handler.addFilter(Repeats())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_ending(log_format)],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


@dataclass(slots=True)
class _Said:
    until: float
    unsaid: int = 0


class Repeats(logging.Filter):
    """Lets each place in a library speak once in `REPEAT_SECONDS`, and say then how often it was not let.

    aiokafka says the same sixty times a second, in every service, for as long as Kafka is away. What our own code says
    always passes.
    """

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        super().__init__()
        self._now = now
        self._said: dict[tuple[str, int], _Said] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is written."""
        if record.name.partition(".")[0] not in QUIET:
            return True
        place, at = (record.pathname, record.lineno), self._now()
        said = self._said.get(place)
        if said is not None and at < said.until:
            said.unsaid += 1
            return False
        self._said[place] = _Said(at + REPEAT_SECONDS)
        if said is not None and said.unsaid:
            record.msg = f"{record.msg} (and {said.unsaid} more of this kind)"
        return True


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger whose keyword arguments become fields of the line."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def _ending(log_format: str) -> list[Processor]:
    if log_format == "console":
        # Plain: its own way to show an exception prints every variable on the way, prompts and keys included.
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty(), exception_formatter=plain)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
