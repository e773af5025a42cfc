"""The fields of a message by name."""

from dataclasses import asdict

from custom_components.imap_push.imap import Mail


def fields_of(mail: Mail) -> dict[str, object]:
    """Return all fields of a message, and those of its attachments."""
    authentication = mail.authentication
    return asdict(mail) | {
        "attachments": tuple(file._asdict() for file in mail.attachments),
        "authentication": authentication and authentication._asdict(),
    }
