"""YAML text to plain values: strict where a slip would send data to the wrong place."""

import pytest

from app.errors import ConfigError
from app.tenants.file import yaml_text
from app.tenants.file.faults import Spot


def refusal(text: str | bytes) -> str:
    """The words with which this text is refused."""
    raw = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(ConfigError) as refused:
        yaml_text.parse(raw, file="t.yaml")
    return str(refused.value)


def test_every_scalar_is_text() -> None:
    """A tenant called ``no`` is not False, 007 is not 7, and only an unquoted nothing is None."""
    text = "{no: on, 007: 1.0, a: ~, b: null, c: '~', d: , e: ''}"
    assert yaml_text.parse(text.encode(), file="t") == {
        "no": "on",
        "007": "1.0",
        "a": None,
        "b": None,
        "c": "~",
        "d": None,
        "e": "",
    }


def test_a_key_that_stands_twice_is_refused() -> None:
    """Otherwise the last one would silently win and a tenant vanish."""
    assert refusal("tenants:\n  acme: a\n  acme: b\n") == (
        "t.yaml:3:3: tenants.acme: stands twice; only one of the two can be meant"
    )


def test_an_alias_stands_for_its_anchor() -> None:
    """The same destination twice need not be written twice."""
    assert yaml_text.parse(b"a: &x [1, {b: c}]\nd: *x\n", file="t") == {
        "a": ["1", {"b": "c"}],
        "d": ["1", {"b": "c"}],
    }


def test_aliases_count_as_often_as_they_are_used() -> None:
    """A few lines that would become a billion values are refused, quickly."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert "aliases counted each time" in refusal("\n".join(lines))


def test_nothing_can_contain_itself() -> None:
    """An alias inside its own anchor is refused."""
    assert "not set before it" in refusal("a: &a [*a]")


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_deep_nesting_is_refused_before_it_hurts(opening: str) -> None:
    """A hundred thousand levels exhaust no stack."""
    assert "nested deeper" in refusal(opening * 100_000)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: !!python/object/apply:os.system [ls]", "t.yaml:1:4: a: tags (!) are not used"),
        ("a: !!int 3", "tags (!) are not used"),
        ("a: !x {}", "tags (!) are not used"),
        ("a: {<<: {b: c}}", "merge keys"),
        ("? [a]\n: b", "a key must be text"),
        ("a: 1\n---\nb: 2\n", "t.yaml:2:1: a second document begins here"),
        ("a: 'x", "t.yaml:1:"),
        ("a: [x", "not valid YAML"),
        ("a: [x\nb: c", "did not find expected ',' or ']'"),
        (
            "a:\n\tb: 1",
            "found character that cannot start any token; a tab stands there, indent with spaces",
        ),
        (b"a:\nb: \xff\xfe", "t.yaml:2: not text in UTF-8: "),
        (b"a: \x00", "t.yaml:1: not text in UTF-8: control characters are not allowed"),
    ],
)
def test_what_is_not_plain_yaml_is_refused_with_its_place(text: str | bytes, words: str) -> None:
    """Line and column, then the reason."""
    assert words in refusal(text)


@pytest.mark.parametrize("text", ["a: *hunter2", "a: !hunter2! x", "a: 'hunter2", "a: @hunter2", "a: %hunter2"])
def test_a_refusal_repeats_no_value(text: str) -> None:
    """A secret written into the file by mistake may begin with any character."""
    assert "hunter2" not in refusal(text)


def test_a_file_that_is_too_large_is_refused() -> None:
    """The bound is on bytes, before anything is read out of them."""
    assert "larger than" in refusal(b"#" * (yaml_text.DOCUMENT_BYTES_MAX + 1))


def test_an_empty_text_holds_nothing() -> None:
    """Also one of comments only."""
    assert yaml_text.parse(b"", file="t") is None
    assert yaml_text.parse(b"# nobody yet\n", file="t") is None


def test_positions_are_those_of_an_editor() -> None:
    """Lines and columns count from 1; a key's place is the key's own."""
    spots = yaml_text.spots(b"a:\n  b:\n    - x\n    - {c: d}\n", file="t")
    assert spots == {
        ("a",): Spot(1, 1),
        ("a", "b"): Spot(2, 3),
        ("a", "b", 0): Spot(3, 7),
        ("a", "b", 1): Spot(4, 7),
        ("a", "b", 1, "c"): Spot(4, 8),
    }
