"""Limits counted in Redis: together for all processes, and in memory while Redis is down or slow."""

import io
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from statistics import median

import pytest
import structlog
from flask import Flask
from redis import Redis

from app.clients import redis_storage
from tests.across.limits.conftest import Line, log_in, statuses
from tests.across.limits.test_limits import ON
from tests.support.clients import ApiClient
from tests.support.marks import flaky, one_database
from tests.support.variants import Variant

pytestmark = [flaky, one_database]

STRATEGIES = ("fixed-window", "moving-window")


@pytest.fixture
def on_redis(variant: Variant, line: Line) -> Iterator[Variant]:
    """Applications that count in Redis."""
    with ExitStack() as stack:

        def make(**environ: str) -> Flask:
            app = variant(**ON, RATELIMIT_STORAGE_URI=line.url, **environ)
            stack.callback(app.extensions["identity"].limits.redis.storage.close)
            return app

        yield make


@pytest.fixture(params=STRATEGIES)
def shared(request: pytest.FixtureRequest, on_redis: Variant) -> Callable[[], Flask]:
    """Applications as other processes would have them."""
    return lambda: on_redis(RATELIMIT_STRATEGY=request.param)


@contextmanager
def warnings() -> Iterator[list[str]]:
    """Why memory counts, as the log says it."""
    before, written, found = structlog.get_config(), io.BytesIO(), list[str]()
    structlog.configure(logger_factory=structlog.BytesLoggerFactory(written))
    yield found
    structlog.configure(**before)
    lines = map(json.loads, written.getvalue().splitlines())
    found += [line["reason"] for line in lines if line["event"] == "rate_limits_in_memory"]


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine that does a lot besides, Redis may take longer to answer than a request waits for it."""
    monkeypatch.setattr(redis_storage, "STEP_SECONDS", 5.0)


def seconds_of(app: Flask, times: int) -> list[float]:
    found = []
    for number in range(times):
        started = time.perf_counter()
        assert log_in(app, number).status_code in (401, 429)
        found.append(time.perf_counter() - started)
    return found


@pytest.mark.usefixtures("patient")
def test_every_process_counts_together(shared: Callable[[], Flask]) -> None:
    one, other = shared(), shared()
    statuses(one, 20)

    assert Counter(statuses(other, 20)) == {401: 10, 429: 10}
    answer = log_in(one)
    assert answer.status_code == 429
    assert answer.headers["RateLimit-Limit"] == "30"
    assert 1 <= int(answer.headers["Retry-After"]) <= 60


@pytest.mark.usefixtures("patient")
def test_what_is_kept_ends_by_itself(shared: Callable[[], Flask], redis: Redis) -> None:
    statuses(shared(), 2)

    assert redis.keys()
    assert all(0 < redis.ttl(key) <= 60 for key in redis.scan_iter())


def test_a_redis_that_is_not_there_fails_no_request_and_limits_hold(
    shared: Callable[[], Flask], line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    line.cut()
    app = shared()

    with warnings() as logged:
        assert Counter(statuses(app, 35)) == {401: 30, 429: 5}
        for seconds in (20, 40, 55, 61):
            now = time.monotonic() + seconds
            with monkeypatch.context() as patch:
                patch.setattr(redis_storage.time, "monotonic", lambda now=now: now)
                statuses(app, 1)

    assert logged == ["ConnectionError"] * 2


def test_a_redis_that_goes_away_fails_no_request_and_limits_hold(shared: Callable[[], Flask], line: Line) -> None:
    app = shared()
    statuses(app, 5)

    line.cut()

    assert Counter(statuses(app, 35)) == {401: 30, 429: 5}


def test_many_at_once_that_see_it_go_away_all_get_an_answer(shared: Callable[[], Flask], line: Line) -> None:
    app = shared()
    statuses(app, 1)
    line.delay, barrier = 5.0, threading.Barrier(8, timeout=30)

    def ask(number: int) -> int:
        barrier.wait()
        return int(log_in(app, number, f"198.51.100.{number}").status_code)

    with ThreadPoolExecutor(8) as pool:
        assert Counter(pool.map(ask, range(8))) == {401: 8}


@pytest.mark.usefixtures("patient")
def test_it_is_asked_again_once_it_is_back(
    shared: Callable[[], Flask], line: Line, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = shared()
    line.cut()
    statuses(app, 3)
    line.is_cut = False
    assert redis.keys() == []

    monkeypatch.setattr(redis_storage.time, "monotonic", lambda now=time.monotonic: now() + redis_storage.AWAY_SECONDS)  # type: ignore[misc]
    statuses(app, 1)

    assert redis.keys()


def test_a_slow_redis_costs_one_request_a_moment_and_the_others_nothing(
    shared: Callable[[], Flask], line: Line
) -> None:
    app = shared()
    line.delay = 2.0

    first, *others = seconds_of(app, 12)

    assert first < 0.4 + median(others)
    assert median(others) < redis_storage.STEP_SECONDS
    assert line.opened <= 2


def test_a_redis_that_says_nothing_at_all_is_not_waited_for(on_redis: Variant, line: Line) -> None:
    line.delay = 60.0
    app = on_redis()

    first, *others = seconds_of(app, 5)

    assert first < 0.4 + median(others)
    assert median(others) < redis_storage.STEP_SECONDS


@pytest.mark.usefixtures("patient")
def test_a_flushed_redis_begins_anew(shared: Callable[[], Flask], redis: Redis) -> None:
    app = shared()
    statuses(app, 31)

    redis.flushall()
    redis.script_flush()

    assert Counter(statuses(app, 35)) == {401: 30, 429: 5}


@pytest.mark.usefixtures("patient")
def test_a_redis_that_refuses_commands_fails_no_request(shared: Callable[[], Flask], redis: Redis) -> None:
    app = shared()
    redis.config_set("maxmemory", "1")
    try:
        with warnings() as logged:
            assert Counter(statuses(app, 35)) == {401: 30, 429: 5}
    finally:
        redis.config_set("maxmemory", "0")
    assert len(logged) == 1


@pytest.mark.usefixtures("patient_health")
def test_health_looks_at_redis_where_it_counts(variant: Variant, on_redis: Variant) -> None:
    app = on_redis()

    shown = ApiClient(app).get("/health").get_json()

    assert shown["checks"]["redis"]["healthy"] is True
    assert "redis" not in ApiClient(variant(**ON)).get("/health").get_json()["checks"]


def test_without_redis_the_service_is_degraded_and_answers(on_redis: Variant, line: Line) -> None:
    line.cut()
    answer = ApiClient(on_redis()).get("/health")

    assert (answer.status_code, answer.get_json()["status"]) == (200, "degraded")
    assert "127.0.0.1" not in answer.text
