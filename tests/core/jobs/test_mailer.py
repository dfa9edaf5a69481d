"""Mail that leaves by SMTP, and mail that only a developer sees."""

import socket
import time
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path
from threading import Event, Thread

import pytest
from flask import Flask

from app.clients import mailer
from app.clients.mailer import Message
from tests.fakes.smtp import Inbox, settings, smtp
from tests.support.marks import flaky, one_database
from tests.support.variants import PRODUCTION, Variant
from tests.support.waiting import wait_for

pytestmark = one_database

LETTER = Message("0198-id", "test", "ada@example.com", "Vos accès — été", "Bonjour\n\nça va\n", "<p>Bonjour</p>")


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with smtp() as found:
        yield found


@pytest.fixture
def sending(inbox: Inbox, variant: Variant) -> Flask:
    return variant(**settings(inbox))


def send(app: Flask, letter: Message = LETTER) -> None:
    with app.app_context():
        app.extensions["identity"].mailer.send(letter)


def test_a_mail_has_text_and_html_one_recipient_and_an_id_that_stays(sending: Flask, inbox: Inbox) -> None:
    send(sending)
    send(sending)

    assert [envelope.rcpt_tos for envelope in inbox.accepted] == [["ada@example.com"]] * 2
    for mail in inbox.mails:
        assert mail["Message-ID"] == "<0198-id@identity.example>"
        assert mail["Subject"] == "Vos accès — été"
        assert mail["From"] == "Identity <noreply@identity.example>"
        assert mail["To"] == "ada@example.com"
        assert mail["Auto-Submitted"] == "auto-generated"
        parts = {part.get_content_type(): part.get_content() for part in mail.walk() if not part.is_multipart()}
        assert parts["text/plain"].replace("\r\n", "\n").strip() == "Bonjour\n\nça va"
        assert "<p>Bonjour</p>" in parts["text/html"]


def test_one_connection_carries_what_follows_and_closes_when_told_to(sending: Flask, inbox: Inbox) -> None:
    found = sending.extensions["identity"].mailer

    for _ in range(3):
        send(sending)
    assert found._connection is not None

    found.close()
    send(sending)
    assert len(inbox.accepted) == 4


def test_a_connection_that_sent_its_number_of_mails_is_left(inbox: Inbox, variant: Variant) -> None:
    app = variant(**settings(inbox), MAIL_MAX_EMAILS="2")

    send(app)
    assert app.extensions["identity"].mailer._connection is not None
    send(app)
    assert app.extensions["identity"].mailer._connection is None
    send(app)
    assert len(inbox.accepted) == 3


@pytest.mark.parametrize("fault", ["421", "550"])
def test_a_refusal_is_an_error_and_the_next_attempt_starts_afresh(sending: Flask, inbox: Inbox, fault: str) -> None:
    inbox.fault = fault
    with pytest.raises(OSError, match=fault):
        send(sending)

    inbox.fault = ""
    send(sending)
    assert len(inbox.accepted) == 1


def test_a_line_that_is_cut_before_the_answer_counts_as_not_sent(sending: Flask, inbox: Inbox) -> None:
    inbox.fault = "drop"
    with pytest.raises(OSError, match="closed"):
        send(sending)

    inbox.fault = ""
    send(sending)
    assert [mail["Message-ID"] for mail in inbox.mails] == ["<0198-id@identity.example>"] * 2


@flaky
def test_a_server_that_does_not_answer_is_given_up_in_bounded_time(
    sending: Flask, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailer, "STEP_SECONDS", 0.3)
    inbox.fault = "hang"
    started = time.monotonic()

    with pytest.raises(OSError, match="timed out"):
        send(sending)

    assert 0.3 <= time.monotonic() - started < 3


@flaky
def test_a_server_that_is_never_quite_silent_is_given_up_at_the_deadline(
    sending: Flask, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailer, "DEADLINE_SECONDS", 0.4)
    inbox.fault = "hang"
    started = time.monotonic()

    with pytest.raises(OSError, match=r"closed|shut down|timed out"):
        send(sending)

    assert 0.4 <= time.monotonic() - started < 3


def test_a_server_that_greets_after_the_deadline_gets_no_mail(
    variant: Variant, monkeypatch: pytest.MonkeyPatch
) -> None:
    abort, is_aborted = mailer.SmtpMailer._abort, Event()

    def abort_and_tell(sender: mailer.SmtpMailer) -> None:
        abort(sender)
        is_aborted.set()

    monkeypatch.setattr(mailer, "DEADLINE_SECONDS", 0.1)
    monkeypatch.setattr(mailer.SmtpMailer, "_abort", abort_and_tell)
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet_late() -> None:
            line, _ = listener.accept()
            with line:
                is_aborted.wait(30)
                line.sendall(b"220 late\r\n")
                while said := line.recv(1000):
                    heard.append(said)
                    line.sendall(b"250 yes\r\n")

        Thread(target=greet_late, daemon=True).start()
        app = variant(**settings(Inbox(port=listener.getsockname()[1])))
        with pytest.raises(OSError, match="too slow"):
            send(app)

    assert heard == [b"quit\r\n"]


def test_a_server_that_is_away_is_an_error(variant: Variant) -> None:
    with smtp() as gone:
        away = settings(gone)
    with pytest.raises(OSError, match="refused"):
        send(variant(**away))


def test_a_line_break_in_a_header_is_refused(sending: Flask, inbox: Inbox) -> None:
    with pytest.raises(ValueError, match="linefeed"):
        send(sending, Message("1", "test", "ada@example.com\r\nBcc: eve@example.com", "Hello", "x", "x"))

    assert inbox.accepted == []


@pytest.mark.parametrize(
    ("to", "reached"),
    [
        ("zoë@example.com", "zoë@example.com"),
        ("ada@exämple.com", "ada@xn--exmple-cua.com"),
        ("ada@straße.example", "ada@xn--strae-oqa.example"),
    ],
)
def test_an_address_beyond_ascii_is_reached(sending: Flask, inbox: Inbox, to: str, reached: str) -> None:
    send(sending, Message("1", "test", to, "Hello", "x", "x"))

    assert inbox.accepted[0].rcpt_tos == [reached]


def test_without_the_service_a_developer_finds_the_mail_in_a_file(variant: Variant, tmp_path: Path) -> None:
    app = variant(MAIL_FOLDER=str(tmp_path))

    send(app)

    [path] = tmp_path.iterdir()
    assert path.name == "0198-id.eml"
    assert path.stat().st_mode & 0o077 == 0
    assert message_from_bytes(path.read_bytes(), policy=policy.default)["To"] == "ada@example.com"


def test_production_without_the_service_says_so_and_writes_no_file(
    variant: Variant, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app = variant(**PRODUCTION, MAIL_FOLDER=str(tmp_path))

    send(app)

    written = "".join(capsys.readouterr())
    assert "no_mail_is_sent" in written
    assert "ada@example.com" not in written
    assert list(tmp_path.iterdir()) == []


def mail_check(app: Flask) -> dict[str, object]:
    """As /health shows it once the look in the background is back."""
    client = app.test_client()

    def found() -> dict[str, object]:
        return dict(client.get("/health").get_json()["checks"]["mail"])

    wait_for(lambda: found()["message"] != "not answered yet")
    return found()


def test_health_tells_whether_the_mail_server_answers(sending: Flask, variant: Variant) -> None:
    with smtp() as gone:
        away = settings(gone)

    assert mail_check(sending)["healthy"] is True
    down = mail_check(variant(**away))
    assert (down["healthy"], down["message"]) == (False, "failed (ConnectionRefusedError)")
    assert "mail" not in variant().test_client().get("/health").get_json()["checks"]
