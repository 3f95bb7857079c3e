"""The console in a real browser: for everybody, quiet, live, and safe from other sites."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, expect

from tests.browser.console_world import PAGES, bad_night, signed_in
from tests.journey.admin_world import ask
from tests.journey.relay_world import comment

AXE = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "width", [1280, pytest.param(390, marks=pytest.mark.slow), pytest.param(320, marks=pytest.mark.slow)]
)
async def test_every_page_is_for_everybody(tmp_path: Path, browser: Browser, scheme: str, width: int) -> None:
    """No fault that axe knows, nothing in the browser's console, no other host, nothing wider than the window."""
    async with (
        bad_night(tmp_path) as there,
        signed_in(browser, there, color_scheme=scheme, viewport={"width": width, "height": 900}) as (page, complaints),
    ):
        await there.post("/sentry/acme", b"{}", headers={"Sentry-Hook-Resource": "<img src=x onerror=alert(1)>"})
        delivery_id = (await ask(there, "deliveries", [("state", "dead")])).json["deliveries"][0]["delivery_id"]
        for path in (*PAGES, f"deliveries/{delivery_id}"):
            await page.goto(f"http://127.0.0.1:{there.port}/admin/{path}")
            found = await Axe().run(page, options=AXE)
            assert found.violations_count == 0, (path, found.generate_report())
            over = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert over <= 0, path
        assert not complaints


async def test_every_action_works_without_javascript(tmp_path: Path, browser: Browser) -> None:
    """Sign in, ask, give a reason, read the audit, sign out."""
    async with (
        bad_night(tmp_path) as there,
        signed_in(browser, there, java_script_enabled=False) as (page, complaints),
    ):
        await page.get_by_role("link", name="Dead letters", exact=True).click()
        await page.get_by_role("link", name="Discard… acme/main, rejected").click()
        await expect(page.locator("h1")).to_have_text("Discard 3 dead letters?")
        await page.fill("#reason", "test data")
        await page.get_by_role("button", name="Discard 3").click()
        await expect(page.locator("tbody")).to_contain_text("ada (said)")
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.locator("h1")).to_have_text("Sign in")
        assert not [words for words in complaints if "401" not in words]


async def test_a_page_keeps_itself_up_to_date_and_what_is_typed(tmp_path: Path, browser: Browser) -> None:
    """The verdict changes by itself; a half-typed search and its focus stay."""
    async with bad_night(tmp_path) as there, signed_in(browser, there) as (page, complaints):
        await page.focus("#q")
        await page.keyboard.type("abc")
        before = await page.text_content("#v") or ""
        there.splunk.always(None)
        await expect(page.locator("#v")).not_to_have_text(before, timeout=60_000)
        assert await page.input_value("#q") == "abc"
        assert await page.evaluate("document.activeElement.id") == "q"
        assert not complaints


async def test_another_site_cannot_act_in_somebodys_name(tmp_path: Path, browser: Browser) -> None:
    """A form on another site posts to the console: refused, and nothing changes."""
    async with bad_night(tmp_path) as there, signed_in(browser, there) as (page, _):
        target = f"http://127.0.0.1:{there.port}/admin/discard"
        form = f'<form method="post" action="{target}"><input name="reason" value="x"><button>Go</button></form>'
        server = await asyncio.start_server(_answers(f"<!doctype html><title>evil</title>{form}"), "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            await page.goto(f"http://evil.example:{port}/")
            await page.click("button")
            await expect(page.locator("body")).to_contain_text("nothing was done")
        dead = (await ask(there, "deliveries", [("state", "dead")])).json["deliveries"]
        assert len(dead) == 3


def _answers(html: str) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = html.encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    return answer


async def test_a_link_in_a_chat_arrives_signed_in(tmp_path: Path, browser: Browser) -> None:
    """The cookie is strict; the page comes back to itself once, without a script."""
    async with bad_night(tmp_path) as there, signed_in(browser, there) as (page, _):
        link = f'<!doctype html><title>chat</title><a href="http://127.0.0.1:{there.port}/admin/dead">look</a>'
        server = await asyncio.start_server(_answers(link), "127.0.0.1", 0)
        async with server:
            await page.goto(f"http://evil.example:{server.sockets[0].getsockname()[1]}/")
            await page.click("a")
            await expect(page.locator("h1")).to_have_text("3 dead letters")


async def test_hostile_names_stay_text(tmp_path: Path, browser: Browser) -> None:
    """What nobody signed is shown as it is written, and breaks no page."""
    async with bad_night(tmp_path) as there, signed_in(browser, there) as (page, complaints):
        headers = {"Sentry-Hook-Resource": "<img src=x onerror=alert(1)>" + "W" * 200}
        answer = await there.post("/sentry/acme", comment(77), headers=headers)
        await page.goto(f"http://127.0.0.1:{there.port}/admin/deliveries/{answer.json['delivery']}")
        await expect(page.locator("h1")).to_contain_text("<img src=x onerror=alert(1)>")
        over = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert over <= 0
        assert not complaints
