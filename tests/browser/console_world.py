"""A relay in trouble with its console open in a browser: what the tests and the pictures of docs/console.md look at."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page

from app.sandbox.splunk import Fault
from tests.contract.test_spool_postgres import until
from tests.journey.admin_world import TOKEN, admin_world, ask, bury
from tests.journey.relay_world import World, comment

PAGES = (
    "",
    "dead",
    "deliveries",
    "destinations",
    "destinations/acme/main",
    "tenants",
    "refused",
    "audit",
    "redeliver",
    "discard",
)


@asynccontextmanager
async def bad_night(folder: Path) -> AsyncIterator[World]:
    """Three dead letters, twenty delivered, and a hec_token that Splunk has just forgotten."""
    async with admin_world(folder) as there:
        await bury(there, 1, 2, 3)
        for number in range(10, 30):
            await there.post("/sentry/acme", comment(number))
        await there.landed(20)
        there.splunk.always(Fault.code(4))
        for number in range(30, 35):
            await there.post("/sentry/acme", comment(number), headers={"Sentry-Hook-Resource": "comment"})

        async def paused() -> bool:
            return bool((await ask(there, "status")).json["level"] == "not delivering")

        await until(paused)
        await there.post("/sentry/acme", comment(40), secret="a-secret-that-was-rotated-away")
        yield there
        there.splunk.always(None)


@asynccontextmanager
async def signed_in(browser: Browser, there: World, **context: Any) -> AsyncIterator[tuple[Page, list[str]]]:
    """A page of somebody who signed in, and everything the browser complained of since."""
    opened = await browser.new_context(**context)
    page = await opened.new_page()
    complaints: list[str] = []
    at = f"http://127.0.0.1:{there.port}"
    await page.goto(f"{at}/admin")
    await page.fill("#name", "ada")
    await page.fill("#token", TOKEN)
    await page.click("button.first")
    await page.wait_for_selector("#v")
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: None if request.url.startswith(at) else complaints.append(request.url))
    try:
        yield page, complaints
    finally:
        await opened.close()
