"""Authentication-Results: the examples of RFC 8601, fields of providers, and forged ones."""

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.imap_push.imap.mime.authentication import parse_authentication
from custom_components.imap_push.imap.mime.characters import one_line
from custom_components.imap_push.imap.models import Authentication


@pytest.mark.parametrize(
    ("field", "found"),
    [
        # RFC 8601 appendix B.
        pytest.param("example.org 1; none", Authentication(server="example.org"), id="B.2 no authentication"),
        pytest.param(
            "example.com;\r\n  spf=pass smtp.mailfrom=example.net",
            Authentication(server="example.com", spf="pass"),
            id="B.3 SPF",
        ),
        pytest.param(
            "example.com; auth=pass (cram-md5) smtp.auth=sender@example.net;\r\n  spf=pass smtp.mailfrom=example.net",
            Authentication(server="example.com", spf="pass"),
            id="B.4 several",
        ),
        pytest.param(
            "example.com; dkim=pass reason=\"good signature\" header.i=@mail-router.example.net;"
            " dkim=fail reason=\"bad signature\" header.i=@newyork.example.com",
            Authentication(server="example.com", dkim="pass"),
            id="B.6 two signatures",
        ),
        pytest.param(
            "foo.example.net (foobar) 1 (baz);\r\n dkim (Because I like it) / 1 (One yay) = (wait for it) fail"
            " policy (A dot can go here) . (like that) expired (this surprised me) = (as I wasn't expecting it) 1362471462",
            Authentication(server="foo.example.net", dkim="fail"),
            id="B.7 comments everywhere",
        ),
        # Fields of providers.
        pytest.param(
            "mx.google.com;\r\n dkim=pass header.i=@example.com header.s=s1 header.b=Ax3;\r\n"
            " spf=pass (google.com: domain of a@example.com designates 192.0.2.1 as permitted sender)"
            " smtp.mailfrom=a@example.com;\r\n dmarc=pass (p=REJECT sp=REJECT dis=NONE) header.from=example.com",
            Authentication(server="mx.google.com", spf="pass", dkim="pass", dmarc="pass", domain="example.com"),
            id="Gmail",
        ),
        pytest.param(
            "spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=example.com; dkim=none (message not signed)"
            " header.d=none;dmarc=bestguesspass action=none header.from=example.com;compauth=pass reason=109",
            Authentication(server="", spf="pass", dkim="none", dmarc="bestguesspass", domain="example.com"),
            id="Microsoft, without a server",
        ),
        pytest.param(
            "mx6.messagingengine.com; dkim=fail (body has been altered, 2048-bit rsa key)"
            " header.d=example.com header.i=@example.com; dmarc=fail policy.published-domain-policy=reject"
            " (p=reject) header.from=example.com; spf=softfail smtp.mailfrom=a@example.com smtp.helo=mail",
            Authentication(
                server="mx6.messagingengine.com", spf="softfail", dkim="fail", dmarc="fail", domain="example.com"
            ),
            id="Fastmail",
        ),
        pytest.param(
            "mail.example.net; dmarc=pass (p=none dis=none) header.from=example.com",
            Authentication(server="mail.example.net", dmarc="pass", domain="example.com"),
            id="OpenDMARC",
        ),
        # Forms of the grammar of RFC 8601.
        pytest.param('"mx.example.net" ; SPF = PASS', Authentication(server="mx.example.net", spf="pass"), id="quoted"),
        pytest.param("mx.example.net", Authentication(server="mx.example.net"), id="server alone"),
        pytest.param("mx;dmarc=pass header.from=ada@example.com", Authentication(server="mx", dmarc="pass", domain="example.com"), id="address"),
        # Fields with text of a malicious sender.
        pytest.param("(mx.google.com; dmarc=pass) x.example", Authentication(server="x.example"), id="comment"),
        pytest.param(
            'mx; spf=fail smtp.mailfrom="a; dmarc=pass header.from=b.example"@c.example; dmarc=fail header.from=d.example',
            Authentication(server="mx", spf="fail", dmarc="fail", domain="d.example"),
            id="quoted semicolon",
        ),
        pytest.param(
            "mx; spf=fail smtp.mailfrom=a;dmarc=pass; dmarc=fail",
            Authentication(server="mx", spf="fail", dmarc="fail"),
            id="server that does not quote",
        ),
        pytest.param("mx; dmarc=passed", Authentication(server="mx", dmarc="passed"), id="other word"),
        pytest.param("mx; x-dmarc=pass; dmarc-x=pass", Authentication(server="mx"), id="other methods"),
        pytest.param("mx; dmarc=pass-ish; reason=dmarc=pass", Authentication(server="mx"), id="not a result"),
        pytest.param("mx ä; dmarc=pass", Authentication(server="", dmarc="pass"), id="two words"),
        pytest.param("mx\u200b.example; none", Authentication(server=""), id="invisible character"),
        pytest.param('"mx\x01.example"; none', Authentication(server=""), id="control character"),
        pytest.param("mx.\u017ferver.example; none", Authentication(server=""), id="server with a similar name"),
        pytest.param(
            "mx; dmarc=pass header.from=\u200bb.example", Authentication(server="mx", dmarc="pass"), id="invisible character in the domain"
        ),
        pytest.param(
            'mx; dmarc=pass reason="is header.from=b.example" header.from=d.example',
            Authentication(server="mx", dmarc="pass", domain="d.example"),
            id="quoted reason",
        ),
        pytest.param(
            "mx; spf=pass (of x( ; dmarc=pass header.from=b.example ; @d.example) smtp.mailfrom=d.example; dkim=none",
            Authentication(server="mx", spf="pass"),
            id="comment that a parenthesis of the sender keeps open",
        ),
        pytest.param(
            "mx; spf=pass (of x\\); dmarc=pass header.from=b.example",
            Authentication(server="mx", spf="pass"),
            id="comment that a backslash of the sender keeps open",
        ),
        pytest.param('mx; spf=fail smtp.helo="; dmarc=pass', Authentication(server="mx", spf="fail"), id="open quote"),
        pytest.param(" ", None, id="blank"),
        pytest.param("", None, id="empty"),
    ],
)  # fmt: skip
def test_authentication(field: str, found: Authentication | None) -> None:
    """Server, results and domain are returned."""
    assert parse_authentication(field.encode()) == found


@settings(max_examples=300, deadline=None, database=None)
@given(
    octets=st.binary(max_size=80)
    | st.lists(
        st.sampled_from(
            ["mx", ";", "dmarc", "=", "pass", "(", ")", '"', "\\", " ", "/1", "header.from", "@", "\0"]
        )
    ).map(lambda parts: "".join(parts).encode())
)  # fmt: skip
def test_any_octets(octets: bytes) -> None:
    """No octets raise, and names have no invisible characters."""
    found = parse_authentication(octets)
    for name in (found.server, found.domain) if found else ():
        assert one_line(name) == name
        assert len(name) < 256
