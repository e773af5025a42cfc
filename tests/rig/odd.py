r"""Hooks that make the answers of a light server odd, by the name and the arguments of a command.

    odd("EXAMINE STATUS", tagged(b"NO [INUSE] Mailbox in use"), folder="Work")
    odd("FETCH", changed(rb" FLAGS ", b"\tFLAGS\t"), times=1)

The first argument is the names of `Event`, without UID; the second one is what happens.
"""

from collections.abc import Callable, Iterable
import re

from .light_client import Event, LightClient

type Answer = Callable[[Event], Iterable[bytes]]
type Hook = Callable[[Event], Iterable[bytes] | None]


def odd(
    names: str,
    answer: Answer,
    *,
    about: bytes = b"",
    folder: str = "",
    includes: int = 0,
    during: tuple[float, float] | None = None,
    times: int = 0,
) -> Hook:
    """Return a hook for events with these names; all conditions have to be true.

    `about` is a pattern in the arguments. `folder` is what the event is about. `includes` is a
    UID that FETCH requests and that exists. `during` are seconds since the first connection.
    After so many `times` on a server the usual answer is given.
    """
    key = f"{names} {about!r} {folder} {includes} {during} {id(answer)}"

    def hook(event: Event) -> Iterable[bytes] | None:
        if event.name.decode().removeprefix("UID ") not in names.split():
            return None
        if not re.search(about, event.arguments, re.DOTALL):
            return None
        if folder and event.folder != folder.encode():
            return None
        if includes and includes not in requested(event):
            return None
        if during and not during[0] <= event.seconds < during[1]:
            return None
        event.store.memory[key] += 1
        if times and event.store.memory[key] > times:
            return None
        return answer(event)

    return hook


def requested(event: Event) -> list[int]:
    """Return the UIDs that a UID FETCH requests, of those that exist in the open folder."""
    selected = event.client.selected
    if selected is None or event.name != b"UID FETCH":
        return []
    return selected.uids(event.arguments.partition(b" ")[0])


def tagged(text: bytes, *untagged: bytes, ends: bool = False) -> Answer:
    """Answer with lines and a tagged status, and close the connection if it `ends`."""
    return said(*untagged, b"<tag> " + text, ends=ends)


def said(*lines: bytes, ends: bool = False) -> Answer:
    """Answer with lines in place of the usual ones; <tag> and <exists> are replaced."""

    def answer(event: Event) -> Iterable[bytes]:
        if ends:
            event.client.hang_up()
        return [_filled(line, event) for line in lines]

    return answer


def after(
    seconds: float, *lines: bytes, ends: bool = False, every: bool = False
) -> Answer:
    """Give the usual answer, and send lines later if the client is still in the same IDLE.

    With `every`, they are sent again each time that so many seconds are over.
    """

    def answer(event: Event) -> Iterable[bytes]:
        usual = event.usual()
        client = event.client
        client.memory["idles"] += 1
        number = client.memory["idles"]

        def send(client: LightClient) -> None:
            if not client.is_idle or client.memory["idles"] != number:
                return
            client.say(*(_filled(line, event) for line in lines))
            if ends:
                client.close()
            elif every:
                event.later(seconds, send)

        event.later(seconds, send)
        return usual

    return answer


def also(*lines: bytes, first: bool = False) -> Answer:
    """Add lines to the usual ones: after them, or before the first one."""

    def answer(event: Event) -> Iterable[bytes]:
        usual = event.usual()
        added = [_filled(line, event) for line in lines]
        return [*added, *usual] if first else [*usual, *added]

    return answer


def changed(pattern: bytes, replacement: bytes, *, uid: int = 0) -> Answer:
    """Replace a pattern in the usual lines, or only in the FETCH responses of one mail."""

    def answer(event: Event) -> Iterable[bytes]:
        about = rb"FETCH .*\bUID %d\b" % uid if uid else b""
        return [
            re.sub(pattern, replacement, line, flags=re.DOTALL)
            if re.search(about, line)
            else line
            for line in event.usual()
        ]

    return answer


def without(pattern: bytes) -> Answer:
    """Leave out the usual lines that match a pattern."""
    return lambda event: [
        line for line in event.usual() if not re.search(pattern, line, re.DOTALL)
    ]


def silent(event: Event) -> Iterable[bytes]:
    """Do what the command is for, and answer nothing."""
    event.usual()
    return ()


def dead(event: Event) -> Iterable[bytes]:
    """Close the connection without a word."""
    event.client.hang_up()
    return ()


def slow(seconds: float) -> Answer:
    """Give the usual answer after so many seconds; the next commands wait, too."""

    def answer(event: Event) -> Iterable[bytes]:
        lines = event.usual()
        event.client.hold()
        event.later(seconds, lambda client: client.resume(*lines))
        return ()

    return answer


def _filled(line: bytes, event: Event) -> bytes:
    selected = event.client.selected
    exists = b"%d" % (selected.exists if selected else 0)
    return line.replace(b"<tag>", event.tag).replace(b"<exists>", exists)
