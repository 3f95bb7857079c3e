"""``make console-pictures``: the pictures of docs/console.md, of the console as it is."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.async_api import async_playwright

from tests.browser.conftest import ARGUMENTS, CHROMIUM, MISSING
from tests.browser.console_world import bad_night, signed_in
from tests.journey.admin_world import ask

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"


async def main() -> None:
    """Overview in light, one delivery in dark."""
    if CHROMIUM is None:
        raise SystemExit(MISSING)
    FOLDER.mkdir(exist_ok=True)
    with TemporaryDirectory() as folder:
        async with bad_night(Path(folder)) as there, async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            dead = (await ask(there, "deliveries", [("state", "dead")])).json["deliveries"]
            for name, path, scheme in (
                ("overview", "", "light"),
                ("delivery", f"deliveries/{dead[0]['delivery_id']}", "dark"),
            ):
                size = {"width": 1000, "height": 700}
                async with signed_in(browser, there, color_scheme=scheme, viewport=size) as (page, _):
                    await page.goto(f"http://127.0.0.1:{there.port}/admin/{path}")
                    await page.screenshot(path=FOLDER / f"console-{name}-{scheme}.png", full_page=True)
            await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
