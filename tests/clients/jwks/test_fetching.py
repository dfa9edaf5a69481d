"""How often a key set is fetched, by one thread and by many."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from threading import Event
from time import perf_counter, sleep

import pytest

from app.base.errors import Unavailable
from app.clients.jwks import MAX_AGE_SECONDS, REFETCH_SECONDS, JwksClient
from tests.clients.jwks.key_server import AMPLE, ED, KeyServer, document, hanging
from tests.support.clock import Clock
from tests.support.marks import flaky
from tests.support.waiting import wait_for


def test_a_known_key_is_fetched_once(server: KeyServer) -> None:
    server.answer = document({"keys": [ED]})
    clock = Clock()
    client = JwksClient(server.url, AMPLE, clock=clock)

    for _ in range(5):
        assert client.key("k1")
        clock.advance(REFETCH_SECONDS)

    assert len(server.asked) == 1


def test_unknown_keys_are_looked_for_once_per_30_seconds(server: KeyServer) -> None:
    server.answer = document({"keys": [ED]})
    clock = Clock()
    client = JwksClient(server.url, AMPLE, clock=clock)

    assert [client.key(f"unknown-{i}") for i in range(50)] == [None] * 50
    clock.advance(29.9)
    assert client.key("unknown") is None
    assert len(server.asked) == 1
    clock.advance(0.1)
    assert [client.key(f"unknown-{i}") for i in range(50)] == [None] * 50
    assert len(server.asked) == 2


def test_a_new_key_is_found_and_a_withdrawn_one_forgotten(server: KeyServer) -> None:
    server.answer = document({"keys": [ED]})
    clock = Clock()
    client = JwksClient(server.url, AMPLE, clock=clock)
    assert client.key("k1")

    server.answer = document({"keys": [{**ED, "kid": "k2"}]})
    clock.advance(REFETCH_SECONDS)

    assert client.key("k2")
    assert client.key("k1") is None


def test_a_withdrawn_key_ends_after_ten_minutes_although_nobody_asks_for_another(server: KeyServer) -> None:
    server.answer = document({"keys": [ED]})
    clock = Clock()
    client = JwksClient(server.url, AMPLE, clock=clock)
    assert client.key("k1")

    server.answer = document({"keys": []})
    clock.advance(MAX_AGE_SECONDS - 0.1)
    assert client.key("k1")
    clock.advance(0.1)

    assert [client.key("k1") for _ in range(5)] == [None] * 5
    assert len(server.asked) == 2


def test_a_set_that_is_still_the_same_is_fetched_once_in_ten_minutes(server: KeyServer) -> None:
    server.answer = document({"keys": [ED]})
    clock = Clock()
    client = JwksClient(server.url, AMPLE, clock=clock)

    for _ in range(61):
        assert client.key("k1")
        clock.advance(REFETCH_SECONDS)

    assert len(server.asked) == 4


def test_keys_outlive_the_failure_of_their_renewal_which_is_tried_every_30_seconds(server: KeyServer) -> None:
    server.answer = document({"keys": [ED]})
    clock = Clock()
    client = JwksClient(server.url, AMPLE, clock=clock)
    client.key("k1")
    clock.advance(MAX_AGE_SECONDS)

    server.answer = document(b"", 500)
    assert all(client.key("k1") for _ in range(10))
    assert len(server.asked) == 2
    server.answer = document({"keys": []})
    clock.advance(REFETCH_SECONDS)

    assert client.key("k1") is None


def test_a_failing_fetch_keeps_the_keys_and_counts(server: KeyServer) -> None:
    server.answer = document({"keys": [ED]})
    clock = Clock()
    client = JwksClient(server.url, AMPLE, clock=clock)
    client.key("k1")
    clock.advance(REFETCH_SECONDS)

    server.answer = document(b"", 500)

    assert [client.key("unknown") for _ in range(10)] == [None] * 10
    assert client.key("k1")
    assert len(server.asked) == 2


def test_without_any_set_the_pause_is_kept_too_and_then_it_is_tried_again(server: KeyServer) -> None:
    server.answer = document(b"", 500)
    clock = Clock()
    client = JwksClient(server.url, AMPLE, clock=clock)
    for _ in range(5):
        with pytest.raises(Unavailable):
            client.key("k1")
    assert len(server.asked) == 1

    clock.advance(REFETCH_SECONDS)
    server.answer = document({"keys": [ED]})

    assert client.key("k1")


def test_an_empty_set_is_a_set(server: KeyServer) -> None:
    assert JwksClient(server.url, AMPLE).key("k1") is None


# Many threads


def test_threads_that_need_the_same_new_key_share_one_fetch(server: KeyServer) -> None:
    good = document({"keys": [ED]})

    def late(request: BaseHTTPRequestHandler) -> None:
        sleep(0.2)
        good(request)

    server.answer = late
    client = JwksClient(server.url, AMPLE)

    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(lambda _: client.key("k1"), range(12)))

    assert all(found)
    assert len(server.asked) == 1


def test_a_known_key_does_not_wait_for_a_hanging_fetch(server: KeyServer) -> None:
    server.answer = document({"keys": [ED]})
    clock = Clock()
    client = JwksClient(server.url, timeout=AMPLE, clock=clock)
    client.key("k1")
    clock.advance(REFETCH_SECONDS)
    over = Event()
    server.answer = hanging(over)

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.key, "unknown")
        wait_for(lambda: len(server.asked) == 2)
        start = perf_counter()
        assert client.key("k1")
        elapsed = perf_counter() - start
        assert not waiting.done()
        over.set()

    assert elapsed < 5
    assert waiting.result() is None


def test_a_renewal_keeps_one_thread_and_lets_the_others_go_on(server: KeyServer) -> None:
    server.answer = document({"keys": [ED]})
    clock = Clock()
    client = JwksClient(server.url, AMPLE, clock=clock)
    client.key("k1")
    clock.advance(MAX_AGE_SECONDS)
    over, good = Event(), document({"keys": []})

    def late(request: BaseHTTPRequestHandler) -> None:
        over.wait(30)
        good(request)

    server.answer = late
    with ThreadPoolExecutor(1) as pool:
        renewing = pool.submit(client.key, "k1")
        wait_for(lambda: len(server.asked) == 2)
        assert all(client.key("k1") for _ in range(5))
        assert not renewing.done()
        over.set()

    assert renewing.result() is None
    assert client.key("k1") is None
    assert len(server.asked) == 2


@flaky
def test_a_fetch_stuck_in_the_headers_is_given_up_after_the_timeout(server: KeyServer) -> None:
    """A header byte now and then outlives every timeout of a single read."""
    over = Event()

    def stuck(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not over.wait(0.05):
            request.wfile.write(b"X")

    server.answer = stuck
    client = JwksClient(server.url, timeout=0.3)
    with ThreadPoolExecutor(2) as pool:
        start = perf_counter()
        first = pool.submit(client.key, "k1")
        wait_for(lambda: server.asked)
        with pytest.raises(Unavailable):
            client.key("k1")
        elapsed = perf_counter() - start
        assert isinstance(first.exception(timeout=10), Unavailable)
        over.set()

    assert 0.3 <= elapsed < 2
