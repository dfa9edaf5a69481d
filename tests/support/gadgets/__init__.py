"""A slice as a newcomer writes it. Only a process of its own loads it: its table is in no migration."""

from tests.support.gadgets.resources import Gadgets

TAG = "gadgets"
ENDPOINTS = (Gadgets,)
