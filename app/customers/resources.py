"""/customers"""

from app.core.crud import Crud
from app.customers.models import Customer
from app.customers.schemas import CustomerSchema


class Customers(Crud):
    """Clients of the company."""

    model, schema, path = Customer, CustomerSchema, "/customers"
    permission = "customer"
    filters = ("name", "email")
    sort = ("created_at", "updated_at", "name")
