"""Runs AppInspect in its own environment: ``.venv-splunk/bin/python tests/splunk_app/appinspect.py inspect …``.

One of its packages colours words on a terminal and comes as source only; nothing is built here, so words stay plain.
"""

import sys
import types


class _Plain:
    """Every colour is a function that leaves the text as it is."""

    def __getattr__(self, _colour: str) -> type[str]:
        return str


if __name__ == "__main__":
    sys.modules["painter"] = types.ModuleType("painter")
    sys.modules["painter"].__dict__["paint"] = _Plain()
    from splunk_appinspect.main import execute

    execute()
