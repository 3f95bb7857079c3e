"""What readiness may say of claiming, by what was last seen. Pure: every time is an argument."""

PATIENCE_S = 5.0
"""The spool is looked into several times in this time, in seconds; longer without a look is worth a word."""


def claim_trouble(*, silent_s: float | None, fault: str, patience_s: float) -> str | None:
    """Why it cannot be said that everything is delivered, or ``None``.

    Args:
        silent_s: seconds since the spool last gave (or had nothing to give); ``None`` if it never has.
        fault: why the last claim failed; empty if it did not.
        patience_s: silence up to this many seconds is ordinary.
    """
    if fault:
        since = "" if silent_s is None or silent_s < 1 else f" for {silent_s:.0f} s"
        return f"nothing can be claimed from the spool{since}: {fault}"
    if silent_s is None:
        return "nothing has been claimed from the spool yet"
    if silent_s > patience_s:
        return f"the spool has not been asked for deliveries for {silent_s:.0f} s"
    return None
