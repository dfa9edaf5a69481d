"""What is said of customers that are not there, or not there any more."""

from app.base.errors import Conflict, NotFound


class CustomerNotFound(NotFound):
    """Its handler (``redirects``) looks whether the customer was merged into another."""


class CustomerMerged(Conflict):
    code, message = "CUSTOMER_MERGED", "The customer was merged into another."
