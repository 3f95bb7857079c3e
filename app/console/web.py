"""The console as an ASGI application: sign-in, pages, the two actions. Thin; what a page shows is in ``pages``."""

import hashlib
import re
import time
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import parse_qsl

import structlog
from fastapi import Request, Response

from app import __version__
from app.admin.requests import CALL_MAX
from app.admin.service import Desk, spool_refused
from app.admin.token import AdminToken
from app.admin.tries import Tries
from app.asgi import Receive, Scope, Send
from app.console import origin, pages
from app.console.pages import PAGES, Page, Place
from app.console.render import HEADERS, Assets, Renderer
from app.console.session import NAME_CHARS_MAX, RENEW_S, Person, Sessions, cookie, cookie_of
from app.errors import AdminRefusal, RelayError

PATH: Final = "/admin"
FORM_BYTES_MAX: Final = 16_384
ACTIONS: Final = frozenset({"redeliver", "discard"})
MENU: Final = (
    ("overview", "", "Overview"),
    ("dead", "dead", "Dead letters"),
    ("deliveries", "deliveries", "Deliveries"),
    ("destinations", "destinations", "Destinations"),
    ("tenants", "tenants", "Tenants"),
    ("refused", "refused", "Refused"),
    ("audit", "audit", "Audit"),
)
_PLACE: Final = re.compile(r"(?:[a-z]+(?:/[A-Za-z0-9_-]+){0,2})?(?:\?[\x21-\x7e]*)?")
"""What leads to a page of the console and nowhere else."""
_AS_OF: Final = "@as-of@"
"""Stands for the time in a page whose tag is taken, so that the tag changes only with what is shown."""

_log = structlog.get_logger()


class Console:
    """See the module. One for a relay that has an admin token."""

    def __init__(self, desk: Desk, token: AdminToken, tries: Tries, *, refused: Callable[[str], None]) -> None:
        """``refused`` is told the code word of every refusal."""
        self._desk = desk
        self._token = token
        self._tries = tries
        self._refused = refused
        self._assets = Assets()
        self._render = Renderer(self._assets)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request below ``/admin`` that is not for the API."""
        request = Request(scope, receive)
        try:
            response = await self._response(request)
        except AdminRefusal as refused:
            response = self._fault(request, refused)
        except (RelayError, OSError) as fault:
            response = self._fault(request, spool_refused(fault))
        except Exception:  # noqa: BLE001 - whatever it was, the operator gets an answer and the log the trace
            _log.exception("admin.failed", path=str(scope["path"])[:128])
            response = self._fault(request, AdminRefusal("failed", "a fault of the relay's own; its log has the trace"))
        await response(scope, receive, send)

    async def _response(self, request: Request) -> Response:
        rest = request.scope["path"].removeprefix(PATH).strip("/").split("/")
        if rest[0] == "static" and len(rest) == 2:  # noqa: PLR2004 - static/NAME
            return self._asset(rest[1])
        if not origin.is_own(request.method, request.headers):
            raise AdminRefusal("other_site", "this request comes from another site; nothing was done")
        if rest == ["signin"] and request.method == "POST":
            return await self._sign_in(request)
        person, secure = self._person(request)
        if rest == ["signout"] and request.method == "POST":
            return self._to(request, "", {"set-cookie": cookie("", secure=secure)})
        if person is None:
            return self._signed_out(request)
        response = await self._page(request, rest, person)
        live = "x-relay-live" in request.headers
        if not live and time.time() - person.seen_at > RENEW_S:
            renewed = Sessions(self._token.digest()).write(person._replace(seen_at=time.time()))
            response.headers.append("set-cookie", cookie(renewed, secure=secure))
        return response

    def _asset(self, name: str) -> Response:
        found = self._assets.by_name.get(name)
        if found is None:
            raise AdminRefusal("not_found", "there is no such file")
        headers = {"cache-control": "public, max-age=31536000, immutable", "x-content-type-options": "nosniff"}
        return Response(found[1], media_type=found[0], headers=headers)

    def _person(self, request: Request) -> tuple[Person | None, bool]:
        """Who asks, and whether the cookie came by https."""
        value, secure = cookie_of(request.headers.get("cookie", ""))
        person = Sessions(self._token.digest()).read(value, now=time.time()) if value else None
        return person, secure

    async def _sign_in(self, request: Request) -> Response:
        form = dict(await _form(request))
        given, name = form.get("token", "").encode(), form.get("name", "").strip()[:NAME_CHARS_MAX]
        if not self._token.matches(given):
            client = request.client.host if request.client else None
            try:
                await self._tries.refuse(path=f"{PATH}/signin", client=client)
            except AdminRefusal as refused:
                self._refused(refused.code)
                words = "That is not the admin token." if refused.code == "bad_admin_token" else refused.words
                return self._signed_out(request, fault=words, name=name, status=refused.status)
        if not name or not name.isprintable():
            return self._signed_out(request, fault="Your name goes into the audit.", status=400)
        now = time.time()
        value = Sessions(self._token.digest()).write(Person(name, now, now))
        signed_in = {"set-cookie": cookie(value, secure=origin.is_secure(request.headers))}
        return self._to(request, form.get("next", ""), signed_in)

    def _signed_out(self, request: Request, *, fault: str = "", name: str = "", status: int = 401) -> Response:
        """The form to sign in; for a link of another site first a page that comes back here with the cookie."""
        bounce = request.method == "GET" and origin.is_from_elsewhere(request.headers)
        here = _here(request)
        values = {"bounce": bounce, "fault": fault, "name": name, "next": here if request.method == "GET" else ""}
        page = Page("signin.html", "Sign in", "", values, status=status)
        return self._html(request, page, None)

    async def _page(self, request: Request, rest: list[str], person: Person) -> Response:
        query = request.query_params.multi_items()
        place = Place(rest[1:], query, dict(query))
        match rest:
            case ["find"]:
                return self._to(request, f"deliveries/{place.given.get('q', '').strip()[:64]}")
            case [action] if action in ACTIONS:
                if request.method == "POST":
                    return await self._change(request, action, person)
                page = await pages.confirm(self._desk, Place(rest, query, dict(query)))
            case ["refused", "seen"] if request.method == "POST":
                await self._desk.mark_seen(actor=f"{person.name} (said)")
                return self._to(request, "refused")
            case ["deliveries", _]:
                page = await pages.delivery(self._desk, place)
            case ["destinations", _, _]:
                page = await pages.destination(self._desk, place)
            case [name] if name in PAGES:
                page = await PAGES[name](self._desk, place)
            case _:
                raise AdminRefusal("not_found", "there is no such page")
        if request.method not in origin.SAFE:
            raise AdminRefusal("method_not_allowed", "this page is only looked at")
        return self._html(request, page, person)

    async def _change(self, request: Request, action: str, person: Person) -> Response:
        """Redeliver or discard what the query names, call after call, in the name of who signed in."""
        query = request.query_params.multi_items()
        form = dict(await _form(request))
        body = pages.order_of(query) | {"reason": form.get("reason", ""), "limit": CALL_MAX}
        began, changed, before = time.monotonic(), 0, None
        rate = _rate(form.get("per_s", "")) if action == "redeliver" else None
        while True:
            order = body | {"before": before}
            if rate is not None:
                order |= {"per_s": rate, "starts_in_s": max(0.0, changed / rate - (time.monotonic() - began))}
            answer = await self._desk.change(action, order, actor=f"{person.name} (said)")  # type: ignore[arg-type]
            changed += answer["changed"]
            before = answer["next"]
            if before is None:
                break
        _log.info("deliveries.changed", action=action, actor=person.name, deliveries=changed)
        return self._to(request, "audit")

    def _fault(self, request: Request, refused: AdminRefusal) -> Response:
        self._refused(refused.code)
        person, _ = self._person(request)
        page = Page("fault.html", refused.code.replace("_", " "), "", {"words": refused.words}, status=refused.status)
        return self._html(request, page, person)

    def _html(self, request: Request, page: Page, person: Person | None) -> Response:
        html = self._render(
            page.template,
            page=page,
            root=_root(request),
            person=person,
            menu=MENU,
            version=__version__,
            as_of=_AS_OF,
            as_json=f"{_root(request)}api/{page.api}" if page.api else "",
            look=pages.look,
            **page.values,
        )
        tag = f'"{hashlib.sha256(html.encode()).hexdigest()[:24]}"'
        headers = HEADERS | {"cache-control": "no-store", "etag": tag}
        if page.status == 200 and request.headers.get("if-none-match") == tag:  # noqa: PLR2004 - HTTP's own
            return Response(status_code=304, headers=headers)
        html = html.replace(_AS_OF, time.strftime("%H:%M:%S", time.gmtime()))
        return Response(html, page.status, headers, "text/html; charset=utf-8")

    def _to(self, request: Request, place: str, headers: Mapping[str, str] | None = None) -> Response:
        """Go on to a page of the console, by a relative link: whatever a proxy puts before ``/admin`` stays."""
        where = _root(request) + (place if _PLACE.fullmatch(place) else "")
        always = HEADERS | {"location": where, "cache-control": "no-store"}
        return Response(status_code=303, headers=always | dict(headers or {}))


def _rate(text: str) -> float:
    try:
        return float(text or 50)
    except ValueError:
        raise AdminRefusal("bad_change", "how many a second has to be a number") from None


def _root(request: Request) -> str:
    """What leads from this page to ``/admin/``, whatever a proxy has before it."""
    below = request.scope["raw_path"].decode("latin-1").partition(PATH)[2]
    return "admin/" if not below else "../" * (below.count("/") - 1) or "./"


def _here(request: Request) -> str:
    """This page below ``/admin/``, with its query."""
    path = str(request.scope["path"]).removeprefix(PATH).strip("/")
    query = request.scope["query_string"].decode("latin-1")
    return f"{path}?{query}" if query else path


async def _form(request: Request) -> list[tuple[str, str]]:
    """The fields of a form, bounded."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > FORM_BYTES_MAX:
            raise AdminRefusal("body_too_large", f"a form has {FORM_BYTES_MAX:_} bytes at most")
    return parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=50)
