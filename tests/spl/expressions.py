"""Expressions of ``eval`` and ``where``: comparisons, arithmetic, functions; null goes through everything."""

import operator
import re
from collections.abc import Callable
from typing import Any

from tests.spl.faults import Fault
from tests.spl.functions import FUNCTIONS
from tests.spl.text import unquoted
from tests.spl.values import Row, number, same, shown

Node = Callable[[Row], Any]

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>"(?:\\.|[^"\\])*")|(?P<quoted>'[^']*')|(?P<number>\d+(?:\.\d+)?(?![\w.:]))"""
    r"""|(?P<sign><=|>=|!=|==|[=<>(),+\-*/%.])|(?P<word>[A-Za-z_][\w:{}]*))"""
)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}
_FIELD = re.compile(r"[A-Za-z_]\w*")


def _arithmetic(sign: str, one: Any, other: Any) -> Any:
    if one is None or other is None:
        return None
    left, right = number(one), number(other)
    if sign == "." or (sign == "+" and (left is None or right is None)):
        return f"{shown(one)}{shown(other)}"
    if left is None or right is None:
        return None
    if sign in "/%":
        return None if not right else left / right if sign == "/" else left % right
    return {"+": operator.add, "-": operator.sub, "*": operator.mul}[sign](left, right)


def _compared(sign: str, one: Any, other: Any) -> bool | None:
    if one is None or other is None:
        return None
    return _COMPARE[sign](*same(one, other))


class Expression:
    """An expression that was read: ``value`` of a row, and the fields it names."""

    def __init__(self, text: str, now: float) -> None:
        self.fields: set[str] = set()
        self._now = now
        self._tokens: list[tuple[str, str]] = []
        place, text = 0, text.strip()
        while place < len(text):
            match = _TOKEN.match(text, place)
            if not match or not match.lastgroup:
                raise Fault(f"eval cannot read {text[place:]!r}")
            self._tokens.append((match.lastgroup, match[match.lastgroup]))
            place = match.end()
        self.value = self._either()
        if self._tokens:
            raise Fault(f"eval cannot read {text!r} from {self._tokens[0][1]!r}")

    def _taken(self, *wanted: str) -> str:
        """The next token, if it is one of these."""
        if self._tokens and self._tokens[0][0] in ("sign", "word") and self._tokens[0][1] in wanted:
            return self._tokens.pop(0)[1]
        return ""

    def _either(self) -> Node:
        nodes = [self._both()]
        while self._taken("OR", "or"):
            nodes.append(self._both())
        return nodes[0] if len(nodes) == 1 else lambda row: any(node(row) is True for node in nodes)

    def _both(self) -> Node:
        nodes = [self._negated()]
        while self._taken("AND", "and"):
            nodes.append(self._negated())
        return nodes[0] if len(nodes) == 1 else lambda row: all(node(row) is True for node in nodes)

    def _negated(self) -> Node:
        if not self._taken("NOT", "not"):
            return self._comparison()
        node = self._negated()
        return lambda row: None if (found := node(row)) is None else not found

    def _comparison(self) -> Node:
        left = self._sum()
        sign = self._taken(*_COMPARE)
        if not sign:
            return left
        right = self._sum()
        return lambda row: _compared(sign, left(row), right(row))

    def _sum(self) -> Node:
        return self._chain(("+", "-", "."), self._product)

    def _product(self) -> Node:
        return self._chain(("*", "/", "%"), self._atom)

    def _chain(self, signs: tuple[str, ...], part: Callable[[], Node]) -> Node:
        node = part()
        while sign := self._taken(*signs):
            node = self._joined(sign, node, part())
        return node

    @staticmethod
    def _joined(sign: str, left: Node, right: Node) -> Node:
        return lambda row: _arithmetic(sign, left(row), right(row))

    def _atom(self) -> Node:
        kind, text = self._tokens.pop(0) if self._tokens else ("", "the end")
        if kind == "text":
            constant = unquoted(text)
            return lambda _row: constant
        if kind == "number":
            amount = float(text)
            return lambda _row: amount
        if kind == "quoted" or (kind == "word" and not self._taken("(")):
            return self._field(text)
        if kind == "word":
            return self._call(text)
        if text == "(":
            node = self._either()
            if not self._taken(")"):
                raise Fault("eval: a ( stays open")
            return node
        if text == "-":
            return self._joined("-", lambda _row: 0.0, self._atom())
        raise Fault(f"eval does not expect {text}")

    def _field(self, text: str) -> Node:
        name = unquoted(text)
        if name == text and not _FIELD.fullmatch(text):
            raise Fault(f"eval: {text} needs single quotes")
        self.fields.add(name)

        def value(row: Row) -> Any:
            found = row.get(name)
            return found[0] if isinstance(found, list) and len(found) == 1 else found

        return value

    def _call(self, name: str) -> Node:
        nodes: list[Node] = []
        while not self._taken(")"):
            nodes.append(self._either())
            self._taken(",")
        if name == "now":
            return lambda _row: self._now
        function = FUNCTIONS.get(name)
        if function is None:
            raise Fault(f"eval has no function {name}()")
        if not function.least <= len(nodes) <= function.most or (name == "case" and len(nodes) % 2):
            raise Fault(f"{name}() with {len(nodes)} arguments")
        return lambda row: function.call(*(node(row) for node in nodes))
