"""What a shell offers after TAB. click asks for it in a process of its own: nothing is imported that is not needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import click
    from click.shell_completion import CompletionItem


def paths(context: click.Context, parameter: click.Parameter | None, incomplete: str) -> list[CompletionItem]:
    """Leave it to the shell, which knows its files best."""
    from click.shell_completion import CompletionItem

    del context, parameter
    return [CompletionItem(incomplete, type="file")]


def mappings(context: click.Context, parameter: click.Parameter | None, incomplete: str) -> list[CompletionItem]:
    """Offer the presets behind `preset:`, and files else."""
    from click.shell_completion import CompletionItem

    before, colon, name = incomplete.partition(":")
    if before != "preset" or not colon:
        return paths(context, parameter, incomplete)
    return [CompletionItem(f"preset:{one.value}") for one in presets(context, parameter, name)]


def presets(context: click.Context, parameter: click.Parameter | None, incomplete: str) -> list[CompletionItem]:
    """Return the presets' names that begin so; their files are called like them."""
    from pathlib import Path

    from click.shell_completion import CompletionItem

    del context, parameter
    found = (Path(__file__).resolve().parents[1] / "mapping" / "presets").glob("*.yaml")
    names = sorted(one.stem.replace("_", "-") for one in found)
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]
