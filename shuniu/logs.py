"""Logs: one JSON line an event, to standard error; values are fields, never sentences."""

from __future__ import annotations

import logging
import sys

import structlog

__all__ = ["set_up_logs"]

QUIET = ("httpx", "uvicorn", "zeep", "alembic")


def set_up_logs(level: str) -> None:
    number = logging.getLevelNamesMapping().get(level, logging.WARNING)
    logging.basicConfig(stream=sys.stderr, level=logging.ERROR, format="%(name)s %(message)s")
    for name in QUIET:
        # Libraries quote bodies and addresses in their messages; ours say what matters.
        logging.getLogger(name).setLevel(logging.CRITICAL)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            # Places only: messages and locals of foreign exceptions may quote a citizen.
            _places,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def _places(
    logger: structlog.typing.WrappedLogger, name: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """An exception as its type and the places it came through."""
    del logger, name
    told = event.pop("exc_info", None)
    error = sys.exc_info()[1] if told is True else told
    if isinstance(error, BaseException):
        event["exception"] = type(error).__name__
        places = []
        trace = error.__traceback__
        while trace is not None:
            code = trace.tb_frame.f_code
            places.append(
                f"{trace.tb_frame.f_globals.get('__name__')}.{code.co_name}:{trace.tb_lineno}"
            )
            trace = trace.tb_next
        event["places"] = places[-8:]
    return event
