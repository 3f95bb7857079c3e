"""How many examples a test of Hypothesis tries, where the usual number would be too many or too few."""

from hypothesis import Phase, settings

FULL = 100
"""The examples of the profile ``full``."""


def examples(count: int) -> settings:
    """So many in the profile ``full``, and in the others as many more or fewer as these have."""
    return settings(max_examples=max(1, count * settings().max_examples // FULL))


def machine(count: int, *, steps: int, shrink: bool = True) -> settings:
    """For a state machine: so many examples in the profile ``full``, each of at most ``steps`` steps.

    Without ``shrink`` a failure is shown as it was found: where real time passes, a smaller one need not fail.
    """
    return settings(
        examples(count),
        stateful_step_count=steps,
        report_multiple_bugs=False,
        phases=[each for each in Phase if each is not Phase.explain and (shrink or each is not Phase.shrink)],
    )
