"""Capability names that may be shown in public: those that many servers offer.

A server can put a login name or a password among its capabilities. So diagnostics pass on the
names in this table only. Values that a server chooses, as in `APPENDLIMIT=35651584`, are cut.
"""

from typing import Final

# The IANA registry "Internet Message Access Protocol (IMAP) Capabilities".
_REGISTERED: Final = """
    ACL ANNOTATE-EXPERIMENT-1 APPENDLIMIT BINARY CATENATE CHILDREN COMPRESS=DEFLATE CONDSTORE
    CONTEXT=SEARCH CONTEXT=SORT CONVERT CREATE-SPECIAL-USE ENABLE ESEARCH ESORT FILTERS
    I18NLEVEL=1 I18NLEVEL=2 ID IDLE IMAP4REV1 IMAP4REV2 INPROGRESS JMAPACCESS LANGUAGE
    LIST-EXTENDED LIST-METADATA LIST-MYRIGHTS LIST-STATUS LITERAL+ LITERAL- LOGIN-REFERRALS
    LOGINDISABLED MAILBOX-REFERRALS METADATA METADATA-SERVER MOVE MULTIAPPEND MULTISEARCH
    NAMESPACE NOTIFY OBJECTID PARTIAL PREVIEW PREVIEW=FUZZY QRESYNC QUOTA QUOTASET
    QUOTA=RES-ANNOTATION-STORAGE QUOTA=RES-MAILBOX QUOTA=RES-MESSAGE QUOTA=RES-STORAGE REPLACE
    SASL-IR SAVEDATE SEARCH=FUZZY SEARCHRES SORT SORT=DISPLAY SPECIAL-USE STARTTLS STATUS=SIZE
    THREAD=ORDEREDSUBJECT THREAD=REFERENCES THREAD=REFS UIDBATCHES UIDONLY UIDPLUS
    UNAUTHENTICATE UNSELECT URL-PARTIAL URLAUTH URLAUTH=BINARY URLFETCH=BINARY UTF8=ACCEPT
    UTF8=ALL UTF8=APPEND UTF8=ONLY UTF8=USER WITHIN
"""
# The IANA registry "SASL Mechanisms", and the older ones that servers still offer.
_MECHANISMS: Final = """
    ANONYMOUS CRAM-MD5 DIGEST-MD5 EXTERNAL GS2-KRB5 GSS-SPNEGO GSSAPI KERBEROS_V4 LOGIN MSN NTLM
    OAUTHBEARER PLAIN PLAIN-CLIENTTOKEN SCRAM-SHA-1 SCRAM-SHA-1-PLUS SCRAM-SHA-256
    SCRAM-SHA-256-PLUS SCRAM-SHA-512 SCRAM-SHA-512-PLUS SPNEGO XOAUTH XOAUTH2 XYMCOOKIE
"""
# Of Apple, Coremail, Courier, Cyrus, Dovecot, Exchange, Gmail, Yahoo and Zimbra.
_VENDORS: Final = """
    ANNOTATEMORE AUTH BACKENDAUTHENTICATE CLIENTACCESSRULES CLIENTNETWORKPRESENCELOCATION
    COMPRESS_DEFLATE DIGEST=SHA1 IMAP4 LIST-SUBSCRIBED LISTEXT NO_ATOMIC_RENAME SCAN SNIPPET
    SNIPPET=FUZZY SORT=MODSEQ UIDNEXT X-ANNOTATEMORE X-CM-EXT-1 X-CREATEDMODSEQ X-GM-EXT-1
    X-GM-EXT1 X-NETSCAPE X-QUOTA=STORAGE X-QUOTA=X-NUM-FOLDERS X-REALLYSPECIAL X-REPLICATION
    X-SUN-IMAP X-SUN-SORT X-UNAUTHENTICATE X-ZIMBRA XAPPLELITERAL XAPPLEPUSHSERVICE XAPPLEPUSHTOKEN
    XAOL-NETMAIL XBACKUP XCONVERSATIONS XDOVECOT XLIST XMOVE XNOOP XSENDER XSERVERINFO
    XYMHIGHESTMODSEQ XYZZY
"""
_KNOWN: Final = frozenset(
    {
        *_REGISTERED.split(),
        *_VENDORS.split(),
        *(f"AUTH={mechanism}" for mechanism in _MECHANISMS.split()),
    }
)
# Names that come with a value of the server's choice.
_WITH_VALUE: Final = frozenset(
    {"APPENDLIMIT", "IMAPSIEVE", "MESSAGELIMIT", "RIGHTS", "SAVELIMIT"}
)


def known_capabilities(offered: frozenset[str]) -> list[str]:
    """Return the capabilities of `offered` (upper case) that are known, sorted."""
    return sorted({_public_name(name) for name in offered} - {""})


def count_unknown(offered: frozenset[str]) -> int:
    """Return how many capabilities of `offered` are not known."""
    return sum(not _public_name(name) for name in offered)


def _public_name(capability: str) -> str:
    """Return the name to show, or "" if it is not known."""
    if capability in _KNOWN:
        return capability
    name, _, _ = capability.partition("=")
    return name if name in _WITH_VALUE else ""
