"""Where the mails of a service go that sends none: a folder, read after the outbox was worked off."""

from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from flask import Flask

from app.clients.mailer import SilentMailer
from app.core.jobs.worker import Worker


@dataclass
class Mailbox:
    """``app`` is the service whose worker writes here."""

    app: Flask
    folder: Path

    def received(self) -> list[EmailMessage]:
        """What came since the last look, in the order in which it was asked for."""
        Worker(self.app).drain()
        paths = sorted(self.folder.glob("*.eml"))
        found = [message_from_bytes(path.read_bytes(), policy=policy.default) for path in paths]
        for path in paths:
            path.unlink()
        return found  # type: ignore[return-value]

    def one(self) -> EmailMessage:
        [found] = self.received()
        return found


@pytest.fixture
def mailbox(app: Flask, tmp_path: Path) -> Iterator[Mailbox]:
    """Of the test's own application."""
    kernel, folder = app.extensions["identity"], tmp_path / "mail"
    before, kernel.mailer = kernel.mailer, SilentMailer(str(folder))
    yield Mailbox(app, folder)
    kernel.mailer = before


def text_of(mail: EmailMessage) -> str:
    return _part(mail, "plain")


def html_of(mail: EmailMessage) -> str:
    return _part(mail, "html")


def _part(mail: EmailMessage, kind: str) -> str:
    body = mail.get_body((kind,))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")
