"""Adapters to the places where the loader is used."""
