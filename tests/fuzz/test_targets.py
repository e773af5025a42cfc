"""The targets run clean on their seeds, and see what goes wrong in the project."""

from pathlib import Path
from typing import Any

import pytest

from custom_components.imap_push.imap import Discovery, Security, Server, Source
from custom_components.imap_push.imap.wire.protocol import PushProtocol

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
    """What real servers and programs say is understood, and breaks no promise."""
    run_seeds(target.name)


@EACH
def test_seeds_are_the_same_each_time(target: Target) -> None:
    """A run can be repeated by its seed only if it starts from the same inputs."""
    assert target.seeds() == target.seeds()


@pytest.mark.parametrize(
    ("target", "path"),
    [(target, path) for target in TARGETS for path in committed(target)],
    ids=lambda value: value.stem if isinstance(value, Path) else value,
)
def test_fault_of_before_is_gone(target: str, path: Path) -> None:
    """What once went wrong does not go wrong again."""
    TARGETS[target].execute(path.read_bytes())


def fail(*_args: object, **_options: object) -> Any:
    """Raise what nothing expects."""
    raise LookupError("planted")


@pytest.mark.parametrize("target", ["receive", "account", "message"])
def test_error_that_ends_a_connection_is_seen(
    target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine survives its own errors, so that they would be hidden."""
    monkeypatch.setattr(PushProtocol, "_receive_data", fail)
    with pytest.raises(LookupError, match="planted"):
        run_seeds(target)


def test_error_of_a_request_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request may fail with an ImapError, and with nothing else."""
    monkeypatch.setattr("custom_components.imap_push.imap.client.client.search", fail)
    with pytest.raises(LookupError, match="planted"):
        run_seeds("account")


def test_words_from_before_tls_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """What anybody could have injected must not be believed."""
    monkeypatch.setattr(PushProtocol, "_forget_plain_text", lambda _: None)
    with pytest.raises(Violation, match="of before TLS"):
        run_seeds("receive")


def test_storm_of_commands_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """An account that asks more than is good for a server is at fault."""
    monkeypatch.setattr(account, "_BURST", 0)
    monkeypatch.setattr(account, "_COMMANDS_PER_SECOND", 0)
    with pytest.raises(Violation, match="a storm of"):
        run_seeds("account")


def test_message_that_does_not_arrive_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that hides it is enough for that."""
    monkeypatch.setattr(message._Server, "_items", lambda *_: [b"UID 4"])
    with pytest.raises(Violation, match="does not arrive"):
        run_seeds("message")


def test_large_event_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its limit is that of the recorder."""
    monkeypatch.setattr(message, "new_mail_from_arrival", lambda *_, **__: "x" * 40_000)
    with pytest.raises(Violation, match="32 KB"):
        run_seeds("message")


def test_unsafe_filename_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever makes it."""
    monkeypatch.setattr(filename, "safe_filename", lambda name, _: name or "x")
    with pytest.raises(Violation):
        run_seeds("filename")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "x.0x7f"])
def test_unsafe_host_is_seen(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Discovery never finds a server that is no public name."""
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
def test_bad_filename(name: str) -> None:
    """Each means something else, or nothing, on some system."""
    with pytest.raises(Violation):
        check_filename(name)


@pytest.mark.parametrize(
    "name",
    ["a", "report.pdf", "console.txt", "R\xe9sum\xe9 \u4f60.tar.gz", "\xe4" * 100],
)
def test_good_filename(name: str) -> None:
    """What people use is fine."""
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
def test_bad_text(text: str, is_one_line: bool) -> None:
    """What nobody sees is seen."""
    with pytest.raises(Violation):
        check_text("subject", text, is_one_line=is_one_line)


def test_good_text() -> None:
    """Text of several lines, and joined emoji, are fine."""
    check_text("text", "a\n\tb \U0001f468\u200d\U0001f469", is_one_line=False)
