"""``/admin…``: the admin API as an ASGI application. Nothing is answered before the admin token was found right.

A right token is never made to wait or refused because of others' wrong ones: what wrong ones get is a late answer,
and beyond a few at once a refusal, so that neither the log nor the processor is theirs to fill.
"""

import asyncio
from base64 import b64decode
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import suppress
from typing import Any, Final

import orjson
import structlog
from fastapi import Request, Response

from app.admin import page
from app.admin.errors import AdminRefusal
from app.admin.serialization import Json
from app.admin.service import Action, Desk, action_of, spool_refused
from app.admin.token import AdminToken
from app.errors import RelayError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PATH: Final = "/admin"
ROUTES: Final[Mapping[str, str]] = {
    "/admin": "GET",
    "/admin/api/deliveries": "GET",
    "/admin/api/deliveries/{delivery_id}": "GET",
    "/admin/api/deliveries/redeliver": "POST",
    "/admin/api/deliveries/discard": "POST",
    "/admin/api/audit": "GET",
    "/admin/api/stats": "GET",
    "/admin/api/status": "GET",
}
"""Every path and its method, as documented."""
ACTOR: Final = "admin API"
"""Who changed something, if the request does not say."""
BODY_BYTES_MAX: Final = 65_536
BODY_DEADLINE_S: Final = 10.0
WRONG_AT_ONCE_MAX: Final = 10
"""Requests with a wrong token that are kept waiting at once; more are refused without a wait."""
WRONG_WAIT_S: Final = 1.0
_JSON: Final = "application/json"
_HEADERS: Final = {"cache-control": "no-store", "x-content-type-options": "nosniff"}

_log = structlog.get_logger()


class AdminApi:
    """See the module. One for a relay, on the spool that it works on."""

    def __init__(self, desk: Desk, token: AdminToken | None, *, refused: Callable[[str], None]) -> None:
        """``refused`` is told the code word of every refusal.

        ``token`` is ``None`` on the socket of ``app.admin.local`` and nowhere else: whoever can open that is let in.
        """
        self._desk = desk
        self._token = token
        self._refused = refused
        self._waiting = 0
        self._tries = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request below ``/admin``, its path without a slash at the end."""
        request = Request(scope, receive)
        try:
            response = await self._response(request)
        except AdminRefusal as refused:
            response = self._refusal(refused, scope)
        except (RelayError, OSError) as fault:
            response = self._refusal(spool_refused(fault), scope)
        except Exception:  # noqa: BLE001 - whatever it was, the operator gets an answer and the log the trace
            _log.exception("admin.failed", path=_shown(scope))
            response = self._refusal(AdminRefusal("failed", "a fault of the relay's own; its log has the trace"), scope)
        response.headers.update(_HEADERS)
        await response(scope, receive, send)

    async def _response(self, request: Request) -> Response:
        await self._let_in(request)
        if request.scope["path"] == PATH:
            _only("GET", request.method)
            return Response(page.page(await self._desk.stats()), 200, page.HEADERS, "text/html")
        return Response(orjson.dumps(await self._answer(request)), media_type=_JSON)

    def _refusal(self, refused: AdminRefusal, scope: Scope) -> Response:
        self._refused(refused.code)
        body = orjson.dumps({"error": refused.code, "words": refused.words})
        response = Response(body, refused.status, media_type=_JSON)
        if refused.code == "bad_admin_token":
            response.headers["www-authenticate"] = "Basic" if scope["path"] == PATH else "Bearer"
        return response

    async def _let_in(self, request: Request) -> None:
        """Return for the right token, at once.

        Raises:
            Refused: it is not, after a while, or at once if many wait already.
        """
        if self._token is None:
            return
        given = _token_of(request)
        if given is not None and self._token.matches(given):
            return
        self._tries += 1
        if self._waiting >= WRONG_AT_ONCE_MAX:
            raise AdminRefusal("too_many_tries", "too many requests with a wrong admin token")
        self._waiting += 1
        try:
            await asyncio.sleep(WRONG_WAIT_S)
        finally:
            self._waiting -= 1
            tries, self._tries = self._tries, 0
            client = request.client.host if request.client else None
            _log.warning(
                "admin.refused", code="bad_admin_token", path=_shown(request.scope), client=client, tries=tries
            )
        raise AdminRefusal("bad_admin_token", "the header Authorization: Bearer … has to carry the admin token")

    async def _answer(self, request: Request) -> Json:
        desk, method = self._desk, request.method
        pairs = request.query_params.multi_items()
        match str(request.scope["path"]).removeprefix(f"{PATH}/api").split("/")[1:]:
            case ["deliveries"]:
                _only("GET", method)
                return await desk.deliveries(pairs)
            case ["deliveries", name] if (action := action_of(name)) is not None:
                _only("POST", method)
                return await self._change(action, await _json(request), _actor(request))
            case ["deliveries", delivery_id] if delivery_id:
                _only("GET", method)
                return await desk.delivery(delivery_id)
            case ["audit"]:
                _only("GET", method)
                return await desk.audit(pairs)
            case ["status"]:
                _only("GET", method)
                return await desk.status()
            case ["stats"]:
                _only("GET", method)
                return await desk.stats()
        raise AdminRefusal("not_found", "nothing lives at this path; docs/http.md lists those that are")

    async def _change(self, action: Action, body: object, actor: str) -> Json:
        answer = await self._desk.change(action, body, actor=actor)
        if answer["changed"]:
            _log.info("deliveries.changed", action=action, actor=actor, deliveries=answer["changed"])
        return answer


def _only(wanted: str, method: str) -> None:
    if method != wanted:
        raise AdminRefusal("method_not_allowed", f"this path takes {wanted} only")


def _header(request: Request, name: bytes) -> bytes:
    """The one value of a header; empty if it is missing or came twice."""
    found = [value for key, value in request.scope["headers"] if key == name]
    return bytes(found[0]) if len(found) == 1 else b""


def _token_of(request: Request) -> bytes | None:
    """What was given as the token. A browser, which can read the page only, gives it as a password.

    The API takes no password: a browser sends one along with whatever another site makes it post.
    """
    kind, _, given = _header(request, b"authorization").partition(b" ")
    if kind.lower() == b"bearer":
        return given.strip()
    if kind.lower() == b"basic" and request.scope["path"] == PATH:
        with suppress(ValueError):
            return b64decode(given.strip(), validate=True).partition(b":")[2]
    return None


def _actor(request: Request) -> str:
    try:
        return _header(request, b"x-relay-actor").decode() or ACTOR
    except UnicodeDecodeError:
        raise AdminRefusal("bad_change", "the header X-Relay-Actor has to be UTF-8") from None


async def _json(request: Request) -> object:
    """The body. Only JSON that says so is read: no form of any web page can send that."""
    media = _header(request, b"content-type").partition(b";")[0].strip().lower()
    if media != _JSON.encode():
        raise AdminRefusal("not_json", "a change has to come as application/json")
    try:
        async with asyncio.timeout(BODY_DEADLINE_S):
            parsed: object = orjson.loads(await _body(request.receive))
    except TimeoutError:
        raise AdminRefusal("body_too_slow", f"the body was not there within {BODY_DEADLINE_S:g} s") from None
    except orjson.JSONDecodeError:
        raise AdminRefusal("bad_change", "the body is not JSON") from None
    return parsed


async def _body(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)  # also where the sender hung up: what came is then no JSON
        if len(body) > BODY_BYTES_MAX:
            raise AdminRefusal("body_too_large", f"a body has {BODY_BYTES_MAX:_} bytes at most")
    return body


def _shown(scope: Scope) -> str:
    """The path as the log may have it."""
    return str(scope["path"])[:128]
