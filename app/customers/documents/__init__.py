"""Documents about customers."""

TAG = "customer-documents"
