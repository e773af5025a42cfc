"""Messages as octets, and their BODYSTRUCTURE from an independent implementation."""

from email.message import EmailMessage, Message
from typing import Final

from hypothesis import strategies as st

from custom_components.imap_push.imap.mime.attachments import filename_of
from custom_components.imap_push.imap.mime.budget import Budget
from custom_components.imap_push.imap.mime.part import Part, Role, roles
from custom_components.imap_push.imap.wire.parser import Value

SUBTYPES: Final = ("mixed", "alternative", "related", "signed", "report", "digest")
NAMES: Final = (None, "a.bin", "Größe.pdf", "ä" * 40 + ".png")


def outline(root: Part | None) -> list[tuple[str, str, str, str, bytes, Role]]:
    """Return number, type, file name, encoding, Content-ID and role of each part."""
    budget = Budget(1_000_000)
    return [
        (
            part.number,
            part.content_type,
            filename_of(part, budget),
            # A server sends the default.
            part.encoding.replace("7bit", ""),
            part.content_id,
            role,
        )
        for part, role in (roles(root, budget) if root else ())
    ]


def split(octets: bytes) -> tuple[bytes, bytes]:
    """Return header and body as a server sends them."""
    header, blank, body = octets.partition(b"\r\n\r\n")
    return header + blank, body


def octets_of(message: Message) -> bytes:
    """Return the octets of a message."""
    lines = b"MIME-Version: 1.0\n" + message.as_bytes()
    return lines.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def structure_of(message: Message) -> Value:
    """Return BODYSTRUCTURE (RFC 3501 7.4.2) according to the standard library."""
    parameters = _parameters(message.get_params(header="content-type"))
    dispositions = message.get_params(header="content-disposition")
    disposition: Value = None
    if dispositions:
        disposition = dispositions[0][0].encode(), _parameters(dispositions)
    if message.is_multipart() and message.get_content_maintype() == "multipart":
        parts = tuple(structure_of(part) for part in message.iter_parts())  # type: ignore[attr-defined]
        subtype = message.get_content_subtype().encode()
        return (*parts, subtype, parameters, disposition, None, None)
    content_id = message.get("content-id")
    encoding = str(message.get("content-transfer-encoding") or "7bit").encode()
    return (
        message.get_content_maintype().encode(),
        message.get_content_subtype().encode(),
        parameters,
        content_id and str(content_id).encode(),
        None,
        encoding,
        b"1",
        *((b"1",) if message.get_content_maintype() == "text" else ()),
        None,
        disposition,
        None,
        None,
    )


def _parameters(pairs: list[tuple[str, str]] | None) -> Value:
    """Return names and values of parameters in turn; names in the form of RFC 2231."""
    found: list[bytes] = []
    for name, value in (pairs or [])[1:]:
        if value.isascii():
            found += (name.encode(), value.encode())
        else:
            quoted = "".join(f"%{octet:02X}" for octet in value.encode())
            found += (f"{name}*".encode(), b"utf-8''" + quoted.encode())
    return tuple(found) or None


@st.composite
def _leaves(draw: st.DrawFn) -> EmailMessage:
    message = EmailMessage()
    disposition = draw(st.sampled_from([None, "inline", "attachment"]))
    name = draw(st.sampled_from(NAMES))
    if draw(st.booleans()):
        subtype = draw(st.sampled_from(["plain", "html", "calendar"]))
        text = draw(st.sampled_from(["", "x\n", "Grüße\n"]))
        message.set_content(text, subtype, disposition=disposition, filename=name)
    else:
        kind = draw(st.sampled_from([("application", "pdf"), ("image", "png")]))
        content_id = draw(st.sampled_from([None, "<a@b>"]))
        message.set_content(
            b"x",
            *kind,
            disposition=disposition or "inline",
            filename=name,
            cid=content_id,
        )
    return message


@st.composite
def _containers(
    draw: st.DrawFn, children: st.SearchStrategy[EmailMessage]
) -> EmailMessage:
    message = EmailMessage()
    message["Content-Type"] = f"multipart/{draw(st.sampled_from(SUBTYPES))}"
    for child in draw(st.lists(children, min_size=1, max_size=4)):
        message.attach(child)
    return message


MESSAGES: Final = st.recursive(_leaves(), _containers, max_leaves=12)
