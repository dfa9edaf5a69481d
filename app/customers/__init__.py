"""Clients of a company."""

from app.core.events import Subscription
from app.customers.documents.files import DownloadDocument, UploadDocument
from app.customers.documents.resources import CustomerDocuments, VerifyDocument
from app.customers.export.resources import ExportCustomer
from app.customers.merge import execute, redirects, undo
from app.customers.merge.resources import CustomerMerges, MergeCustomers, UndoMerge
from app.customers.models import CustomerNotFound
from app.customers.parts.addresses import CustomerAddresses, VerifyAddress
from app.customers.parts.bulk_tag import BulkTag
from app.customers.parts.contacts import CustomerContacts
from app.customers.parts.notes import CustomerNotes
from app.customers.parts.preferences import CommunicationPreferences, ConsentHistory
from app.customers.parts.services import CustomerServices
from app.customers.parts.subscriptions import SubscriptionHistory, SubscriptionState
from app.customers.parts.tags import TagOfCustomer, Tags, TagsOfCustomer
from app.customers.profile import Profile, ProfileCheck
from app.customers.resources import CustomerLogo, Customers
from app.customers.statistics import CustomerStatistics
from app.customers.verification.resources import SendVerification, VerifyCustomerEmail
from app.customers.verification.service import customer_email, unverify_customer_of
from app.users.events import on_email_changed, on_user_deleting

TAG = "customers"
ENDPOINTS = (
    Customers, CustomerLogo, CustomerAddresses, VerifyAddress, CustomerContacts, CommunicationPreferences,
    ConsentHistory, CustomerNotes, Tags, TagsOfCustomer, TagOfCustomer, BulkTag, CustomerServices,
    SubscriptionState, SubscriptionHistory, CustomerStatistics, CustomerMerges, MergeCustomers, UndoMerge,
    Profile, ProfileCheck, SendVerification, VerifyCustomerEmail, CustomerDocuments, UploadDocument,
    DownloadDocument, VerifyDocument, ExportCustomer,
)  # fmt: skip
MAILS = {"customer_email": customer_email}
JOBS = {execute.FORGET: undo.forget}
ERROR_HANDLERS = {CustomerNotFound: redirects.render_missing_customer}
SUBSCRIPTIONS = (
    Subscription(on_user_deleting, unverify_customer_of),
    Subscription(on_email_changed, unverify_customer_of),
)
