"""List an inbox with imaplib, which is independent of our client."""

from email import message_from_bytes
from imaplib import IMAP4


def list_inbox(client: IMAP4) -> list[tuple[int, str]]:
    """Return UID and subject of every mail in the inbox; the client must be logged in."""
    client.select(readonly=True)
    _, answers = client.uid("FETCH", "1:*", "(UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    return [
        (_uid(answer[0]), message_from_bytes(answer[1])["Subject"])
        for answer in answers
        if isinstance(answer, tuple)
    ]


def _uid(line: bytes) -> int:
    """Return the UID from `1 (UID 7 BODY[...] {20}`."""
    return int(line.split(b"UID ")[1].split()[0])
