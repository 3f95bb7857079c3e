"""A fault script says everything that ``Fault`` can, and what is wrong in it is said with its place."""

import inspect
from pathlib import Path

import pytest
import yaml

from app.sandbox.splunk import Fault, HecToken, StandInSplunk
from app.sandbox.splunk.fault_script import NAMES, FaultScript, ScriptedFault, fault_script

ENTRIES = {
    "none": Fault.none(),
    "busy": Fault.busy(),
    "busy: {after: 3, retry_after: 2}": Fault.busy(after=3, retry_after=2),
    "busy: 3": Fault.busy(3),
    "status: 502": Fault.status(502),
    "status: {status: 404, html: false, stored: true}": Fault.status(404, html=False, stored=True),
    "code: 26": Fault.code(26),
    "code: {code: 7, number: 2}": Fault.code(7, number=2),
    "accept_then: 24": Fault.accept_then(24),
    "shutting_down": Fault.shutting_down(),
    "hang: {stored: true, s: 30}": Fault.hang(stored=True, s=30),
    "hang: false": Fault.hang(stored=False),
    "stall: 0.5": Fault.stall(0.5),
    "cut: {stored: false, partial_answer: true}": Fault.cut(stored=False, partial_answer=True),
    "ok_html": Fault.ok_html(),
    "ok_empty": Fault.ok_empty(),
    "slow: 2": Fault.slow(2),
    "redirect: https://sso.example/": Fault.redirect("https://sso.example/"),
}
WRONG = {
    "{}": "exactly one fault",
    "{busy: 1, slow: 1}": "exactly one fault",
    "bussy": "exactly one fault",
    "7": "not a fault",
    "slow": "'s'",
    "slow: quickly": "s cannot be 'quickly'",
    "status: true": "status cannot be True",
    "status: 200": "not an HTTP error",
    "code: 29": "not a HEC code",
    "code: 99": "not a HEC code",
    "accept_then: 9": "does not warn",
    "busy: -1": "not a count",
    "busy: {before: 1}": "before",
    "redirect: {location: /, status: 200}": "does not redirect",
    "{none: , times: 0}": "times",
    "{none: , times: true}": "times",
    "{none: , token: 5}": "token",
    "{none: , endpoint: s2s}": "endpoint",
}


@pytest.mark.parametrize("entry", ENTRIES)
def test_an_entry_says_a_fault(entry: str) -> None:
    """By name, with arguments by name or the first one alone."""
    script = fault_script(yaml.safe_load(f"- {entry}"))

    assert script == FaultScript(script=(ScriptedFault(ENTRIES[entry]),))


def test_every_fault_has_its_name() -> None:
    """The names of the script are the class methods of ``Fault``, and each is tried above."""
    made = {name for name, member in vars(Fault).items() if isinstance(member, classmethod)}

    assert set(NAMES) == made == {entry.partition(":")[0] for entry in ENTRIES}


def test_an_entry_says_how_often_and_for_whom() -> None:
    """``times``, ``token`` and ``endpoint`` stand beside the fault."""
    script = fault_script({"always": [{"slow": 0.2, "times": 3, "token": "acme", "endpoint": "ack"}]})

    assert script == FaultScript(always=(ScriptedFault(Fault.slow(0.2), 3, "acme", "ack"),))


@pytest.mark.parametrize("entry", WRONG)
def test_a_wrong_entry_is_told_with_its_place(entry: str) -> None:
    """Section, number and what would be right."""
    with pytest.raises(ValueError, match=rf"always\[1\]: .*{WRONG[entry]}"):
        fault_script(yaml.safe_load(f"always:\n- none\n- {entry}"))


@pytest.mark.parametrize("loaded", ["busy", 5, {"scripts": []}, {"script": "busy"}, None])
def test_a_script_is_a_list_or_two(loaded: object) -> None:
    """Anything else is refused."""
    with pytest.raises(ValueError, match=r"script"):
        fault_script(loaded)


def test_a_script_is_told_to_a_stand_in() -> None:
    """Every entry as often as it says."""
    splunk = StandInSplunk([HecToken("good")])
    fault_script([{"busy": None, "times": 3}, "none"]).tell(splunk)

    assert splunk.faults_left == 4


def test_every_fault_says_what_it_means() -> None:
    """Each class method has its sentence."""
    assert all(inspect.getdoc(getattr(Fault, name)) for name in NAMES)


def test_the_document_knows_every_fault_and_its_example_is_right() -> None:
    """docs/stand-in-splunk.md: the YAML in it loads, and its table names each fault with its arguments."""
    page = (Path(__file__).parents[2] / "docs" / "stand-in-splunk.md").read_text()
    example = page.partition("```yaml\n")[2].partition("```")[0]
    rows = {name: line for line in page.splitlines() for name in NAMES if f"`{name}`" in line.split(" | ")[0]}

    assert len(fault_script(yaml.safe_load(example)).script) == 6
    assert rows.keys() == set(NAMES)
    for name in NAMES:
        arguments = inspect.signature(getattr(Fault, name)).parameters
        assert [each for each in arguments if f"`{each}`" not in rows[name]] == []
