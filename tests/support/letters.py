"""Mailed links: what came for whom, and the token in it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import pytest
from flask import Flask

from app.clients.mailer import SilentMailer
from tests.support.mailbox import Mailbox, html_of, text_of

LINK = re.compile(r"^https?://\S+#token=(\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Letter:
    to: str
    subject: str
    text: str
    html: str

    @property
    def token(self) -> str:
        return self._found(1)

    @property
    def link(self) -> str:
        return self._found(0).partition("#")[0]

    def _found(self, group: int) -> str:
        found = LINK.search(self.text)
        assert found, self.text
        return found[group]


@dataclass
class Letters:
    """``received()`` lets the worker finish what is due, and returns what it mailed since the last time."""

    mailbox: Mailbox

    def received(self) -> list[Letter]:
        return [_read(mail) for mail in self.mailbox.received()]

    def to(self, address: str) -> Letter:
        """The only one for this address; those for others are lost."""
        [found] = [letter for letter in self.received() if letter.to == address]
        return found

    def one(self, to: str) -> Letter:
        """The only one; fails the test unless it is for this address."""
        [found] = self.received()
        assert found.to == to
        return found


def _read(mail: EmailMessage) -> Letter:
    return Letter(mail["To"], mail["Subject"], text_of(mail).replace("\r", ""), html_of(mail))


@pytest.fixture
def letters(app: Flask, tmp_path: Path) -> Iterator[Letters]:
    """Of the test's own application, with whatever settings it has at the time."""
    kernel, folder = app.extensions["identity"], tmp_path / "letters"
    before, kernel.mailer = kernel.mailer, SilentMailer(str(folder))
    yield Letters(Mailbox(app, folder))
    kernel.mailer = before
