"""Guesses by the dozen at the same moment: a code and a password stand as many as the limit says."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from app.core.jobs.worker import Worker
from tests.accounts.auth.browser import Browser
from tests.accounts.passwords.codes import CONFIRM, NEW, REQUEST, another, ask, confirm, given_code, live, rows
from tests.across.races.fleet import SIZE, THREADS, Fleet, Wish
from tests.support.clients import PASSWORD, ApiClient, Tenant
from tests.support.variants import Variant, variant

__all__ = ["variant"]

GUESSING, CONFIRMING = 15, 9
"""Three times the rounds that it took at most to notice that nothing kept the requests apart."""


def guess(person: ApiClient, code: str) -> Wish:
    return Wish("POST", CONFIRM, {"email": person.email, "otp_code": code, "new_password": NEW})


def test_a_code_is_not_accepted_after_its_third_guess(acme: Tenant, crowd: Fleet) -> None:
    for _ in range(GUESSING):
        person = acme.user()
        code = given_code(person)
        # As many at once as there are threads.
        wrong = [f"{(int(code) + number) % 10**6:06}" for number in range(1, SIZE * THREADS)]

        answers = crowd.rush([guess(person, each) for each in (*wrong, code)])

        [row] = rows(person)
        assert row.attempts == 3
        assert Counter(answer.status for answer in answers) == ({400: 16} if row.used_at is None else {200: 1, 400: 15})
    assert confirm(acme.app, person.email, code).status_code == 400


def test_three_wrong_guesses_first_shut_out_fifty_right_ones(acme: Tenant, crowd: Fleet) -> None:
    person = acme.user()
    code = given_code(person)
    for _ in range(3):
        confirm(acme.app, person.email, another(code))

    answers = crowd.rush([guess(person, code)] * 50)

    assert {answer.status for answer in answers} == {400}
    assert Browser(acme.app).log_in(person.email).status_code == 200


def test_of_sixteen_right_confirmations_one_is_accepted(acme: Tenant, crowd: Fleet) -> None:
    for _ in range(CONFIRMING):
        person = acme.user()

        answers = crowd.rush([guess(person, given_code(person))] * 16)

        assert Counter(answer.status for answer in answers) == {200: 1, 400: 15}
        [row] = rows(person)
        assert row.used_at is not None
        assert Browser(acme.app).log_in(person.email, NEW).status_code == 200


def test_workers_at_once_leave_two_live_codes_at_most(acme: Tenant, variant: Variant) -> None:
    workers = [Worker(variant()) for _ in range(4)]
    for _ in range(5):
        person = acme.user()
        for _ in range(4):
            ask(acme.app, person.email)

        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(lambda worker: worker.drain(), workers)) == 4

        assert 1 <= len(live(person)) <= 2


def test_a_change_of_the_password_and_a_confirmation_at_once_leave_no_code(acme: Tenant, crowd: Fleet) -> None:
    for _ in range(5):
        person = acme.user()
        code = given_code(person)
        change = {"current_password": PASSWORD, "new_password": "entirely different"}
        changing = Wish("PATCH", "/users/me/change-password", change, {"Authorization": f"Bearer {person.token}"})

        answers = crowd.rush([changing, guess(person, code), Wish("POST", REQUEST, {"email": person.email})] * 2)

        assert {answer.status for answer in answers} <= {200, 400, 401, 409}
        assert live(person) == []
        assert Browser(acme.app).log_in(person.email).status_code == 401


def test_a_hundred_wrong_logins_at_once_get_no_more_checks_than_the_limit(acme: Tenant, crowd: Fleet) -> None:
    person, started = acme.user(), time.monotonic()
    wrong = Wish("POST", "/auth/login", {"email": person.email, "password": "wrong password"})

    answers = crowd.rush([wrong] * 100)

    seconds, counted = time.monotonic() - started, Counter(answer.status for answer in answers)
    # Five are free; then one after each delay of 1, 2, 4 … seconds.
    due = sum(seconds >= 2**n - 1 for n in range(1, 7))
    assert set(counted) == {401, 429}
    assert 5 <= counted[401] <= 5 + due
