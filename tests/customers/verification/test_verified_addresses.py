"""A changed address is not verified: whose it is, and which links die."""

import pytest
from sqlalchemy import Engine

from tests.customers.dossier import customer, shown
from tests.customers.merge.merging import merged, undo, undone
from tests.customers.verification.links import ADDRESS, check_refused, follow, linked, send, token_in
from tests.support.clients import Tenant
from tests.support.everything import everything, row_counts
from tests.support.letters import Letters, letters
from tests.support.marks import one_database

__all__ = ["everything", "letters"]


@one_database
def test_a_changed_address_is_not_verified_and_its_link_is_dead(acme: Tenant, letters: Letters) -> None:
    path = customer(acme, email=ADDRESS)
    token = linked(acme, path, letters)
    follow(acme.app, token)

    acme.admin.patch(path, {"email": "new@example.com"})

    found = shown(acme, path)
    assert (found["is_verified"], found["email_verified_at"]) == (False, None)
    check_refused(follow(acme.app, token))


@one_database
def test_a_link_for_the_former_address_does_not_verify_the_new_one(acme: Tenant, letters: Letters) -> None:
    path = customer(acme, email=ADDRESS)
    token = linked(acme, path, letters)
    acme.admin.patch(path, {"email": "new@example.com"})

    check_refused(follow(acme.app, token))
    assert shown(acme, path)["is_verified"] is False


@one_database
def test_another_change_leaves_the_verification_alone(acme: Tenant, letters: Letters) -> None:
    path = customer(acme, email=ADDRESS)
    follow(acme.app, linked(acme, path, letters))

    acme.admin.patch(path, {"city": "x", "email": ADDRESS})

    assert shown(acme, path)["is_verified"] is True


@one_database
def test_a_linked_customer_is_mailed_at_the_users_address(acme: Tenant, letters: Letters) -> None:
    user = acme.user(first_name="Ada", language="fr")
    path = customer(acme, user_id=user.user_id, email="own@example.com")

    send(acme, path)

    letter = letters.one(user.email)
    assert "Bonjour Ada" in letter.text
    assert follow(acme.app, token_in(letter)).status_code == 200


def test_a_linked_customer_is_unverified_when_the_users_address_changes(acme: Tenant, letters: Letters) -> None:
    user = acme.user()
    path = customer(acme, user_id=user.user_id)
    token = linked(acme, path, letters, user.email)
    follow(acme.app, token)

    assert acme.admin.patch(f"/users/{user.user_id}", {"email": "new@example.com"}).status_code == 200

    assert shown(acme, path)["is_verified"] is False
    check_refused(follow(acme.app, token))


def test_a_linked_customer_is_unverified_when_the_user_is_deleted(acme: Tenant, letters: Letters) -> None:
    user = acme.user()
    path = customer(acme, user_id=user.user_id, email="own@example.com")
    follow(acme.app, linked(acme, path, letters, user.email))
    assert shown(acme, path)["is_verified"] is True

    assert acme.admin.delete(f"/users/{user.user_id}").status_code == 204

    assert shown(acme, path)["is_verified"] is False


def test_a_linked_customer_is_unverified_when_the_users_invitation_is_revoked(acme: Tenant, letters: Letters) -> None:
    invitation = acme.admin.create("/users/invitations", {"email": "noor@example.com"})
    letters.one("noor@example.com")
    path = customer(acme, user_id=invitation["user_id"], email="own@example.com")
    follow(acme.app, linked(acme, path, letters, "noor@example.com"))
    assert shown(acme, path)["is_verified"] is True

    assert acme.admin.delete(f"/users/invitations/{invitation['id']}").status_code == 204

    found = shown(acme, path)
    assert (found["user_id"], found["is_verified"], found["email_verified_at"]) == (None, False, None)


def test_a_merge_verifies_no_address_that_nobody_proved(acme: Tenant, letters: Letters) -> None:
    user = acme.user()
    source, target = customer(acme, user_id=user.user_id, email=ADDRESS), customer(acme)
    follow(acme.app, linked(acme, source, letters, user.email))

    merged(acme, target, source, user_id="target")

    found = shown(acme, target)
    assert (found["user_id"], found["email"], found["is_verified"]) == (None, ADDRESS, False)


@pytest.mark.parametrize("deleted", [True, False])
def test_an_undo_overwrites_no_unlinking_but_that_of_a_deleted_user(
    acme: Tenant, letters: Letters, deleted: bool
) -> None:
    user = acme.user()
    target, source = customer(acme), customer(acme, user_id=user.user_id)
    merged(acme, target, source)

    if deleted:
        assert acme.admin.delete(f"/users/{user.user_id}").status_code == 204
    else:
        assert acme.admin.patch(target, {"user_id": None}).status_code == 200
    answer = undo(acme, target, source)

    assert answer.status_code == (200 if deleted else 409), answer.text


def test_an_undo_verifies_no_address_that_came_since(acme: Tenant, letters: Letters) -> None:
    user = acme.user()
    target, source = customer(acme, email=ADDRESS), customer(acme, user_id=user.user_id)
    follow(acme.app, linked(acme, target, letters))
    merged(acme, target, source)
    assert acme.admin.patch(target, {"email": "later@example.com"}).status_code == 200

    undone(acme, target, source)

    found = shown(acme, target)
    assert (found["user_id"], found["email"], found["is_verified"]) == (None, "later@example.com", False)


@one_database
def test_a_link_sent_before_the_users_address_changed_is_dead(acme: Tenant, letters: Letters) -> None:
    user = acme.user()
    path = customer(acme, user_id=user.user_id)
    token = linked(acme, path, letters, user.email)

    acme.admin.patch(f"/users/{user.user_id}", {"email": "new@example.com"})

    check_refused(follow(acme.app, token))


@one_database
def test_a_link_to_a_user_who_is_gone_is_dead(acme: Tenant, letters: Letters) -> None:
    user = acme.user()
    path = customer(acme, user_id=user.user_id, email=ADDRESS)
    token = linked(acme, path, letters, user.email)

    assert acme.admin.delete(f"/users/{user.user_id}").status_code == 204

    check_refused(follow(acme.app, token))
    assert shown(acme, path)["is_verified"] is False


@pytest.mark.parametrize("before", [True, False])
def test_linking_and_unlinking_a_user_unverifies(acme: Tenant, letters: Letters, before: bool) -> None:
    user = acme.user()
    link, unlink = {"user_id": user.user_id}, {"user_id": None}
    path = customer(acme, email=ADDRESS, **(link if before else {}))
    follow(acme.app, linked(acme, path, letters, user.email if before else ADDRESS))
    assert shown(acme, path)["is_verified"] is True

    acme.admin.patch(path, unlink if before else link)

    assert shown(acme, path)["is_verified"] is False


def test_a_deleted_customer_leaves_no_link(acme: Tenant, letters: Letters, everything: Engine) -> None:
    path = customer(acme, email=ADDRESS)
    token = linked(acme, path, letters)

    acme.admin.delete(path)

    assert row_counts(everything)["one_time_link"] == 0
    check_refused(follow(acme.app, token))


@pytest.mark.parametrize("survives", [True, False])
def test_a_merge_kills_the_links_of_both(acme: Tenant, letters: Letters, survives: bool) -> None:
    path, other = customer(acme, email=ADDRESS), customer(acme)
    token = linked(acme, path, letters)

    merged(acme, *((path, other) if survives else (other, path)))

    check_refused(follow(acme.app, token))


@one_database
def test_a_mail_that_is_late_is_not_sent(acme: Tenant, letters: Letters) -> None:
    path = customer(acme, email=ADDRESS)
    send(acme, path)
    acme.admin.patch(path, {"email": "new@example.com"})

    assert letters.received() == []
