"""Search expressions: ``index=sentry level IN (fatal, error) NOT handled=true``. OR binds closer than AND."""

import operator
import re
from collections.abc import Callable
from fnmatch import translate

from tests.spl.faults import Fault
from tests.spl.text import unquoted
from tests.spl.values import Row, number, shown, values

Test = Callable[[Row], bool]

_TOKEN = re.compile(r'\s*("(?:\\.|[^"\\])*"|[(),]|!=|<=|>=|::|[=<>]|(?:[^\s()"=<>!,:]|:(?!:))+)')
_COMPARE = {"<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge}
_TIMES = ("earliest", "latest", "_index_earliest", "_index_latest")


def _like(name: str, wanted: str) -> Test:
    """Equal as ``search`` has it: without case, with ``*``, numbers by their value."""
    pattern = re.compile(translate(wanted), re.IGNORECASE | re.DOTALL)
    as_number = number(wanted)

    def test(row: Row) -> bool:
        return any(
            pattern.match(str(shown(value))) or (as_number is not None and number(value) == as_number)
            for value in values(row, name)
        )

    return test


class Search:
    """A search expression that was read: ``matches`` tells whether a row is one of its results."""

    def __init__(self, text: str) -> None:
        self.fields: set[str] = set()
        """Every field it names."""
        self.indexed: set[str] = set()
        """Those it wants to be indexed: ``field::value``."""
        self.words: list[str] = []
        """What it looks for anywhere in the event."""
        self.times: dict[str, str] = {}
        """Time modifiers in the text, which overrule the search's own range."""
        self._tokens: list[str] = _TOKEN.findall(text)
        if re.sub(r"\s", "", "".join(self._tokens)) != re.sub(r"\s", "", text):
            raise Fault(f"cannot read the search {text!r}")
        self.matches = self._all() if self._tokens else (lambda _row: True)
        if self._tokens:
            raise Fault(f"cannot read the search {text!r} from {self._tokens[0]!r}")

    def _peek(self) -> str:
        return self._tokens[0] if self._tokens else ""

    def _take(self) -> str:
        if not self._tokens:
            raise Fault("the search ends too early")
        return self._tokens.pop(0)

    def _all(self) -> Test:
        tests = [self._any()]
        while self._peek() not in ("", ")"):
            if self._peek() == "AND":
                self._take()
            tests.append(self._any())
        return tests[0] if len(tests) == 1 else lambda row: all(test(row) for test in tests)

    def _any(self) -> Test:
        tests = [self._one()]
        while self._peek() == "OR":
            self._take()
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda row: any(test(row) for test in tests)

    def _one(self) -> Test:
        if self._peek() == "NOT":
            self._take()
            test = self._one()
            return lambda row: not test(row)
        if self._peek() == "(":
            self._take()
            test = self._all()
            if self._take() != ")":
                raise Fault("a ( stays open")
            return test
        return self._term()

    def _term(self) -> Test:
        name, sign = unquoted(self._take()), self._peek()
        if sign == "IN":
            self._take()
            return self._in(name)
        if sign not in ("=", "!=", "::", *_COMPARE):
            return self._word(name)
        self._take()
        wanted = unquoted(self._take())
        if name in _TIMES:
            self.times[name] = wanted
            return lambda _row: True
        self.fields.add(name)
        if sign == "::":
            self.indexed.add(name)
        if sign in _COMPARE:
            return self._compare(name, sign, wanted)
        like = _like(name, wanted)
        # What lacks the field is neither equal nor unequal; only NOT finds it.
        return like if sign in ("=", "::") else lambda row: bool(values(row, name)) and not like(row)

    def _in(self, name: str) -> Test:
        self.fields.add(name)
        if self._take() != "(":
            raise Fault(f"{name} IN without its list")
        tests = []
        while (word := self._take()) != ")":
            if word != ",":
                tests.append(_like(name, unquoted(word)))
        return lambda row: any(test(row) for test in tests)

    @staticmethod
    def _compare(name: str, sign: str, wanted: str) -> Test:
        limit, compare = number(wanted), _COMPARE[sign]
        if limit is None:
            raise Fault(f"{name}{sign}{wanted}: no number")
        return lambda row: any((n := number(value)) is not None and compare(n, limit) for value in values(row, name))

    def _word(self, word: str) -> Test:
        self.words.append(word)
        pattern = re.compile(translate(f"*{word}*"), re.IGNORECASE | re.DOTALL)
        return lambda row: pattern.match(str(row.get("_raw", ""))) is not None
