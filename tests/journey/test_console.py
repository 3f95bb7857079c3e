"""The console over HTTP, as a browser without JavaScript would use it."""

import re
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.contract.test_spool_postgres import until
from tests.journey.admin_world import TOKEN, admin_world, ask, bury, found
from tests.journey.relay_world import Answered, World, world

OURS = {"Sec-Fetch-Site": "same-origin"}
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


async def look(
    there: World, path: str = "", *, cookie: str = "", form: dict[str, str] | None = None, **headers: str
) -> Answered:
    """One page, or a form sent from it."""
    body = urlencode(form).encode() if form is not None else b""
    lines = {"Host": "relay", "Content-Length": str(len(body))} | ({"Cookie": cookie} if cookie else {})
    if form is not None:
        lines |= OURS | {"Content-Type": "application/x-www-form-urlencoded"}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    target = f"/admin/{path}" if path.strip("/") else f"/admin{path}"
    answer = await there.send(f"{'GET' if form is None else 'POST'} {target} HTTP/1.1\r\n{head}\r\n".encode() + body)
    assert answer is not None
    return answer


async def sign_in(there: World, name: str = "ada", token: str = TOKEN, **more: str) -> str:
    """The cookie of somebody who signed in."""
    answer = await look(there, "signin", form={"name": name, "token": token, "next": ""} | more)
    assert answer.status == 303, answer.body
    return answer.headers["set-cookie"].partition(";")[0]


async def test_every_page_is_shown_to_who_signed_in_and_to_nobody_else(tmp_path: Path) -> None:
    """Under the headers that keep a browser from doing anything else with it."""
    async with admin_world(tmp_path) as there:
        (delivery_id,) = await bury(there, 1)
        cookie = await sign_in(there)
        for path in (*PAGES, f"deliveries/{delivery_id}"):
            shown = await look(there, path, cookie=cookie)
            assert shown.status == 200, path
            assert "script-src 'self'" in shown.headers["content-security-policy"]
            assert shown.headers["cache-control"] == "no-store"
            stranger = await look(there, path)
            assert (stranger.status, b"Sign out" in stranger.body) == (401, False)
        assert (await look(there, "nowhere", cookie=cookie)).status == 404
        assert (await look(there, "deliveries/00000000", cookie=cookie)).status == 404


async def test_a_wrong_token_is_answered_late_and_in_words(tmp_path: Path) -> None:
    """The log says who tried and never what; a name is needed, since it stands in the audit."""
    async with admin_world(tmp_path) as there:
        wrong = await look(there, "signin", form={"name": "ada", "token": "not-the-token-of-anybody"})
        assert wrong.status == 401
        assert b"That is not the admin token." in wrong.body
        assert "set-cookie" not in wrong.headers
        assert there.logged("admin.refused")[0]["path"] == "/admin/signin"
        assert "not-the-token" not in str(there.logs)
        assert (await look(there, "signin", form={"name": " ", "token": TOKEN})).status == 400


async def test_dead_letters_are_redelivered_in_the_name_of_who_signed_in(tmp_path: Path) -> None:
    """The page that asks changes nothing; the form needs a reason; the audit has the name."""
    async with admin_world(tmp_path) as there:
        ids = await bury(there, 1, 2)
        cookie = await sign_in(there, "ada")
        asked = await look(there, f"redeliver?id={ids[0]}", cookie=cookie)
        assert b"Redeliver 1 dead letter?" in asked.body
        assert len(await found(there, ("state", "dead"))) == 2
        without = await look(there, f"redeliver?id={ids[0]}", cookie=cookie, form={"reason": " "})
        assert without.status == 400
        done = await look(there, f"redeliver?id={ids[0]}", cookie=cookie, form={"reason": "mended", "per_s": "50"})
        assert done.status == 303
        await there.landed(1)
        await until(lambda: _has_one_dead(there))
        audit = await look(there, "audit", cookie=cookie)
        assert b"<td>ada (said)</td>" in audit.body
        assert b"mended" in audit.body
        await look(there, "discard", cookie=cookie, form={"reason": "test data"})
        assert b"No dead letters." in (await look(there, "dead", cookie=cookie)).body


async def _has_one_dead(there: World) -> bool:
    return len(await found(there, ("state", "dead"))) == 1


async def test_another_site_can_make_nobody_act(tmp_path: Path) -> None:
    """Whatever cookie comes along: only a request from the console's own pages changes anything."""
    async with admin_world(tmp_path) as there:
        await bury(there, 1)
        cookie = await sign_in(there)
        for headers in ({"Sec_Fetch_Site": "cross-site"}, {"Sec_Fetch_Site": "none", "Origin": "http://evil.example"}):
            refused = await look(there, "discard", cookie=cookie, form={"reason": "x"}, **headers)
            assert refused.status == 403
            assert b"nothing was done" in refused.body
        assert len(await found(there, ("state", "dead"))) == 1
        api = await ask(there, "stats", headers={"Authorization": "", "Cookie": cookie})
        assert api.status == 401


async def test_a_link_from_elsewhere_arrives(tmp_path: Path) -> None:
    """The browser leaves the strict cookie at home: the page comes back to itself once, and then has it."""
    async with admin_world(tmp_path) as there:
        cookie = await sign_in(there)
        bounced = await look(there, "dead?tenant=acme", Sec_Fetch_Site="cross-site")
        assert b'http-equiv="refresh"' in bounced.body
        assert (await look(there, "dead?tenant=acme", cookie=cookie, Sec_Fetch_Site="same-origin")).status == 200
        form = await look(there, "dead?tenant=acme", Sec_Fetch_Site="same-origin")
        assert b'name="next" value="dead?tenant=acme"' in form.body
        there_now = await look(there, "signin", form={"name": "ada", "token": TOKEN, "next": "dead?tenant=acme"})
        assert there_now.headers["location"] == "./dead?tenant=acme"
        away = await look(there, "signin", form={"name": "ada", "token": TOKEN, "next": "//evil.example/"})
        assert away.headers["location"] == "./"


async def test_signing_out_and_a_new_token_end_a_session(tmp_path: Path) -> None:
    """A new admin token signs everybody out, without a restart."""
    async with admin_world(tmp_path) as there:
        cookie = await sign_in(there)
        out = await look(there, "signout", cookie=cookie, form={})
        assert "Max-Age=0" in out.headers["set-cookie"]
        assert (await look(there, "dead", cookie=cookie)).status == 200
        (tmp_path / "admin_token").write_text("another-admin-token-of-a-test")

        async def is_out() -> bool:
            return (await look(there, "dead", cookie=cookie)).status == 401

        await until(is_out)


async def test_an_unchanged_page_is_not_sent_again(tmp_path: Path) -> None:
    """What looks every five seconds costs a tag while nothing changes."""
    async with admin_world(tmp_path) as there:
        await bury(there, 1)
        cookie = await sign_in(there)
        first = await look(there, "dead", cookie=cookie)
        again = await look(there, "dead", cookie=cookie, If_None_Match=first.headers["etag"], X_Relay_Live="1")
        assert (again.status, again.body) == (304, b"")
        await bury(there, 2)
        changed = await look(there, "dead", cookie=cookie, If_None_Match=first.headers["etag"])
        assert changed.status == 200


async def test_what_strangers_say_is_text(tmp_path: Path) -> None:
    """A header of Sentry's that nobody signed cannot become markup."""
    hostile = "<img src=x onerror=alert(1)>"
    async with admin_world(tmp_path) as there:
        body = b"{}"
        answer = await there.post(
            "/sentry/acme", body, headers={"Sentry-Hook-Resource": hostile, "Request-ID": hostile}
        )
        cookie = await sign_in(there, name="<b>ada</b>")
        for path in ("", "deliveries", f"deliveries/{answer.json['delivery']}"):
            shown = (await look(there, path, cookie=cookie)).body
            assert b"<img src=x" not in shown
            assert b"<b>ada</b>" not in shown
        assert b"&lt;img src=x" in shown


@pytest.mark.parametrize("slash", ["", "/"])
async def test_every_link_is_relative_and_leads_to_a_page(tmp_path: Path, slash: str) -> None:
    """So that any prefix of a proxy works, with a slash at the end of a path or without."""
    async with admin_world(tmp_path) as there:
        (delivery_id,) = await bury(there, 1)
        cookie = await sign_in(there)
        for path in ("", "dead", f"deliveries/{delivery_id}", "destinations/acme/main"):
            shown = (await look(there, f"{path}{slash}", cookie=cookie)).body.decode()
            links = re.findall(r'(?:href|src|action)="([^"]*)"', shown)
            assert links
            assert not [link for link in links if link.startswith("/") or ":" in link]
            base = f"/admin/{path}{slash}" if path else f"/admin{slash}"
            for link in {link for link in links if "static/" in link}:
                assert (await get(there, resolved(base, link))).status == 200, (base, link)


def resolved(base: str, link: str) -> str:
    """Where a browser goes from ``base``."""
    parts = base.rsplit("/", 1)[0].split("/")
    for step in link.split("/"):
        if step == "..":
            parts.pop()
        elif step != ".":
            parts.append(step)
    return "/".join(parts)


async def get(there: World, path: str) -> Answered:
    """A plain GET."""
    answer = await there.send(f"GET {path} HTTP/1.1\r\nHost: relay\r\n\r\n".encode())
    assert answer is not None
    return answer


async def test_without_an_admin_token_there_is_no_console(tmp_path: Path) -> None:
    """Closed unless a token is set."""
    async with world(tmp_path) as there:
        assert (await get(there, "/admin")).status == 404
        assert (await get(there, "/admin/signin")).status == 404


def test_templates_say_nothing_that_the_policy_forbids() -> None:
    """No script or style in a page, no markup from a value, no absolute link."""
    folder = Path(__file__).parents[2] / "app" / "console" / "templates"
    for template in folder.glob("*.html"):
        text = template.read_text(encoding="utf-8")
        assert not re.search(r"\|\s*safe|style=|\son[a-z]+=|href=\"/|src=\"/|<style", text), template.name
