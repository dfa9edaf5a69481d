"""Mail leaves the process here: by SMTP, or into a folder where a developer reads it."""

import smtplib
import ssl
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTPUTF8
from email.utils import localtime
from functools import partial
from pathlib import Path
from threading import Event, Timer
from typing import Any, Protocol

import flask_mail
import structlog
from flask import Flask

from app.config.settings import ROOT, Settings

log = structlog.get_logger(__name__)

STEP_SECONDS = 10.0
"""Time limit of one answer of the server."""
DEADLINE_SECONDS = 45.0
"""Time limit of a whole mail, below the lease of its job."""


@dataclass(frozen=True)
class Message:
    """One recipient. ``id`` becomes the Message-ID."""

    id: str
    name: str
    to: str
    subject: str
    text: str
    html: str


class Mailer(Protocol):
    def send(self, message: Message) -> None:
        """Raises OSError (smtplib's exceptions are such) unless the message is accepted."""

    def close(self) -> None:
        """Close the connection, if one is open; the next mail opens another."""


class _Connection(flask_mail.Connection):
    """With a bound on every answer, which Flask-Mail leaves to the operating system."""

    def configure_host(self) -> smtplib.SMTP:
        mail: Any = self.mail
        trusted = ssl.create_default_context()  # smtplib by itself would accept any certificate
        connect = partial(smtplib.SMTP_SSL, context=trusted) if mail.use_ssl else smtplib.SMTP
        host = connect(mail.server, mail.port, timeout=STEP_SECONDS)
        if mail.use_tls:
            host.starttls(context=trusted)
        if mail.username and mail.password:
            host.login(mail.username, mail.password)
        return host

    def deliver(self, message: EmailMessage) -> None:
        """Flask-Mail's own ``send`` cannot write to an address beyond ASCII."""
        if self.host is None:
            raise OSError("The connection is not open.")
        self.host.send_message(message)
        self.num_emails += 1


class SmtpMailer:
    """Keeps a connection while there is more to send; used by one thread at a time."""

    def __init__(self, app: Flask, settings: Settings) -> None:
        for name in ("server", "port", "use_tls", "use_ssl"):
            app.config[f"MAIL_{name.upper()}"] = getattr(settings, f"mail_{name}")
        app.config["MAIL_USERNAME"] = settings.mail_username or None
        app.config["MAIL_PASSWORD"] = settings.mail_password or None
        app.config["MAIL_SUPPRESS_SEND"] = False
        self._most = settings.mail_max_emails
        self._sender = settings.mail_default_sender
        self._mail = flask_mail.Mail(app)
        self._connection: _Connection | None = None
        self._overdue = Event()

    def send(self, message: Message) -> None:
        self._overdue.clear()
        timer = Timer(DEADLINE_SECONDS, self._abort)
        timer.daemon = True
        timer.start()
        try:
            connection = self._open()
            if self._overdue.is_set():
                # Another worker may have claimed the job since.
                raise TimeoutError("The server was too slow to greet.")
            connection.deliver(_email(message, self._sender))
        except BaseException:
            self.close()
            raise
        finally:
            timer.cancel()
        if self._connection is not None and self._connection.num_emails >= self._most:
            self.close()
        log.info("mail_sent", mail=message.name, job_id=message.id)

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and connection.host is not None:
            with suppress(OSError):
                connection.host.quit()

    def check(self) -> None:
        """On a connection of its own. Raises OSError unless the server greets and, where it must, lets us in."""
        with _Connection(self._mail):
            log.debug("mail_server_greets")

    def _open(self) -> _Connection:
        if self._connection is None:
            self._connection = _Connection(self._mail).__enter__()
        return self._connection

    def _abort(self) -> None:
        """A server that sends a byte now and then outlasts every timeout of a single answer."""
        self._overdue.set()
        host = self._connection and self._connection.host
        if host and host.sock:
            with suppress(OSError):
                host.sock.shutdown(2)


def _email(message: Message, sender: str, encoding: str | None = None) -> EmailMessage:
    """``encoding`` is the Content-Transfer-Encoding. Raises ValueError for a line break in a header."""
    email = EmailMessage()
    email["Subject"], email["From"], email["To"] = message.subject, sender, _routable(message.to)
    email["Date"] = localtime()
    email["Message-ID"] = f"<{message.id}@{sender.rpartition('@')[2].strip('> ')}>"
    # RFC 3834 section 5: no absence notices in answer.
    email["Auto-Submitted"] = "auto-generated"
    email.set_content(message.text, cte=encoding)
    email.add_alternative(message.html, subtype="html", cte=encoding)
    return email


def _routable(address: str) -> str:
    """The domain as DNS has it (RFC 5890), not as Python's RFC 3490 codec: that makes ``strasse`` of ``straße``."""
    local, _, domain = address.rpartition("@")
    # RFC 5891 section 4.4; addresses are lower case and NFC already.
    labels = (text if text.isascii() else f"xn--{text.encode('punycode').decode()}" for text in domain.split("."))
    return f"{local}@{'.'.join(labels)}"


class SilentMailer:
    """Sends nothing: one line in the log, and a file that a developer reads where there is a ``folder``."""

    def __init__(self, folder: str = "") -> None:
        self._folder = ROOT / folder if folder else None

    def send(self, message: Message) -> None:
        if self._folder is not None:
            self._write(self._folder, message)
        log.info("mail_not_sent", mail=message.name, job_id=message.id, reason="USE_EMAIL_SERVICE=false")

    def close(self) -> None:
        """Nothing is open."""

    def _write(self, folder: Path, message: Message) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{message.id}.eml"
        path.touch(0o600)
        # Unencoded, so that a link can be copied out of it.
        path.write_bytes(_email(message, "identity@localhost", "8bit").as_bytes(policy=SMTPUTF8))
