"""Positions within organization units."""

from app.positions.resources import Positions, PositionsOfUnit

ENDPOINTS = (Positions, PositionsOfUnit)
