"""Errors for customers that do not exist, or no longer."""

from app.base.errors import Conflict, NotFound


class CustomerNotFound(NotFound):
    """Its handler (``merge/redirects``) looks for a merge of the customer."""


class CustomerMerged(Conflict):
    code, message = "CUSTOMER_MERGED", "The customer was merged into another."
