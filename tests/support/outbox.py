"""The rows of the outbox, read and changed without a worker."""

from datetime import timedelta
from typing import Any

from flask import Flask
from sqlalchemy import ColumnElement, select, update

from app.base.clock import utcnow
from app.core.db.models import db
from app.core.db.transaction import unit_of_work
from app.core.jobs.outbox import Job


def entries(app: Flask, *conditions: ColumnElement[bool]) -> list[Job]:
    """Oldest first."""
    statement = select(Job).where(*conditions).order_by(Job.id)
    with app.app_context(), unit_of_work(writes=False):
        return list(db.session.scalars(statement))


def change_entries(app: Flask, *conditions: ColumnElement[bool], **values: Any) -> None:
    statement = update(Job).where(*conditions).values(**values).execution_options(synchronize_session=False)
    with app.app_context(), unit_of_work():
        db.session.execute(statement)


def make_due(app: Flask, *conditions: ColumnElement[bool]) -> None:
    """As if the delay of the jobs were over."""
    change_entries(app, *conditions, due_at=utcnow() - timedelta(seconds=1))
