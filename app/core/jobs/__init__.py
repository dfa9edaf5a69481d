"""Work that must not be lost: the outbox, its worker, mails and one-time links."""
