"""Adapters to the places where the loader is used."""

from __future__ import annotations
