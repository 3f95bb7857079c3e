"""The evaluator of our searches means what Splunk means: each command on a few rows, with results made by hand."""

from typing import Any

import pytest

from tests.spl.engine import Splunk
from tests.spl.faults import Fault
from tests.spl.sources import Lookup
from tests.spl.table import Names
from tests.spl.times import Window

NOW = 100_000.0
EVENTS = [
    {"_time": 99_990.0, "_indextime": 99_995.0, "p": "shop", "level": "error", "n": "3", "who": ["a", "b"], "i": "x"},
    {"_time": 99_980.0, "_indextime": 99_980.0, "p": "shop", "level": "fatal", "n": "10", "i": "y"},
    {"_time": 99_970.0, "_indextime": 99_970.0, "p": "web", "level": "error", "n": "5", "who": "a", "i": "x"},
    {"_time": 96_000.0, "_indextime": 99_900.0, "level": "Warning", "title": "a 50% off", "i": "z"},
]
NAMES = Names(
    frozenset({"p", "level", "n", "who", "title", "tags", "_time", "_indextime", "i"}),
    ("tags.",),
    frozenset({"_time", "_indextime", "i", "p"}),
)
MACROS = {"all": "level=*", "loop": "`loop`"}


def run(text: str, window: Window | None = None, lookups: dict[str, Lookup] | None = None) -> list[dict[str, Any]]:
    """The rows without their own bookkeeping."""
    events: list[dict[str, Any]] = [{**event, "_raw": str(event)} for event in EVENTS]
    engine = Splunk(events, NAMES, now=NOW, macros=MACROS, lookups=lookups)
    rows = engine.run(text, window or Window("0", "now")).rows
    hidden = ("_raw", "_indextime")
    return [{name: value for name, value in row.items() if name not in hidden} for row in rows]


def column(text: str, name: str, window: Window | None = None) -> list[Any]:
    """The values of one column."""
    return [row.get(name) for row in run(text, window)]


RESULTS: list[tuple[str, list[dict[str, Any]]]] = [
    ("level=* | stats count", [{"count": 4}]),
    # What lacks a by-field is in no group; a field with two values is in two.
    ("level=* | stats count by p", [{"p": "shop", "count": 2}, {"p": "web", "count": 1}]),
    ("level=* | stats count by who", [{"who": "a", "count": 2}, {"who": "b", "count": 1}]),
    (
        'level=* | fillnull value="-" p | stats count by p',
        [{"p": "-", "count": 1}, {"p": "shop", "count": 2}, {"p": "web", "count": 1}],
    ),
    # latest() passes over events without the field; dc and values know no order; numbers are numbers.
    (
        "level=* | stats latest(n) as n earliest(title) as t by level",
        [{"level": "Warning", "t": "a 50% off"}, {"level": "error", "n": "3"}, {"level": "fatal", "n": "10"}],
    ),
    (
        "level=* | stats dc(i) as d values(level) as v sum(n) as s max(n) as m",
        [{"d": 3, "v": ["Warning", "error", "fatal"], "s": 18, "m": 10}],
    ),
    ("level=* | stats median(n) as m perc95(n) as p avg(n) as a min(n) as l", [{"m": 5, "p": 10, "a": 6, "l": 3}]),
    ('level=* | stats count(eval(level="error")) as e sum(eval(if(p="shop", n, 0))) as s', [{"e": 2, "s": 13}]),
    (
        "level=* | eventstats max(n) as top by p | where n=top | table p n",
        [{"p": "shop", "n": "10"}, {"p": "web", "n": "5"}],
    ),
    (
        "level=* | dedup i | table i level",
        [{"i": "x", "level": "error"}, {"i": "y", "level": "fatal"}, {"i": "z", "level": "Warning"}],
    ),
    ("level=* | dedup p | table i", [{"i": "x"}, {"i": "x"}]),
    ("level=* | dedup p keepempty=true | table i", [{"i": "x"}, {"i": "x"}, {"i": "z"}]),
    ("p=* | sort - n | table n", [{"n": "10"}, {"n": "5"}, {"n": "3"}]),
    ("p=* | sort p, - n | head 2 | table p n", [{"p": "shop", "n": "10"}, {"p": "shop", "n": "3"}]),
    ("p=web | rename n as number | table number", [{"number": "5"}]),
    (
        'p=web | eval a=n+1, b=n."x", c=round(n/3, 1), d=coalesce(title, p) | table a b c d',
        [{"a": 6.0, "b": "5x", "c": 1.7, "d": "web"}],
    ),
    (
        'level=* | eval s=case(n>5, "many", isnull(n), "none", true(), "few") | stats count by s',
        [{"s": "few", "count": 2}, {"s": "many", "count": 1}, {"s": "none", "count": 1}],
    ),
    ("| tstats count dc(i) as d where p=* by p", [{"p": "shop", "count": 2, "d": 2}, {"p": "web", "count": 1, "d": 1}]),
    (
        '| tstats fillnull_value="-" count where i=* by p',
        [{"p": "-", "count": 1}, {"p": "shop", "count": 2}, {"p": "web", "count": 1}],
    ),
    ("| tstats count where i=x by _time span=1m", [{"_time": 99_960, "count": 2}]),
    ("p=web | append [search p=shop | stats count as n] | table n", [{"n": "5"}, {"n": 2}]),
]


@pytest.mark.parametrize(("text", "rows"), RESULTS, ids=[text for text, _ in RESULTS])
def test_a_search_has_the_results_that_were_made_by_hand(text: str, rows: list[dict[str, Any]]) -> None:
    """As Splunk's Search Reference describes each command."""
    assert run(text) == rows


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("level=ERROR", ["x", "x"]),
        ("level=*a*", ["y", "z"]),
        ("level!=error", ["y", "z"]),
        ("NOT level=error", ["y", "z"]),
        ("p!=shop", ["x"]),
        ("NOT p=shop", ["x", "z"]),
        ("n=3.0", ["x"]),
        ("n>3", ["y", "x"]),
        ("p=web OR level=fatal i=x", ["x"]),
        ("level IN (fatal, warning)", ["y", "z"]),
        ('"50% off"', ["z"]),
        ("i::x", ["x", "x"]),
        ("`all` p=web", ["x"]),
        ("level=* earliest=-15s", ["x"]),
        ("level=* _index_earliest=-10s", ["x"]),
    ],
)
def test_search_finds_what_splunk_finds(text: str, found: list[str]) -> None:
    """Without case, with stars, OR before AND; only NOT finds what lacks the field."""
    assert column(text, "i") == found


def test_where_takes_null_for_no() -> None:
    """And compares with case."""
    assert column('level=* | where p!="shop"', "i") == ["x"]
    assert column('level=* | where level="warning"', "i") == []
    assert column("level=* | where NOT n>4 OR isnull(n)", "i") == ["x", "z"]


def test_events_are_of_the_range_by_both_times() -> None:
    """The end of a range is outside."""
    assert column("level=*", "i", Window("-30s", "-10s")) == ["y", "x"]
    assert column("level=*", "i", Window("0", "now", "-120s", "-15s")) == ["y", "x", "z"]


def test_timechart_has_a_row_for_each_span_and_says_what_was_left_over() -> None:
    """A count of nothing is 0, a sum of nothing is none; series beyond the limit are OTHER, rows without one NULL."""
    window = Window("98800", "100000")
    assert run("p=* | timechart span=10m count by p", window) == [
        {"_time": 98_400, "shop": 0, "web": 0},
        {"_time": 99_000, "shop": 0, "web": 0},
        {"_time": 99_600, "shop": 2, "web": 1},
    ]
    assert run("p=* | timechart span=10m sum(n) as n", window)[1:] == [{"_time": 99_000}, {"_time": 99_600, "n": 18}]
    window = Window("93600", "100000")
    assert run("level=* | timechart span=1h count by p limit=1", window)[-1] == {"_time": 97_200, "shop": 2, "OTHER": 1}
    assert [*run("level=* | timechart span=1h count by p", window)[-1]] == ["_time", "NULL", "shop", "web"]
    assert [*run("level=* | timechart span=1h count by p usenull=f", window)[-1]] == ["_time", "shop", "web"]
    assert run("p=nothing | timechart span=1h count", window) == []


def test_lookups_are_read_joined_and_written() -> None:
    """A KV store holds one row a key."""
    lookups = {
        "kept": Lookup(("_key", "n"), [{"_key": "x", "n": "old"}], kv_store=True),
        "csv": Lookup(("i", "owner"), [{"i": "x", "owner": "Anna"}]),
    }
    assert run("| inputlookup csv", lookups=lookups) == [{"i": "x", "owner": "Anna"}]
    joined = run("p=* | lookup csv i OUTPUT owner as who | table i who", lookups=lookups)
    assert joined == [{"i": "x", "who": "Anna"}, {"i": "y"}, {"i": "x", "who": "Anna"}]
    run(
        "level=* | stats latest(n) as n by i | rename i as _key | outputlookup append=true key_field=_key kept",
        lookups=lookups,
    )
    assert lookups["kept"].rows == [{"_key": "x", "n": "3"}, {"_key": "y", "n": "10"}, {"_key": "z"}]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("level=* | tstat count", "no command 'tstat'"),
        ("| stat count", "no search begins with 'stat'"),
        ("`nothing`", "no macro 'nothing'"),
        ("`loop`", "macros in a circle"),
        ("proyect=shop", "proyect"),
        ("level=* | stats count by proyect", "proyect"),
        ("level=* | stats count by p | table n", "n"),
        ("level=* | stats cuont by p", "stats"),
        ("level=* | eval a=coalese(p, n)", "no function coalese()"),
        ("level=* | eval a=round()", "round() with 0 arguments"),
        ("level=* | eval a=p{}", "needs single quotes"),
        ("level=* | eval a=p=n", "boolean"),
        ("level=* | eval a", "assigns nothing"),
        ('level=* | where p="shop', "stays open"),
        ("level=* | where (p=n", "stays open"),
        ("(level=*", "stays open"),
        ("level=error) p=web", "too many"),
        ("| tstats count where level=error by p", "not indexed: level"),
        ("| tstats count where i=x by _time", "span"),
        ("| tstats count where shop by p", "neither words nor eval"),
        ("level::error", "not indexed: level"),
        ("| inputlookup nothing", "no lookup 'nothing'"),
        ("level=* | timechart count dc(i) by p", "one function"),
        ("level=* earliest=yesterday", "no time modifier"),
        ("level=* | timechart span=often count", "no span"),
        ("p=$tenant|s$", "token"),
        ("level=* | outputlookup csv", "no lookup"),
        ("n>many", "no number"),
    ],
)
def test_a_search_that_splunk_would_refuse_is_refused(text: str, said: str) -> None:
    """Nothing unknown passes in silence."""
    with pytest.raises(Fault) as fault:
        run(text)
    assert said in str(fault.value)
