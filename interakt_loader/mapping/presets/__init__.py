"""Presets: complete mappings for the exports that merchants have, one YAML file each, known by their headings."""

from __future__ import annotations

from interakt_loader.mapping.presets.catalogue import preset, presets, recognise
from interakt_loader.mapping.presets.preset import Preset

__all__ = ["Preset", "preset", "presets", "recognise"]
