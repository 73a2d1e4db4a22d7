"""A module's source → the same with one small mistake, for each place where one can be made. Pure."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator
from typing import Any, NamedTuple

_OTHER: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Pow: ast.Mult,
    ast.Continue: ast.Break,
    ast.Break: ast.Continue,
}
_OTHER_NAME = {"min": "max", "max": "min", "any": "all", "all": "any"}

_NOT_LOOKED_AT = ("annotation", "returns", "decorator_list")
"""Parts that only type checkers read, or that are about speed."""


class Mistake(NamedTuple):
    """One mistake in one place."""

    line: int
    source: str
    """The whole module with it, as Python writes it."""
    diff: str
    """The lines that differ, each with its sign."""


def mistakes(source: str) -> Iterator[Mistake]:
    """Yield each, in the order of the source. Texts, assertions and annotations are left alone."""
    tree = ast.parse(source)
    right = ast.unparse(tree).splitlines()
    for holder, key, node, line in _places(tree, 1):
        for other in _others(node):
            holder[key] = other
            wrong = ast.unparse(ast.fix_missing_locations(tree))
            diff = list(difflib.unified_diff(right, wrong.splitlines(), n=0, lineterm=""))[3:]
            yield Mistake(line, wrong, "\n".join(f"{one[0]} {one[1:].strip()}" for one in diff))
        holder[key] = node


def _places(node: ast.AST, line: int) -> Iterator[tuple[Any, Any, ast.AST, int]]:
    """Yield what holds each node below this one (a list, or a node's own fields), under which key, and its line."""
    for name, value in ast.iter_fields(node):
        if name in _NOT_LOOKED_AT:
            continue
        held: list[tuple[Any, Any, Any]] = [(vars(node), name, value)]
        if isinstance(value, list):
            held = [(value, at, one) for at, one in enumerate(value)]
        for holder, key, one in held:
            if not isinstance(one, ast.AST) or isinstance(one, (ast.Assert, ast.JoinedStr)):
                continue
            if isinstance(one, ast.If) and ast.unparse(one.test) == "TYPE_CHECKING":
                continue
            at = getattr(one, "lineno", line)
            yield holder, key, one, at
            yield from _places(one, at)


def _others(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what might stand in a node's place by mistake."""
    if type(node) in _OTHER:
        yield _OTHER[type(node)]()
    match node:
        case ast.Constant(value=bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(value=int() | float() as value):
            yield ast.Constant(value + 1)
            yield ast.Constant(value - 1)
        case ast.Constant(value=bytes() as value):
            yield ast.Constant(value[1:] if value else b"?")
        case ast.Name(id=name) if name in _OTHER_NAME:
            yield ast.Name(_OTHER_NAME[name], ast.Load())
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            yield node.operand
        case ast.Return(value=ast.expr() as value) if ast.unparse(value) != "None":
            yield ast.Return(ast.Constant(None))
        case ast.Expr(value=ast.Call()) | ast.Assign(targets=[ast.Attribute()]):
            yield ast.Pass()
        case ast.If() | ast.While() if isinstance(node.test, (ast.Name, ast.Attribute, ast.Call)):
            yield type(node)(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)
        case ast.IfExp(test=ast.Name() | ast.Attribute() | ast.Call()):
            yield ast.IfExp(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)
