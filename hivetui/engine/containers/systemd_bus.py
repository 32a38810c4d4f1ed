"""systemd over D-Bus: which containers' units change, without a process and without asking again and again.

The interface is org.freedesktop.systemd1(5). One connection carries everything; a call is made once per connection
(Subscribe) and once per comparison (ListUnitsByPatterns).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import suppress

from dbus_fast import BusType, Message, MessageType
from dbus_fast.aio import MessageBus
from dbus_fast.errors import DBusFastError

from hivetui.engine.model.errors import Unavailable

_SYSTEMD, _MANAGER = "org.freedesktop.systemd1", "org.freedesktop.systemd1.Manager"
_PATH = "/org/freedesktop/systemd1"
_MATCHES = (
    f"type='signal',sender='{_SYSTEMD}',interface='org.freedesktop.DBus.Properties',path_namespace='{_PATH}/unit'",
    f"type='signal',sender='{_SYSTEMD}',interface='{_MANAGER}',member='JobRemoved'",
    f"type='signal',sender='{_SYSTEMD}',interface='{_MANAGER}',member='UnitRemoved'",
)
_PATTERN = "container@*.service"
_UNIT = re.compile(r"container@(.+)\.service")
_ESCAPED = re.compile(r"_([0-9a-f]{2})")
_PROPERTIES = "org.freedesktop.DBus.Properties"
_NOT_IN_A_PATH = re.compile(r"[^A-Za-z0-9]|^[0-9]")
_CALL_SECONDS = 30.0
_MOST_READ = 16
_CALLS = 32
"""Calls in flight: with 900 of them dbus-fast lost its connection."""


class SystemdUnits:
    """The source of a real host; every stream has a connection of its own to the system bus."""

    def __init__(self) -> None:
        self._bus: MessageBus | None = None

    async def changes(self) -> AsyncGenerator[frozenset[str], None]:
        """The containers whose unit changed a property, ended a job, or was unloaded."""
        bus = self._bus = await _connect()
        changed: asyncio.Queue[str] = asyncio.Queue()
        lost = asyncio.ensure_future(bus.wait_for_disconnect())  # type: ignore[no-untyped-call]

        def receive(message: Message) -> None:
            if message.message_type is MessageType.SIGNAL and (container := _container_of(message)):
                changed.put_nowait(container)

        bus.add_message_handler(receive)
        try:
            for match in _MATCHES:
                await _call(bus, "org.freedesktop.DBus", "/org/freedesktop/DBus", "AddMatch", "s", [match])
            await _call(bus, _MANAGER, _PATH, "Subscribe")
            yield frozenset()
            while True:
                yield await _next(changed, lost)
        finally:
            self._bus = None
            lost.cancel()
            bus.disconnect()

    async def active_states(self) -> dict[str, str]:
        """The state of every loaded unit, with one call."""
        if self._bus is None:
            raise _unavailable("There is no connection.")
        found = await _call(self._bus, _MANAGER, _PATH, "ListUnitsByPatterns", "asas", [[], [_PATTERN]])
        rows = {match[1]: str(row[3]) for row in found.body[0] if (match := _UNIT.fullmatch(str(row[0])))}
        return {container: state for container, state in rows.items() if state != "inactive"}

    async def properties(self, containers: Collection[str]) -> dict[str, dict[str, str]]:
        """One call a unit, of at most 16: for more, one `systemctl` takes less of this process than the answers do."""
        if self._bus is None:
            raise _unavailable("There is no connection.")
        if len(containers) > _MOST_READ:
            raise _unavailable(f"{len(containers)} units are too many to be read one by one.")
        bus, free = self._bus, asyncio.Semaphore(_CALLS)

        async def read(container: str) -> dict[str, str]:
            async with free:
                found = await _call(bus, _PROPERTIES, _unit_path(container), "GetAll", "s", [""])
            return {name: _show(name, value.value) for name, value in found.body[0].items()}

        return dict(zip(containers, await asyncio.gather(*map(read, containers)), strict=True))


async def _connect() -> MessageBus:
    try:
        return await asyncio.wait_for(MessageBus(bus_type=BusType.SYSTEM).connect(), _CALL_SECONDS)
    except (OSError, TimeoutError, ValueError, DBusFastError) as error:
        raise _unavailable(str(error)) from error


async def _call(
    bus: MessageBus, interface: str, path: str, member: str, signature: str = "", body: Sequence[object] = ()
) -> Message:
    """One method call; Unavailable unless it is answered."""
    message = Message(
        destination=_SYSTEMD if path.startswith(_PATH) else interface,
        path=path,
        interface=interface,
        member=member,
        signature=signature,
        body=[*body],
    )
    try:
        answer = await asyncio.wait_for(bus.call(message), _CALL_SECONDS)
    except (OSError, TimeoutError, DBusFastError) as error:
        raise _unavailable(f"{member}: {error}") from error
    if answer is None or answer.message_type is MessageType.ERROR:
        raise _unavailable(f"{member}: {answer.error_name if answer else 'no answer'}")
    return answer


def _unit_path(container: str) -> str:
    """The object of a container's unit; what a path may not have is escaped, as by sd_bus_path_encode(3)."""
    unit = f"container@{container}.service"
    return f"{_PATH}/unit/" + _NOT_IN_A_PATH.sub(lambda match: f"_{ord(match[0]):02x}", unit)


def _show(name: str, value: object) -> str:
    """A property as `systemctl show --timestamp=unix` prints it: times are microseconds on the bus."""
    if name.endswith("Timestamp") and isinstance(value, int):
        return f"@{value // 1_000_000}" if value else ""
    return str(value)


def _unavailable(why: str) -> Unavailable:
    return Unavailable("systemd cannot be reached over D-Bus", why, "Check the host: hivetui doctor")


async def _next(changed: asyncio.Queue[str], lost: asyncio.Future[None]) -> frozenset[str]:
    """Every container that is queued now, at least one; Unavailable when the connection is lost first."""
    getting = asyncio.ensure_future(changed.get())
    await asyncio.wait((getting, lost), return_when=asyncio.FIRST_COMPLETED)
    if not getting.done():
        getting.cancel()
        with suppress(asyncio.CancelledError):
            await getting
        raise _unavailable("The connection was closed.")
    found = {getting.result()}
    while not changed.empty():
        found.add(changed.get_nowait())
    return frozenset(found)


def _container_of(message: Message) -> str:
    """The container that a signal is about; "" for any other unit."""
    if message.member == "PropertiesChanged":
        name = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), (message.path or "").rpartition("/")[2])
    else:
        name = str(next((value for value in message.body if isinstance(value, str) and "@" in value), ""))
    match = _UNIT.fullmatch(name)
    return match[1] if match else ""
