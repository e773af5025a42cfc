"""Read a message with Python's `email` package."""

from collections.abc import Iterator
from email import message_from_bytes
from email.headerregistry import AddressHeader, DateHeader
from email.message import EmailMessage
from email.policy import default
from typing import Any, Final

from .reading import (
    File,
    Reading,
    Value,
    address,
    addresses,
    date,
    file,
    line,
    text_line,
)

# Message in message: as it was, without folding its fields again.
_AS_IS: Final = default.clone(refold_source="none", max_line_length=0)


def parse(data: bytes) -> EmailMessage:
    """Return a message as the package understands it."""
    message = message_from_bytes(data, policy=default)
    assert isinstance(message, EmailMessage)
    return message


def read(message: EmailMessage) -> Reading:
    """Return what the package reads; it raises errors for some fields, which are left out."""
    values: dict[str, Value] = {}
    for name, value_of in _FIELDS.items():
        try:
            values[name] = value_of(message)
        except Exception:  # noqa: BLE001
            continue
    try:
        files = tuple(_files(message))
    except Exception:  # noqa: BLE001
        return Reading(values=values)
    return Reading(values=values, files=files)


def body_parts(part: EmailMessage) -> list[EmailMessage]:
    """Return the text parts that a mail program shows, in order.

    Of alternatives, that is the first with plain text, else the first with any text (plain text
    is our documented choice); of multipart/related the first part with text (RFC 2387 3.2). A
    named part is a file.
    """
    if not part.is_multipart():
        return [part] if _is_text(part) else []
    if part.get_content_type() == "message/rfc822":
        return []
    children = [it for it in part.iter_parts() if isinstance(it, EmailMessage)]
    found = list(map(body_parts, children))
    if part.get_content_type() == "multipart/alternative":
        shown = [texts for texts in found if any(map(_has_text, texts))]
        plain = [texts for texts in shown if not any(map(is_html, texts))]
        return [*plain, *shown, []][0]
    if part.get_content_type() == "multipart/related":
        return next(filter(None, found), [])
    return [text for texts in found for text in texts]


def text_of(part: EmailMessage) -> str:
    """Return the decoded text of a part; raise an error for an unknown charset."""
    text = part.get_content()
    assert isinstance(text, str)
    return text


def leaves(part: EmailMessage) -> Iterator[EmailMessage]:
    """Yield the parts that are no multiparts; a message in a message is one part."""
    if part.is_multipart() and part.get_content_maintype() == "multipart":
        for child in part.iter_parts():
            if isinstance(child, EmailMessage):
                yield from leaves(child)
    else:
        yield part


def is_html(part: EmailMessage) -> bool:
    """Return True for HTML."""
    return part.get_content_type() == "text/html"


def _is_text(part: EmailMessage) -> bool:
    return (
        part.get_content_type() in {"text/plain", "text/html"}
        and part.get_content_disposition() != "attachment"
        and not part.get_filename()
    )


def _has_text(part: EmailMessage) -> bool:
    return bool(content(part).strip())


def content(part: EmailMessage) -> bytes:
    """Return the decoded content of a part."""
    if part.get_content_type() == "message/rfc822" and part.is_multipart():
        inner = part.get_payload(0)
        assert isinstance(inner, EmailMessage)
        return inner.as_bytes(policy=_AS_IS)
    if part.is_multipart():
        return b"".join(it.as_bytes(policy=_AS_IS) for it in part.iter_parts())
    octets = part.get_payload(decode=True)
    assert isinstance(octets, bytes)
    return octets


def _files(message: EmailMessage) -> Iterator[File]:
    for part in leaves(message):
        if not _is_text(part):
            yield file(part.get_filename(), part.get_content_type(), content(part))


def _sender(message: EmailMessage) -> Any:
    field = message["From"]
    found = field.addresses if isinstance(field, AddressHeader) else ()
    return found[0] if found else None


def _addresses(message: EmailMessage, name: str) -> Value:
    fields = message.get_all(name, [])
    return addresses(
        it.addr_spec
        for field in fields
        if isinstance(field, AddressHeader)
        for it in field.addresses
    )


def _date(message: EmailMessage) -> str:
    field = message["Date"]
    return date(field.datetime if isinstance(field, DateHeader) else None)


def _text(message: EmailMessage) -> str:
    return text_line("\n".join(map(text_of, body_parts(message))))


_FIELDS: Final = {
    "sender": lambda it: address(found.addr_spec if (found := _sender(it)) else ""),
    "sender_name": lambda it: line(
        found.display_name if (found := _sender(it)) else ""
    ),
    "to": lambda it: _addresses(it, "To"),
    "cc": lambda it: _addresses(it, "Cc"),
    "reply_to": lambda it: _addresses(it, "Reply-To"),
    "subject": lambda it: line(it["Subject"]),
    "message_id": lambda it: line(it["Message-ID"]),
    "date": _date,
    "text": _text,
}
