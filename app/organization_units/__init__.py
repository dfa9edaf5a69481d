"""The organization tree."""

from app.organization_units.resources import Ancestors, Children, Descendants, OrganizationUnits, Tree

TAG = "organization_units"
ENDPOINTS = (OrganizationUnits, Tree, Children, Descendants, Ancestors)
