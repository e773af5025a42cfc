"""The targets accept their seeds, and detect faults of the project."""

from pathlib import Path
from typing import Any

import pytest

from custom_components.imap_push.imap import Discovery, Security, Server, Source
from custom_components.imap_push.imap.watch.delivery import Delivery
from custom_components.imap_push.imap.wire.protocol import PushProtocol
from custom_components.imap_push.imap.wire.receiver import Receiver

from .inputs import committed
from .promises import check_filename, check_text
from .target import Target, Violation
from .targets import TARGETS, account, discovery, filename, message

EACH = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)


def run_seeds(name: str) -> None:
    """Run all seeds of a target."""
    for data in TARGETS[name].seeds():
        TARGETS[name].execute(data)


@EACH
def test_seeds_show_no_fault(target: Target) -> None:
    """Input like that of real servers and programs violates no guarantee."""
    run_seeds(target.name)


@EACH
def test_seeds_are_the_same_each_time(target: Target) -> None:
    """A run can be repeated with its seed only if it starts from the same inputs."""
    assert target.seeds() == target.seeds()


@pytest.mark.parametrize(
    ("target", "path"),
    [(target, path) for target in TARGETS for path in committed(target)],
    ids=lambda value: value.stem if isinstance(value, Path) else value,
)
def test_former_fault_is_fixed(target: str, path: Path) -> None:
    """An input that showed a fault in the past is handled correctly."""
    TARGETS[target].execute(path.read_bytes())


def fail(*_args: object, **_options: object) -> Any:
    """Raise an exception that no code expects."""
    raise LookupError("planted")


@pytest.mark.parametrize("target", ["receive", "account", "message"])
def test_error_that_ends_a_connection_is_detected(
    target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine turns its own errors into an end of the connection, which would hide them."""
    monkeypatch.setattr(Receiver, "_data", fail)
    with pytest.raises(LookupError, match="planted"):
        run_seeds(target)


def test_error_of_a_request_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request may fail only with an ImapError."""
    monkeypatch.setattr("custom_components.imap_push.imap.client.client.search", fail)
    with pytest.raises(LookupError, match="planted"):
        run_seeds("account")


def test_data_from_before_tls_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Data from before TLS could be injected and must be discarded."""
    monkeypatch.setattr(PushProtocol, "_forget_plain_text", lambda _: None)
    with pytest.raises(Violation, match="from before TLS"):
        run_seeds("receive")


def test_too_many_commands_are_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    """An account that sends too many commands is a fault."""
    monkeypatch.setattr(account, "_BURST", 0)
    monkeypatch.setattr(account, "_COMMANDS_PER_SECOND", 0)
    with pytest.raises(Violation, match="too many"):
        run_seeds("account")


def test_message_that_does_not_arrive_is_detected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The engine drops the message to provoke this."""

    async def drop(*_args: object) -> None:
        pass

    monkeypatch.setattr(Delivery, "_deliver", drop)
    with pytest.raises(Violation, match="does not arrive"):
        run_seeds("message")


def test_large_event_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is that of Home Assistant's recorder."""
    monkeypatch.setattr(message, "new_mail_from_arrival", lambda *_, **__: "x" * 40_000)
    with pytest.raises(Violation, match="32 KB"):
        run_seeds("message")


def test_unsafe_filename_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    """The target checks the result of safe_filename."""
    monkeypatch.setattr(filename, "safe_filename", lambda name, _: name or "x")
    with pytest.raises(Violation):
        run_seeds("filename")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "x.0x7f"])
def test_unsafe_host_is_detected(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Discovery must not return a server whose host is not a public name."""
    server = Server(host=host, port=993, security=Security.TLS, username="x")
    found = Discovery(server=server, source=Source.AUTOCONFIG, is_trusted=True)

    async def discover(*_: object) -> list[Discovery]:
        return [found]

    monkeypatch.setattr(discovery, "discover", discover)
    with pytest.raises(Violation, match="as a host|a host that"):
        run_seeds("discovery")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a/b",
        "a\\b",
        "..",
        ".hidden",
        "a.",
        "a ",
        "CON",
        "nul.txt",
        "clock$",
        "com1 .txt",
        "a:b",
        "a\0",
        "a\x85b",
        "a\u202eb",
        "a\u2066b",
        "\U000e0041",
        "a\u2028b",
        "\u3000",
        "\u200ba",
        "\xe4" * 128,
    ],
    ids=ascii,
)
def test_unsafe_filename_is_rejected(name: str) -> None:
    """Each name is invalid or has a special meaning on some system."""
    with pytest.raises(Violation):
        check_filename(name)


@pytest.mark.parametrize(
    "name",
    ["a", "report.pdf", "console.txt", "R\xe9sum\xe9 \u4f60.tar.gz", "\xe4" * 100],
)
def test_safe_filename_is_accepted(name: str) -> None:
    """Ordinary names are accepted."""
    check_filename(name)


@pytest.mark.parametrize(
    ("text", "is_one_line"),
    [
        ("a\nb", True),
        ("a\tb", True),
        ("a\x1bb", False),
        ("a\rb", False),
        ("a\x9bb", False),
        ("a\u200e", False),
        ("a\U000e0041b", False),
        ("\ufeffa", False),
        ("a\u200b", False),
    ],
    ids=ascii,
)
def test_hidden_characters_are_rejected(text: str, is_one_line: bool) -> None:
    """Invisible characters are detected."""
    with pytest.raises(Violation):
        check_text("subject", text, is_one_line=is_one_line)


def test_visible_text_is_accepted() -> None:
    """Text of several lines and joined emoji are accepted."""
    check_text("text", "a\n\tb \U0001f468\u200d\U0001f469", is_one_line=False)
