"""Events of users, for later slices. Subscribers run with the user's row locked."""

from uuid import UUID

from app.core.events import Event

on_user_activated = Event[[UUID]]()
on_user_deactivated = Event[[UUID]]()
on_user_deleting = Event[[UUID]]()
on_email_changed = Event[[UUID, str]]()
"""With the former address."""
on_email_assigned = Event[[UUID, str]]()
"""After ``on_email_changed``, where somebody else changed it."""
