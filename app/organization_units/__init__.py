"""The organization tree."""

from app.organization_units.resources import Ancestors, Children, Descendants, OrganizationUnits, Tree

ENDPOINTS = (OrganizationUnits, Tree, Children, Descendants, Ancestors)
