"""A real browser: Debian's Chromium, driven by Playwright. Where it is missing, tests say so; in CI that is a fault."""

import os
import shutil
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, async_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP relay.internal 127.0.0.1, MAP evil.example 127.0.0.1",
]
"""No sandbox: tests run as root in containers. Other hosts lead to this machine."""
MISSING = "NO CHROMIUM: the console was not tried in a browser (apt-get install chromium)"


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """One browser a test: it starts in a second, and nothing is left over."""
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            yield started
        finally:
            await started.close()
