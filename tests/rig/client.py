"""A client of Home Assistant's websocket and REST interfaces."""

import asyncio
import itertools
from types import TracebackType
from typing import Any, Final, Self

from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType

type Json = dict[str, Any]

CALL_SECONDS: Final = 60
FLOWS: Final = "/api/config/config_entries/flow"
OPTIONS_FLOWS: Final = "/api/config/config_entries/options/flow"
SUBENTRY_FLOWS: Final = "/api/config/config_entries/subentries/flow"


class CallError(Exception):
    """Home Assistant refused a call, or the connection ended before its answer."""


class Client:
    """An authenticated websocket connection, and REST requests with the same token."""

    def __init__(self, url: str, token: str) -> None:
        """Talk to the Home Assistant at `url` with an access token."""
        self._url = url
        self._token = token
        self._ids = itertools.count(1)
        self._pending: dict[int, asyncio.Future[Any]] = {}
        self._queues: dict[int, asyncio.Queue[Json]] = {}

    async def __aenter__(self) -> Self:
        """Connect."""
        await self.connect()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Disconnect."""
        await self.close()

    async def connect(self) -> None:
        """Open the websocket and log in on it."""
        self._session = ClientSession(
            self._url, headers={"Authorization": f"Bearer {self._token}"}
        )
        try:
            self._socket = await self._session.ws_connect(
                "/api/websocket", max_msg_size=0
            )
            await _authenticate(self._socket, self._token)
        except BaseException:
            await self._session.close()
            raise
        self._reader = asyncio.create_task(self._read())

    async def close(self) -> None:
        """Close the websocket; pending calls and queues end with an exception."""
        await self._socket.close()
        await self._reader
        await self._session.close()

    async def call(self, command: str, **payload: Any) -> Any:
        """Send a websocket command and return its result."""
        return await self._send(next(self._ids), command, payload)

    async def subscribe(self, command: str, **payload: Any) -> asyncio.Queue[Json]:
        """Send a command that subscribes and return the queue of its events."""
        number = next(self._ids)
        queue = self._queues[number] = asyncio.Queue()
        await self._send(number, command, payload)
        return queue

    async def subscribe_events(self, event_type: str) -> asyncio.Queue[Json]:
        """Return a queue of events: `event_type`, `data`, `time_fired`, `context`."""
        return await self.subscribe("subscribe_events", event_type=event_type)

    async def states(self) -> dict[str, Json]:
        """Return every state by entity ID."""
        return {state["entity_id"]: state for state in await self.call("get_states")}

    async def get_state(self, entity_id: str) -> Json | None:
        """Return the state of an entity, None if it does not exist."""
        return (await self.states()).get(entity_id)

    async def call_service(
        self,
        domain: str,
        service: str,
        data: Json | None = None,
        *,
        target: Json | None = None,
        return_response: bool = False,
    ) -> Json | None:
        """Run an action; return its response data if `return_response` is true."""
        result: Json = await self.call(
            "call_service",
            domain=domain,
            service=service,
            service_data=data or {},
            target=target or {},
            return_response=return_response,
        )
        response: Json | None = result.get("response")
        return response

    async def config_entries(self, domain: str) -> list[Json]:
        """Return the config entries of an integration."""
        entries: list[Json] = await self.call("config_entries/get", domain=domain)
        return entries

    async def reload_entry(self, entry_id: str) -> None:
        """Reload a config entry."""
        path = f"/api/config/config_entries/entry/{entry_id}/reload"
        await self.rest("POST", path)

    async def delete_entry(self, entry_id: str) -> None:
        """Remove a config entry."""
        await self.rest("DELETE", f"/api/config/config_entries/entry/{entry_id}")

    async def start_flow(self, domain: str, **context: Any) -> Json:
        """Start a config flow; with `entry_id`, reconfigure that entry."""
        return await self._step(FLOWS, {"handler": domain, **context})

    async def configure_flow(self, flow_id: str, user_input: Json) -> Json:
        """Answer a step of a config flow."""
        return await self._step(f"{FLOWS}/{flow_id}", user_input)

    async def start_options_flow(self, entry_id: str) -> Json:
        """Start the options flow of an entry."""
        return await self._step(OPTIONS_FLOWS, {"handler": entry_id})

    async def configure_options_flow(self, flow_id: str, user_input: Json) -> Json:
        """Answer a step of an options flow."""
        return await self._step(f"{OPTIONS_FLOWS}/{flow_id}", user_input)

    async def start_subentry_flow(
        self, entry_id: str, subentry_type: str, **context: Any
    ) -> Json:
        """Start a subentry flow; with `subentry_id`, reconfigure that subentry."""
        handler = [entry_id, subentry_type]
        return await self._step(SUBENTRY_FLOWS, {"handler": handler, **context})

    async def configure_subentry_flow(self, flow_id: str, user_input: Json) -> Json:
        """Answer a step of a subentry flow."""
        return await self._step(f"{SUBENTRY_FLOWS}/{flow_id}", user_input)

    async def rest(self, method: str, path: str, body: Any = None) -> Any:
        """Send a REST request and return the decoded response."""
        async with self._session.request(method, path, json=body) as response:
            if response.status >= 400:
                text = await response.text()
                raise CallError(f"{method} {path}: {response.status} {text}")
            return await response.json()

    async def _step(self, path: str, body: Json) -> Json:
        """Send user input and return the flow result: a form, an entry or an abort."""
        result: Json = await self.rest("POST", path, body)
        return result

    async def _send(self, number: int, command: str, payload: Json) -> Any:
        """Send a command and wait for its result."""
        future = asyncio.get_running_loop().create_future()
        self._pending[number] = future
        try:
            await self._socket.send_json({"id": number, "type": command, **payload})
            async with asyncio.timeout(CALL_SECONDS):
                return await future
        finally:
            del self._pending[number]

    async def _read(self) -> None:
        """Dispatch messages until the connection ends."""
        async for message in self._socket:
            if message.type is WSMsgType.TEXT:
                self._dispatch(message.json())
        for future in self._pending.values():
            if not future.done():
                future.set_exception(CallError("the connection has ended"))
        for queue in self._queues.values():
            queue.shutdown()

    def _dispatch(self, message: Json) -> None:
        """Pass a result to its call, an event to its queue."""
        number = message["id"]
        if message["type"] == "event" and number in self._queues:
            self._queues[number].put_nowait(message["event"])
        elif message["type"] == "result" and number in self._pending:
            future = self._pending[number]
            if message["success"]:
                future.set_result(message["result"])
            else:
                future.set_exception(CallError(message["error"]))


async def _authenticate(socket: ClientWebSocketResponse, token: str) -> None:
    """Send the token that the server requires."""
    await socket.receive_json()
    await socket.send_json({"type": "auth", "access_token": token})
    answer = await socket.receive_json()
    if answer["type"] != "auth_ok":
        raise CallError(answer)
