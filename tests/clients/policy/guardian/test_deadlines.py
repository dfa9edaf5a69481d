"""The timeout of a question is a total, and a reply has a largest size."""

import socket
import time

import pytest

from app.base.errors import Forbidden, GatewayTimeout
from app.clients.policy.parsing import MAX_BODY_BYTES
from app.clients.policy.transport import RemoteTransport
from tests.clients.policy.guardian.asking import (
    AMPLE,
    CHUNKED,
    SLACK,
    TEN_MEGABYTES,
    TIMEOUT,
    UNUSABLE,
    client_of,
    refusal,
    timed_out_after,
)
from tests.fakes.guardian import GRANT, Behaviour, FakeGuardian, answers, denies, dribbles, hangs
from tests.support.marks import flaky
from tests.support.waiting import wait_for

pytestmark = flaky
HEAD_BYTES = GRANT.index(b"\r\n\r\n") + 4


@pytest.mark.parametrize(
    "behaviour",
    [
        hangs,
        dribbles(GRANT, 0.05),
        dribbles(GRANT, 0.05, at_once=HEAD_BYTES),
        dribbles(CHUNKED + b"1\r\n \r\n" * 100, 0.05, at_once=len(CHUNKED)),
        dribbles(b"HTTP/1.1 100 Continue\r\n\r\n" * 100, 0.01),
    ],
    ids=["hang", "headers", "body", "chunks", "endless_100"],
)
def test_the_timeout_is_a_total_that_no_dribble_stretches(engine: FakeGuardian, behaviour: Behaviour) -> None:
    engine.behaviour = behaviour

    assert TIMEOUT <= timed_out_after(client_of(engine.url, timeout=TIMEOUT)) < TIMEOUT + SLACK
    assert len(engine.seen) == 1


@pytest.mark.parametrize("at_once", [0, HEAD_BYTES], ids=["headers", "body"])
def test_one_byte_per_500_ms_is_504(engine: FakeGuardian, at_once: int) -> None:
    engine.behaviour = dribbles(GRANT, 0.5, at_once=at_once)

    assert 0.7 <= timed_out_after(client_of(engine.url, timeout=0.7)) < 0.7 + SLACK


def test_connecting_counts() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        url = f"http://127.0.0.1:{full.getsockname()[1]}"

        with socket.create_connection(full.getsockname()):
            assert timed_out_after(client_of(url, timeout=TIMEOUT)) < TIMEOUT + SLACK


def test_a_shaken_hand_counts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"

        assert timed_out_after(client_of(url, timeout=TIMEOUT)) < TIMEOUT + SLACK


def test_sending_counts() -> None:
    body = b"x" * 12_000_000
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        transport = RemoteTransport(f"http://127.0.0.1:{deaf.getsockname()[1]}", TIMEOUT, 1)
        started = time.monotonic()

        with pytest.raises(GatewayTimeout):
            transport.send("POST", "/check-access", body, {})

        assert time.monotonic() - started < TIMEOUT + SLACK


def test_an_answer_that_was_too_late_is_not_read_by_the_next_question(engine: FakeGuardian) -> None:
    client = client_of(engine.url, timeout=TIMEOUT)
    engine.behaviour = dribbles(GRANT, 0.5, at_once=len(GRANT) - 1)
    assert isinstance(refusal(client), GatewayTimeout)
    engine.behaviour = denies

    assert isinstance(refusal(client), Forbidden)
    assert engine.connections == 2


@pytest.mark.parametrize("name", ["100_kb", "one_byte_too_many", "one_byte_too_many_chunked", "10_mb_without_length"])
def test_a_reply_is_cut_off_after_64_kb_and_keeps_its_status(engine: FakeGuardian, name: str) -> None:
    engine.behaviour = UNUSABLE[name]

    reply = RemoteTransport(engine.url, AMPLE, 1).send("POST", "/check-access", b"", {})

    assert (reply.status, reply.is_cut) == (200, True)
    assert len(reply.body) <= MAX_BODY_BYTES


def test_reading_stops_soon_after_64_kb(engine: FakeGuardian) -> None:
    engine.behaviour = answers(200, TEN_MEGABYTES)

    refusal(client_of(engine.url))

    wait_for(lambda: engine.cut_off == 1)
