"""What the admin API understands: searches, pages, changes; and the JSON it speaks."""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.admin.requests import ACTOR_MAX, CALL_MAX, REASON_MAX, ChangeRequest, asked, change_of, order_of
from app.admin.serialization import iso, life_json, life_of, moment
from app.errors import AdminRefusal
from app.model import Attempt, Cause, DeliveryRecord, Search, State, Stream

NOW = 1_764_000_000.0
TEXT = st.text(max_size=20)
TIMES = st.floats(0, 4e9).map(lambda at: round(at, 3))


def refusal(action: Any, *given: Any, **named: Any) -> tuple[str, str]:
    """Code word and words with which it is refused."""
    with pytest.raises(AdminRefusal) as refused:
        action(*given, **named)
    return refused.value.code, refused.value.words


def order(**body: object) -> ChangeRequest:
    """A change by an operator."""
    return order_of({"reason": "mended", **body}, actor="ada", now=NOW)


# Times.


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("90s", NOW - 90),
        ("2h", NOW - 7_200),
        ("1.5d", NOW - 129_600),
        ("2026-11-22T10:00Z", 1_795_341_600),
        ("2026-11-22T10:00:00+01:00", 1_795_338_000),
        ("2026-11-22", 1_795_305_600),
        ("999999d", 0),
    ],
)
def test_a_moment_is_an_age_or_a_time(text: str, at: float) -> None:
    """Without a zone it is UTC."""
    assert moment(text, now=NOW) == at


@given(st.text(max_size=30))
def test_any_other_text_is_refused_in_words(text: str) -> None:
    """Whatever it is: a refusal, never a crash."""
    try:
        at = moment(text, now=NOW)
    except AdminRefusal:
        return
    assert 0 <= at <= 5e9


@given(TIMES)
def test_a_time_is_the_same_after_the_wire(at: float) -> None:
    """To the microsecond."""
    assert moment(iso(at) or "", now=NOW) == pytest.approx(at, abs=1e-6)


# The JSON of a life.

LIVES = st.builds(
    DeliveryRecord,
    seq=st.integers(0, 2**62),
    delivery_id=TEXT,
    stream=st.builds(Stream, TEXT, TEXT),
    state=st.sampled_from(State),
    sender=st.sampled_from(["integration", "service_hook", "legacy"]),
    resource=TEXT,
    request_id=TEXT,
    verified_with=TEXT,
    installation=TEXT,
    payload_bytes=st.integers(0, 10**8),
    received_at=TIMES,
    attempts=st.integers(0, 99),
    ambiguous=st.integers(0, 99),
    first_attempt_at=st.none() | TIMES,
    last_attempt_at=st.none() | TIMES,
    tried=st.lists(st.builds(Attempt, TIMES, st.floats(0, 60), TEXT, st.booleans()), max_size=3).map(tuple),
    fault=TEXT,
    cause=st.none() | st.sampled_from(Cause),
    due_at=st.none() | TIMES,
    ended_at=st.none() | TIMES,
)


@given(LIVES)
def test_a_life_is_the_same_after_the_wire(life: DeliveryRecord) -> None:
    """What the command line shows of a relay's answer is what the relay's spool holds."""
    back = life_of(life_json(life))
    assert life_json(back) == life_json(life)
    assert (back.stream, back.tried[:1], back.state) == (life.stream, life.tried[:1], life.state)


# Searches.


def test_a_search_is_made_of_every_name_it_may_have() -> None:
    """Lists where several make sense; an empty tenant means parked, not any."""
    query = [
        *(("state", "dead"), ("state", "waiting"), ("tenant", ""), ("destination", "main"), ("cause", "rejected")),
        *(("id", "a"), ("id", "b"), ("since", "1h"), ("until", "1m"), ("limit", "7"), ("before", "99")),
    ]
    search, page = asked(query, now=NOW)
    assert search == Search(
        states=frozenset({State.DEAD, State.WAITING}),
        tenant="",
        destination="main",
        causes=frozenset({Cause.REJECTED}),
        delivery_ids=frozenset({"a", "b"}),
        received_from=NOW - 3600,
        received_before=NOW - 60,
    )
    assert page == (7, 99)
    assert asked([], now=NOW) == (Search(), (100, None))


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (
            [("tenants", "acme")],
            "'tenants' is not known; known are cause, destination, id, since, state, tenant, until",
        ),
        ([("tenant", "a"), ("tenant", "b")], "tenant is given twice"),
        ([("state", "lost")], "state is 'lost'; it is one of waiting, parked, dead, delivered, filtered, discarded"),
        (
            [("cause", "")],
            "cause is ''; it is one of rejected, oversize, untransformable, unreadable, expired, unclaimed",
        ),
        ([("since", "yesterday")], "'yesterday' is neither an age (90s, 30m, 2h, 7d) nor a time such as 2026"),
        ([("limit", "0")], "limit is '0'; it has to be a whole number, 1 to 500"),
        ([("limit", "501")], "limit is '501'"),
        ([("before", "-1")], "before is '-1'"),
        ([("before", "9" * 99)], "before is '999"),
        ([("tenant", "a\n")], "tenant is at most 200 printable characters"),
        ([("id", "x" * 201)], "id is at most"),
        ([("id", str(number)) for number in range(CALL_MAX + 1)], "id may be given 500 times"),
    ],
)
def test_a_query_that_is_not_understood_is_refused(query: list[tuple[str, str]], words: str) -> None:
    """Rather than read as a wider one."""
    code, said = refusal(asked, query, now=NOW)
    assert code == "bad_query"
    assert said.startswith(words)


# Changes.


def test_an_order_is_made_of_numbers_or_of_a_search() -> None:
    """With everything that bounds and spreads it."""
    assert order(seqs=[3, 1, 3]).seqs == (3, 1)
    wanted = order(
        search={"tenant": "acme", "cause": ["rejected", "expired"]},
        limit=5,
        before=9,
        per_s=2,
        starts_in_s=1.5,
        dry_run=True,
    )
    assert wanted.search == Search(tenant="acme", causes=frozenset({Cause.REJECTED, Cause.EXPIRED}))
    assert (wanted.page, wanted.per_s, wanted.starts_in_s, wanted.dry_run) == ((5, 9), 2, 1.5, True)
    assert wanted.change == ("ada", "mended")
    assert order(search={}, all=True).search == Search()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "either seqs or search"),
        ({"seqs": [1], "search": {"tenant": "a"}}, "either seqs or search"),
        ({"seqs": []}, "seqs is a list of 1 to 500 numbers"),
        ({"seqs": [True]}, "seqs is a list"),
        ({"seqs": ["1"]}, "seqs is a list"),
        ({"seqs": list(range(501))}, "seqs is a list"),
        ({"search": {}}, "this search means every dead letter"),
        ({"search": {"state": "dead"}}, "this search means every dead letter"),
        ({"search": {"state": "waiting", "tenant": "a"}}, "only dead letters can be changed"),
        ({"search": []}, "search is an object"),
        ({"search": {"tenant": 1}}, "search.'tenant' is a text or a list of texts"),
        ({"search": {"tenant": "a"}, "limit": 501}, "limit has to be a whole number, 1 to 500"),
        ({"search": {"tenant": "a"}, "limit": 1.5}, "limit has to be a whole number"),
        ({"seqs": [1], "per_s": 0}, "per_s has to be a number, 0.1 to 100000"),
        ({"seqs": [1], "per_s": True}, "per_s has to be a number"),
        ({"seqs": [1], "starts_in_s": -1}, "starts_in_s has to be a number"),
        ({"seqs": [1], "dry_run": 1}, "dry_run is true or false"),
        ({"seqs": [1], "reason": " "}, "a change needs a reason"),
        ({"seqs": [1], "reason": None}, "a change needs a reason"),
        ({"seqs": [1], "force": True}, "'force' is not a key here"),
    ],
)
def test_an_order_that_is_not_understood_changes_nothing(body: dict[str, object], words: str) -> None:
    """It is refused in words."""
    code, said = refusal(order, **body)
    assert code == "bad_change"
    assert said.startswith(words)


@pytest.mark.parametrize("body", [None, [], "x", 1])
def test_an_order_is_an_object(body: object) -> None:
    """Nothing else is."""
    assert refusal(order_of, body, actor="ada", now=NOW) == ("bad_change", "the body has to be one JSON object")


@pytest.mark.parametrize(
    ("actor", "reason"),
    [
        ("", "r"),
        (" ", "r"),
        ("a\nb", "r"),
        ("a", "r\x1b[2J"),
        ("a" * (ACTOR_MAX + 1), "r"),
        ("a", "r" * (REASON_MAX + 1)),
        ("a", "r\u202e"),
    ],
)
def test_actor_and_reason_are_one_printable_line_each(actor: str, reason: str) -> None:
    """The audit is read in terminals."""
    assert refusal(change_of, actor, reason)[0] == "bad_change"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["tenant", "id", "seqs"]), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = ["seqs", "search", "all", "reason", "dry_run", "per_s", "starts_in_s", "limit", "before"]


@given(st.dictionaries(st.sampled_from(KEYS), JSON, max_size=9))
def test_any_body_is_an_order_within_its_bounds_or_refused(body: dict[str, Any]) -> None:
    """Never a crash, never a change of everything that does not say so."""
    try:
        made = order_of(body, actor="ada", now=NOW)
    except AdminRefusal:
        return
    assert bool(made.seqs) != (made.search is not None)
    assert 1 <= made.page.limit <= CALL_MAX
    assert made.search != Search() or body["all"] is True


@given(st.lists(st.tuples(st.sampled_from(["state", "cause", "id", "since", "limit", "tenant"]), TEXT), max_size=4))
def test_any_query_is_a_search_or_refused(query: Iterable[tuple[str, str]]) -> None:
    """As any body."""
    try:
        _, page = asked(query, now=NOW)
    except AdminRefusal:
        return
    assert 1 <= page.limit <= CALL_MAX
