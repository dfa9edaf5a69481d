"""Positions within organization units."""

from app.positions.resources import Positions, PositionsOfUnit

TAG = "positions"
ENDPOINTS = (Positions, PositionsOfUnit)
