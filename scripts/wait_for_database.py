"""Waits until the database of DATABASE_URL answers; gives up after WAIT_FOR_DB_SECONDS (60)."""

import os
import sys
import time

from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from app.base.errors import SettingsError
from app.config.environment import load_settings

ATTEMPT_SECONDS = 3
PAUSE_SECONDS = 1


def main() -> None:
    try:
        url = make_url(load_settings().database_url)
    except SettingsError as error:
        sys.exit(str(error))
    limit = float(os.environ.get("WAIT_FOR_DB_SECONDS") or 60)
    timeout = {"connect_timeout": ATTEMPT_SECONDS} if url.get_backend_name() == "postgresql" else {}
    fault = wait_for(create_engine(url, connect_args=timeout), time.monotonic() + limit)
    if fault:
        sys.exit(f"The database {url.render_as_string()} did not answer within {limit:g} s: {fault}")


def wait_for(engine: Engine, deadline: float) -> str:
    """The last fault at the deadline (monotonic seconds), or "" after an answer."""
    while True:
        fault = find_fault(engine)
        if not fault or time.monotonic() + PAUSE_SECONDS > deadline:
            return fault
        time.sleep(PAUSE_SECONDS)


def find_fault(engine: Engine) -> str:
    """The reason of a failed connection, or "". Every failure is retried, because the role may not exist yet."""
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except OperationalError as error:
        return str(error.orig).strip()
    return ""


if __name__ == "__main__":
    main()
