"""What a PromQL expression asks for, held against the metrics and labels that the relay declares."""

from collections.abc import Iterator

from promql_parser import (
    AggModifierType,
    AggregateExpr,
    BinaryExpr,
    Call,
    Expr,
    LabelModifierType,
    MatrixSelector,
    ParenExpr,
    SubqueryExpr,
    UnaryExpr,
    VectorSelector,
    parse,
)

from tests.unit.test_docs_interface import scraped

TARGET = frozenset({"instance", "job"})
"""What Prometheus itself puts on every series that it scrapes."""
PROMETHEUS = {"up": TARGET, "ALERTS": TARGET | {"alertname", "alertstate", "severity", "tenant", "destination"}}


class Unknown(Exception):  # noqa: N818 - it names what the relay does not have
    """A metric or a label that nothing declares; the text names it and where it stands."""


def labels_of(expression: str) -> frozenset[str]:
    """The labels that the result can have.

    Raises:
        Unknown: a metric, a matcher, a grouping or a matching names what is not there.
        ValueError: it is no PromQL.
    """
    return _labels(parse(expression))


def metrics_of(expression: str) -> set[str]:
    """The metrics that it names."""
    return set(_names(parse(expression)))


def _labels(expression: Expr) -> frozenset[str]:
    found = frozenset[str]()  # a number or a text
    match expression:
        case VectorSelector():
            found = _selected(expression)
        case MatrixSelector():
            found = _selected(expression.vector_selector)
        case ParenExpr() | SubqueryExpr() | UnaryExpr():
            found = _labels(expression.expr)
        case AggregateExpr():
            found = _grouped(expression)
        case BinaryExpr():
            found = _matched(expression)
        case Call():
            found = found.union(*map(_labels, expression.args))
            found -= {"le"} if expression.func.name == "histogram_quantile" else set()
    return found


def _selected(selector: VectorSelector) -> frozenset[str]:
    """The labels of a metric, its matchers held against them."""
    name = selector.name or ""
    known = PROMETHEUS.get(name) or _declared().get(name)
    if known is None:
        raise Unknown(f"no metric {name!r}")
    for matcher in selector.matchers.matchers:
        if matcher.name not in known:
            raise Unknown(f"{name} has no label {matcher.name!r}")
    return known


def _grouped(aggregate: AggregateExpr) -> frozenset[str]:
    inner = _labels(aggregate.expr)
    if aggregate.modifier is None:
        return inner if str(aggregate.op) in {"topk", "bottomk"} else frozenset()
    named = _known(aggregate.modifier.labels, inner, aggregate)
    return named if aggregate.modifier.type == AggModifierType.By else inner - named


def _matched(binary: BinaryExpr) -> frozenset[str]:
    left, right = _labels(binary.lhs), _labels(binary.rhs)
    operator, modifier = str(binary.op), binary.modifier
    if modifier is not None and modifier.matching is not None:
        for side in (left, right):
            _known(modifier.matching.labels, side, binary)
        added = _known(modifier.group_labels or [], right, binary)
        named = frozenset(modifier.matching.labels)
        if operator in {"and", "unless", "or"} or added:
            return left | added
        return named if modifier.matching.type == LabelModifierType.Include else left - named
    return left | right if operator == "or" or not left else left


def _known(labels: list[str], among: frozenset[str], where: Expr) -> frozenset[str]:
    if missing := set(labels) - among:
        raise Unknown(f"nothing has the labels {sorted(missing)} in {where.prettify()}")
    return frozenset(labels)


def _names(expression: Expr) -> Iterator[str]:
    match expression:
        case VectorSelector():
            yield expression.name or ""
        case MatrixSelector():
            yield expression.vector_selector.name or ""
        case ParenExpr() | SubqueryExpr() | UnaryExpr() | AggregateExpr():
            yield from _names(expression.expr)
        case BinaryExpr():
            yield from _names(expression.lhs)
            yield from _names(expression.rhs)
        case Call():
            for argument in expression.args:
                yield from _names(argument)


def _declared() -> dict[str, frozenset[str]]:
    """Every series that a relay shows, by its name."""
    found = {}
    for name, (kind, labels) in scraped().items():
        parts = ("_bucket", "_count", "_sum") if kind == "histogram" else ("",)
        for part in parts:
            found[name + part] = TARGET | labels | ({"le"} if part == "_bucket" else set())
    return found
