"""Connections to a Guardian: which are kept, and which are not used again."""

import os
import resource
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest

from app.base.errors import ApiError, Forbidden, Unavailable
from app.clients.http import connection
from app.clients.policy.guardian import GuardianClient
from app.clients.policy.transport import RemoteTransport
from tests.clients.policy.guardian.asking import (
    AMPLE,
    DENYING,
    GRANTED,
    UNUSABLE,
    check,
    client_of,
    denies_in_pieces_and_grants,
    refusal,
)
from tests.fakes.guardian import (
    GRANT,
    Behaviour,
    Exchange,
    FakeGuardian,
    answers,
    closes,
    denies,
    grants,
    resets,
)


def test_a_connection_is_kept_through_grants_and_denials(engine: FakeGuardian) -> None:
    client = client_of(engine.url)

    for behaviour in (grants, DENYING["403"], grants, denies, answers(500, {}), grants):
        engine.behaviour = behaviour
        _quietly(client)

    assert len(engine.seen) == 6
    assert engine.connections == 1


def _quietly(client: GuardianClient) -> None:
    try:
        check(client)
    except ApiError:
        return


UNCLEAN = (
    "one_byte_too_many",
    "100_kb",
    "10_mb",
    "10_mb_chunked",
    "gzip_grant",
    "shorter_than_declared",
    "chunk_of_negative_size",
    "second_answer_unasked",
    "101",
)


@pytest.mark.parametrize("name", UNCLEAN)
def test_a_connection_that_was_not_read_to_a_clean_end_is_not_used_again(engine: FakeGuardian, name: str) -> None:
    client = client_of(engine.url)
    engine.behaviour = UNUSABLE[name]
    refusal(client)
    engine.behaviour = denies

    assert isinstance(refusal(client), Forbidden)
    assert engine.connections == 2


def test_an_unasked_grant_on_an_idle_connection_is_not_read(engine: FakeGuardian) -> None:
    client, is_idle, is_granted = client_of(engine.url), Event(), Event()

    def denies_and_grants_later(exchange: Exchange) -> bool:
        denies(exchange)
        is_idle.wait(AMPLE)
        exchange.socket.sendall(GRANT)
        is_granted.set()
        return True

    engine.behaviour = denies_and_grants_later
    refusal(client)
    is_idle.set()
    assert is_granted.wait(AMPLE)
    engine.behaviour = denies

    assert isinstance(refusal(client), Forbidden)
    assert engine.connections == 2


def test_an_unasked_grant_behind_a_reply_in_pieces_is_not_read(engine: FakeGuardian) -> None:
    client = client_of(engine.url)
    engine.behaviour = denies_in_pieces_and_grants
    refusal(client)
    engine.behaviour = denies

    assert isinstance(refusal(client), Forbidden)
    assert engine.connections == 2


def test_a_connection_that_the_engine_means_to_close_is_not_kept(engine: FakeGuardian) -> None:
    engine.behaviour = answers(200, GRANTED, headers=["Connection: close"])
    client = client_of(engine.url)

    check(client)
    check(client)

    assert engine.connections == 2


def test_connections_that_the_engine_closed_while_idle_are_replaced_unnoticed(engine: FakeGuardian) -> None:
    engine.behaviour = grants
    client = client_of(engine.url)
    check(client)
    engine.hang_up()
    time.sleep(0.05)

    check(client)

    assert len(engine.seen) == 2
    assert engine.connections == 2


def test_a_connection_that_was_idle_for_too_long_is_replaced(
    engine: FakeGuardian, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.behaviour = grants
    client = client_of(engine.url)
    check(client)
    monkeypatch.setattr(connection, "MAX_IDLE_SECONDS", 0.0)

    check(client)

    assert engine.connections == 2


def test_the_connection_used_last_is_used_next(engine: FakeGuardian) -> None:
    both = Barrier(2)

    def grants_both(exchange: Exchange) -> bool:
        both.wait(AMPLE)
        return grants(exchange)

    engine.behaviour = grants_both
    client = client_of(engine.url)
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda _: check(client), range(2)))
    engine.behaviour = grants

    for _ in range(5):
        check(client)

    assert engine.connections == 2
    assert len({seen.connection for seen in engine.seen[2:]}) == 1


LARGE = b"x" * 20_000_000


def test_a_request_that_was_cut_off_while_it_was_sent_is_sent_once_more(engine: FakeGuardian) -> None:
    engine.behaviour = grants
    engine.resets_next_body = 1

    reply = RemoteTransport(engine.url, AMPLE, 1).send("POST", "/check-access", LARGE, {})

    assert reply.status == 200
    assert engine.connections == 2
    assert len(engine.seen) == 1


def test_a_request_that_was_cut_off_on_a_kept_connection_is_sent_once_more(engine: FakeGuardian) -> None:
    engine.behaviour = grants
    transport = RemoteTransport(engine.url, AMPLE, 1)
    transport.send("GET", "/", b"", {})
    engine.resets_next_body = 1

    assert transport.send("POST", "/check-access", LARGE, {}).status == 200
    assert len(engine.seen) == 2


@pytest.mark.parametrize("lost", [closes, resets], ids=["closed", "reset"])
def test_a_question_that_went_out_is_not_asked_again(engine: FakeGuardian, lost: Behaviour) -> None:
    engine.behaviour = grants
    client = client_of(engine.url)
    check(client)
    engine.behaviour = lost

    assert isinstance(refusal(client), Unavailable)
    assert len(engine.seen) == 2


def test_it_is_not_sent_a_third_time(engine: FakeGuardian) -> None:
    engine.resets_next_body = 9

    with pytest.raises(Unavailable):
        RemoteTransport(engine.url, AMPLE, 1).send("POST", "/check-access", LARGE, {})

    assert engine.connections == 2


def _grants_late(exchange: Exchange) -> bool:
    time.sleep(0.05)
    return grants(exchange)


def test_descriptors_above_1023_are_waited_for(engine: FakeGuardian) -> None:
    """A server of many connections has such, and select() knows none of them."""
    engine.behaviour = _grants_late
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 2048)), hard))
    taken = [os.dup(0) for _ in range(1100)]
    try:
        check(client_of(engine.url))
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_close_gives_up_the_idle_connections(engine: FakeGuardian) -> None:
    engine.behaviour = grants
    transport = RemoteTransport(engine.url, AMPLE, 1)
    client = GuardianClient(transport)
    check(client)

    transport.close()
    check(client)

    assert engine.connections == 2
