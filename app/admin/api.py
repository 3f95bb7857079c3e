"""``/admin…``: the admin API as an ASGI application. Nothing is answered before the admin token was found right.

A right token is never made to wait or refused because of others' wrong ones: what wrong ones get is a late answer,
and beyond a few at once a refusal, so that neither the log nor the processor is theirs to fill.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import orjson
import structlog
from fastapi import Request, Response
from starlette.datastructures import QueryParams

from app.admin.serialization import Json
from app.admin.service import Action, Desk, action_of, spool_refused
from app.admin.token import AdminToken
from app.admin.tries import Tries
from app.asgi import Receive, Scope, Send
from app.errors import AdminRefusal, RelayError

PATH: Final = "/admin"
ROUTES: Final[Mapping[str, str]] = {
    "/admin/api/deliveries": "GET",
    "/admin/api/deliveries/{delivery_id}": "GET",
    "/admin/api/deliveries/redeliver": "POST",
    "/admin/api/deliveries/discard": "POST",
    "/admin/api/audit": "GET",
    "/admin/api/stats": "GET",
    "/admin/api/status": "GET",
    "/admin/api/refused": "GET",
    "/admin/api/refused/seen": "POST",
    "/admin/api/destinations": "GET",
    "/admin/api/tenants": "GET",
}
"""Every path and its method, as documented."""
ACTOR: Final = "admin API"
"""Who changed something, if the request does not say."""
BODY_BYTES_MAX: Final = 65_536
BODY_DEADLINE_S: Final = 10.0
_JSON: Final = "application/json"
_HEADERS: Final = {"cache-control": "no-store", "x-content-type-options": "nosniff"}

_log = structlog.get_logger()


class AdminApi:
    """See the module. One for a relay, on the spool that it works on."""

    def __init__(
        self,
        desk: Desk,
        token: AdminToken | None,
        *,
        refused: Callable[[str], None],
        tries: Tries | None = None,
    ) -> None:
        """``refused`` is told the code word of every refusal.

        ``token`` is ``None`` on the socket of ``app.admin.local`` and nowhere else: whoever can open that is let in.
        """
        self._desk = desk
        self._token = token
        self._refused = refused
        self._tries = tries or Tries()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request below ``/admin``, its path without a slash at the end."""
        request = Request(scope, receive)
        try:
            response = await self._response(request)
        except AdminRefusal as refused:
            response = self._refusal(refused)
        except (RelayError, OSError) as fault:
            response = self._refusal(spool_refused(fault))
        except Exception:  # noqa: BLE001 - whatever it was, the operator gets an answer and the log the trace
            _log.exception("admin.failed", path=_shown(scope))
            response = self._refusal(AdminRefusal("failed", "a fault of the relay's own; its log has the trace"))
        response.headers.update(_HEADERS)
        await response(scope, receive, send)

    async def _response(self, request: Request) -> Response:
        await self._let_in(request)
        return Response(orjson.dumps(await self._answer(request)), media_type=_JSON)

    def _refusal(self, refused: AdminRefusal) -> Response:
        self._refused(refused.code)
        body = orjson.dumps({"error": refused.code, "words": refused.words})
        response = Response(body, refused.status, media_type=_JSON)
        if refused.code == "bad_admin_token":
            response.headers["www-authenticate"] = "Bearer"
        if refused.allow:
            response.headers["allow"] = refused.allow
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
        client = request.client.host if request.client else None
        await self._tries.refuse(path=_shown(request.scope), client=client)

    async def _answer(self, request: Request) -> Json:
        match str(request.scope["path"]).removeprefix(f"{PATH}/api").split("/")[1:]:
            case ["deliveries", name] if (action := action_of(name)) is not None:
                _only("POST", request.method)
                return await self._change(action, await _json(request), _actor(request))
            case ["refused", "seen"]:
                _only("POST", request.method)
                return await self._desk.mark_seen(actor=_actor(request))
            case ["deliveries", delivery_id] if delivery_id:
                _only("GET", request.method)
                return await self._desk.delivery(delivery_id)
            case [name] if name in _LOOKS:
                _only("GET", request.method)
                return await _LOOKS[name](self._desk, request.query_params)
        raise AdminRefusal("not_found", "nothing lives at this path; docs/http.md lists those that are")

    async def _change(self, action: Action, body: object, actor: str) -> Json:
        answer = await self._desk.change(action, body, actor=actor)
        if answer["changed"]:
            _log.info("deliveries.changed", action=action, actor=actor, deliveries=answer["changed"])
        return answer


_LOOKS: Final[Mapping[str, Callable[[Desk, QueryParams], Awaitable[Json]]]] = {
    "deliveries": lambda desk, query: desk.deliveries(query.multi_items()),
    "destinations": lambda desk, query: desk.destinations(query.get("search", "")),
    "tenants": lambda desk, query: desk.tenants(query.get("search", "")),
    "audit": lambda desk, query: desk.audit(query.multi_items()),
    "stats": lambda desk, _query: desk.stats(),
    "status": lambda desk, _query: desk.status(),
    "refused": lambda desk, _query: desk.refused(),
}
"""What is only looked at, by the last part of its path."""


def _only(wanted: str, method: str) -> None:
    if method != wanted:
        raise AdminRefusal("method_not_allowed", f"this path takes {wanted} only", allow=wanted)


def _header(request: Request, name: bytes) -> bytes:
    """The one value of a header; empty if it is missing or came twice."""
    found = [value for key, value in request.scope["headers"] if key == name]
    return bytes(found[0]) if len(found) == 1 else b""


def _token_of(request: Request) -> bytes | None:
    """What was given as the token. No password and no cookie is taken: a browser sends those along unasked."""
    kind, _, given = _header(request, b"authorization").partition(b" ")
    if kind.lower() == b"bearer":
        return given.strip()
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
