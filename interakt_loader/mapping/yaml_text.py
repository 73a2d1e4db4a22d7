"""YAML, safe and bounded: no tags that make objects, each key once, and no merges that grow without end."""

from __future__ import annotations

from typing import Any

import yaml
from yaml.constructor import ConstructorError

MOST_MERGED = 10_000
"""Pairs that `<<` may copy in a file: a dozen lines of merges of merges make billions."""

LONGEST_NUMBER = 100
"""Characters."""

_MERGE = "tag:yaml.org,2002:merge"


def loads(text: str) -> Any:
    """Return what a YAML text says. Raises `yaml.YAMLError`, and what its constructors raise for untrue tags."""
    return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader


class _Loader(yaml.SafeLoader):
    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._flat: set[int] = set()  # the ids of nodes that hold no merge any more; a cycle of merges ends here
        self._merged = 0

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Put the pairs that `<<` names in its place."""
        if id(node) in self._flat:
            return
        self._flat.add(id(node))
        self._check_keys(node)
        for key, value in node.value:
            if key.tag == _MERGE:
                for one in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                    if isinstance(one, yaml.MappingNode):
                        self.flatten_mapping(one)
                        self._merged += len(one.value)
                        if self._merged > MOST_MERGED:
                            raise ConstructorError(None, None, "merges (<<) that copy too much", node.start_mark)
        super().flatten_mapping(node)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """Read a whole number; one in base 60, as `1:30` is, takes the square of its length."""
        _check_digits(node)
        return super().construct_yaml_int(node)

    def construct_yaml_float(self, node: yaml.ScalarNode) -> float:
        """Likewise of a fraction."""
        _check_digits(node)
        return super().construct_yaml_float(node)

    def _check_keys(self, node: yaml.MappingNode) -> None:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in seen:
                    raise ConstructorError(None, None, f"{key.value!r} is there twice", key.start_mark)
                seen.add((key.tag, key.value))


def _check_digits(node: yaml.ScalarNode) -> None:
    if len(node.value) > LONGEST_NUMBER:
        raise ConstructorError(None, None, f"a number of more than {LONGEST_NUMBER} characters", node.start_mark)


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.construct_yaml_float)
