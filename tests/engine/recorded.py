"""Recorded responses of providers, with their sources.

A response that is not recorded is taken from the RFC and marked "after the RFC". Names like
"MailKit#1396" are issues and files of repositories on GitHub; "Crimson" is the table of greetings
in its IMAP guide, measured on 2026-09-18. Hosts and addresses of people are left out.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from custom_components.imap_push.imap import (
    AppPasswordNeeded,
    CommandRefused,
    ImapError,
    LoginRefused,
    PushMode,
    Throttled,
    TokenRefused,
    TooManyConnections,
    Unavailable,
)


class CapabilityMode(Enum):
    """How a server sends its capabilities after a login."""

    UNTAGGED = auto()  # before the tagged OK
    TAGGED = auto()  # in the tagged OK
    ON_REQUEST = auto()  # only in response to CAPABILITY


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The response to a command that fails, and the expected error.

    `to` is the command. `bye` is a line after the response.
    """

    said: bytes
    means: type[ImapError]
    to: str = "LOGIN"
    bye: bytes = b""
    retry_after: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """The dialog with one provider, from the greeting to a new message.

    `offers` are the capabilities before the login, in the greeting if `greets_with_offers`;
    `capabilities` are those after it. `examined` is the response to EXAMINE INBOX; `uid_next` is
    None if it has no UIDNEXT. `arrival` is the response to IDLE when a message arrives.
    """

    name: str
    host: str
    greeting: bytes
    offers: bytes
    capabilities: bytes
    capability_mode: CapabilityMode
    welcome: bytes
    examined: tuple[bytes, ...]
    exists: int
    uid_next: int | None
    arrival: tuple[bytes, ...]
    push: PushMode
    refresh: float | None = None
    refusals: tuple[Refusal, ...] = ()
    greets_with_offers: bool = False
    takes_tokens_only: bool = False
    last_uid: int = 0
    identity: bytes = b""  # its response to ID, if it requires ID

    @property
    def newest(self) -> int:
        """Return the UID of the newest message."""
        return self.last_uid or (self.uid_next or 1) - 1


GMAIL: Final = Provider(
    name="Gmail",
    host="imap.gmail.com",
    # MailKit#1396 (log of 2022), wildduck#943 (2025-12, the same but for AUTH=XOAUTH).
    greeting=b"Gimap ready for requests from 192.0.2.1 x2mb241876667wmk",
    offers=b"IMAP4rev1 UNSELECT IDLE NAMESPACE QUOTA ID XLIST CHILDREN X-GM-EXT-1 XYZZY SASL-IR AUTH=XOAUTH2 AUTH=PLAIN AUTH=PLAIN-CLIENTTOKEN AUTH=OAUTHBEARER",
    capabilities=b"IMAP4rev1 UNSELECT IDLE NAMESPACE QUOTA ID XLIST CHILDREN X-GM-EXT-1 UIDPLUS COMPRESS=DEFLATE ENABLE MOVE CONDSTORE ESEARCH UTF8=ACCEPT LIST-EXTENDED LIST-STATUS LITERAL- SPECIAL-USE APPENDLIMIT=35651584",
    capability_mode=CapabilityMode.UNTAGGED,
    welcome=b"OK user@gmail.com authenticated (Success)",
    # MailKit, UnitTests/Net/Imap/Resources/gmail: examine-inbox.
    examined=(
        b"* FLAGS (\\Answered \\Flagged \\Draft \\Deleted \\Seen $Phishing $NotPhishing)",
        b"* OK [PERMANENTFLAGS ()] Flags permitted.",
        b"* OK [UIDVALIDITY 637172988] UIDs valid.",
        b"* 876 EXISTS",
        b"* 0 RECENT",
        b"* OK [UIDNEXT 5000] Predicted next UID.",
        b"* OK [HIGHESTMODSEQ 35312]",
    ),
    exists=876,
    uid_next=5000,
    # `* 877 EXISTS`: what Apple Mail receives, according to a log analysis (SwiftMail).
    arrival=(b"+ idling", b"* 877 EXISTS"),
    push=PushMode.IDLE,
    refresh=285,
    refusals=(
        # andreiaugustin/gmail_extractor#4: a wrong password; the account's own one.
        Refusal(
            said=b"NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)",
            means=LoginRefused,
        ),
        Refusal(
            said=b"NO [ALERT] Application-specific password required: https://support.google.com/accounts/answer/185833 (Failure)",
            means=AppPasswordNeeded,
        ),
        # wildduck#35, ddeboer/imap#479.
        Refusal(
            said=b"NO [ALERT] Too many simultaneous connections. (Failure)",
            means=TooManyConnections,
        ),
        # ha-email-sensor#16 and mailcow#1554, to FETCH.
        Refusal(
            to="EXAMINE",
            said=b"NO [OVERQUOTA] Account exceeded command or bandwidth limits.",
            means=Throttled,
        ),
    ),
)

OUTLOOK: Final = Provider(
    name="Outlook",
    host="outlook.office365.com",
    # MailKit#1494 (2022). LOGINDISABLED instead of AUTH=PLAIN is newer: Crimson, imapflow#392,
    # node-imap#935 (2026).
    greeting=b"The Microsoft Exchange IMAP4 service is ready. [RgBSADMAUAAyADgAMQA=]",
    offers=b"IMAP4 IMAP4rev1 AUTH=XOAUTH2 LOGINDISABLED SASL-IR UIDPLUS ID UNSELECT CHILDREN IDLE NAMESPACE LITERAL+",
    # email-oauth2-proxy#74, MailKit#1494; imapflow#392 without AUTH=PLAIN.
    capabilities=b"IMAP4 IMAP4rev1 AUTH=XOAUTH2 SASL-IR UIDPLUS MOVE ID UNSELECT CLIENTACCESSRULES CLIENTNETWORKPRESENCELOCATION BACKENDAUTHENTICATE CHILDREN IDLE NAMESPACE LITERAL+",
    capability_mode=CapabilityMode.ON_REQUEST,
    welcome=b"OK AUTHENTICATE completed.",
    # As Exchange (S22.Imap#57); the numbers of php-imap#258.
    examined=(
        b"* 1520 EXISTS",
        b"* 0 RECENT",
        b"* OK [UIDVALIDITY 14] UIDVALIDITY value",
        b"* OK [UIDNEXT 3001] The next unique identifier value",
    ),
    exists=1520,
    uid_next=3001,
    # Webklex/php-imap#258: EXISTS before `+`.
    arrival=(b"* 1521 EXISTS", b"+ IDLE accepted, awaiting DONE command."),
    push=PushMode.IDLE,
    refresh=240,
    takes_tokens_only=True,
    refusals=(
        # MailKit#849.
        Refusal(said=b"NO AUTHENTICATE failed.", means=TokenRefused),
        # email-oauth2-proxy#74, getmail6#214, node-imap#523.
        Refusal(
            to="EXAMINE",
            said=b"BAD User is authenticated but not connected.",
            bye=b"* BYE Connection closed. 14",
            means=Unavailable,
        ),
        # email-oauth2-proxy#191.
        Refusal(
            to="EXAMINE",
            said=b"BAD Request is throttled. Suggested Backoff Time: 89117 milliseconds",
            bye=b"* BYE Connection closed. 14",
            means=Throttled,
            retry_after=89.117,
        ),
        # imap_tools#135.
        Refusal(
            to="EXAMINE",
            said=b"NO Request is throttled. Suggested Backoff Time: 299910 milliseconds",
            means=Throttled,
            retry_after=299.91,
        ),
    ),
)

EXCHANGE: Final = Provider(
    name="Exchange",
    host="exchange.example.com",
    # MailKit#483 (2017), imapsync#74.
    greeting=b"The Microsoft Exchange IMAP4 service is ready.",
    offers=b"IMAP4 IMAP4rev1 AUTH=PLAIN AUTH=NTLM AUTH=GSSAPI UIDPLUS MOVE ID CHILDREN IDLE NAMESPACE LITERAL+",
    capabilities=b"IMAP4 IMAP4rev1 AUTH=PLAIN AUTH=NTLM AUTH=GSSAPI UIDPLUS MOVE ID CHILDREN IDLE NAMESPACE LITERAL+",
    capability_mode=CapabilityMode.ON_REQUEST,
    welcome=b"OK LOGIN completed.",
    # MailKit#638; S22.Imap#57 has the same for an empty folder of Exchange 2010, and IDLE.
    examined=(
        b"* 42 EXISTS",
        b"* 42 RECENT",
        b"* FLAGS (\\Seen \\Answered \\Flagged \\Deleted \\Draft $MDNSent)",
        b"* OK [PERMANENTFLAGS ()] Permanent flags",
        b"* OK [UNSEEN 7] Is the first unseen message",
        b"* OK [UIDVALIDITY 14] UIDVALIDITY value",
        b"* OK [UIDNEXT 51] The next unique identifier value",
    ),
    exists=42,
    uid_next=51,
    arrival=(
        b"+ IDLE accepted, awaiting DONE command.",
        b"* 43 EXISTS",
        b"* 43 RECENT",
    ),
    push=PushMode.IDLE,
    refresh=285,
    refusals=(
        # MailKit#469, MailKit#483.
        Refusal(said=b"NO LOGIN failed.", means=LoginRefused),
        # node-imap#799.
        Refusal(
            said=b"NO LOGIN failed. Account is blocked. Login to your account via a web browser to verify your identity.",
            means=LoginRefused,
        ),
    ),
)

ICLOUD: Final = Provider(
    name="iCloud",
    host="imap.mail.me.com",
    # MailKit, UnitTests/Net/Imap/Resources/icloud: greeting and capability; IDLE only after login.
    greeting=b"(2428B47-26126cfe23cd) p00-iscream-f9f7bf749-qjr87",
    offers=b"XAPPLEPUSHSERVICE IMAP4 IMAP4rev1 SASL-IR AUTH=ATOKEN AUTH=PLAIN AUTH=ATOKEN2 AUTH=XOAUTH2",
    greets_with_offers=True,
    capabilities=b"XAPPLEPUSHSERVICE IMAP4 IMAP4rev1 CONDSTORE ENABLE QRESYNC QUOTA XAPPLELITERAL NAMESPACE UIDPLUS CHILDREN BINARY UNSELECT SORT CATENATE URLAUTH LANGUAGE ESEARCH ESORT THREAD=ORDEREDSUBJECT THREAD=REFERENCES CONTEXT=SEARCH CONTEXT=SORT WITHIN SASL-IR SEARCHRES METADATA ID XMSEARCH X-SUN-SORT ANNOTATE-EXPERIMENT-1 X-UNAUTHENTICATE X-SUN-IMAP XUM1 MULTISEARCH IDLE X-APPLE-REMOTE-LINKS LIST-STATUS",
    capability_mode=CapabilityMode.ON_REQUEST,
    welcome=b"OK user username authenticated",
    # S22.Imap#107: response codes without text.
    examined=(
        b"* FLAGS (\\Answered \\Flagged \\Draft \\Deleted \\Seen $NotJunk $Junk JunkRecorded $Forwarded NotJunk)",
        b"* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Draft \\Deleted \\Seen $NotJunk $Junk JunkRecorded $Forwarded NotJunk *)]",
        b"* 5 EXISTS",
        b"* 0 RECENT",
        b"* OK [UNSEEN 5]",
        b"* OK [UIDVALIDITY 1320195699]",
        b"* OK [UIDNEXT 3400]",
    ),
    exists=5,
    uid_next=3400,
    arrival=(b"+ idling", b"* 6 EXISTS", b"* 1 RECENT"),
    push=PushMode.IDLE,
    refresh=240,
    refusals=(
        # MailKit#295.
        Refusal(
            said=b"NO [AUTHENTICATIONFAILED] Authentication failed", means=LoginRefused
        ),
    ),
)

YAHOO: Final = Provider(
    name="Yahoo",
    host="imap.mail.yahoo.com",
    # enough_mail#245, Crimson; wildduck#943 (2025-12) for what is offered.
    greeting=b"Welcome! IMAP Server up and ready to accept your request",
    offers=b"IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=XOAUTH2 AUTH=OAUTHBEARER ID MOVE NAMESPACE XYMHIGHESTMODSEQ UIDPLUS LITERAL+ CHILDREN UNSELECT X-MSG-EXT OBJECTID IDLE ENABLE UIDONLY X-ALL-MAIL X-UIDONLY LIST-EXTENDED LIST-STATUS SPECIAL-USE PARTIAL APPENDLIMIT=41697280",
    # A log of 2026-09-24 in a test harness for Mailspring-Sync.
    capabilities=b"IMAP4rev1 ID MOVE NAMESPACE XYMHIGHESTMODSEQ UIDPLUS LITERAL+ CHILDREN UNSELECT X-MSG-EXT OBJECTID IDLE ENABLE UIDONLY X-UIDONLY LIST-EXTENDED LIST-STATUS SPECIAL-USE MESSAGELIMIT=1000 PARTIAL APPENDLIMIT=41697280",
    capability_mode=CapabilityMode.ON_REQUEST,
    # imapflow#75.
    welcome=b"OK LOGIN completed",
    # MailKit, UnitTests/Net/Imap/Resources/yahoo: examine-inbox. `arrival` is after the RFC.
    examined=(
        b"* 10 EXISTS",
        b"* 0 RECENT",
        b"* OK [UIDVALIDITY 1595903349] UIDs valid",
        b"* OK [UIDNEXT 800] Predicted next UID",
        b"* FLAGS (\\Answered \\Deleted \\Draft \\Flagged \\Seen $Forwarded $Junk $NotJunk)",
        b"* OK [PERMANENTFLAGS ()] No permanent flags permitted",
        b"* OK [HIGHESTMODSEQ 7]",
        b"* OK [MAILBOXID (27)] Ok",
    ),
    exists=10,
    uid_next=800,
    arrival=(b"+ idling", b"* 11 EXISTS"),
    push=PushMode.IDLE,
    refresh=120,  # FairEmail restarts it every minute or two since 2024-11
    refusals=(
        # enough_mail#245; imapflow#300: also for the right password that is no app password.
        Refusal(
            said=b"NO [AUTHENTICATIONFAILED] LOGIN Invalid credentials",
            means=LoginRefused,
        ),
        # MailKit#320: of an account whose password was right.
        Refusal(said=b"NO Too many bad login attempts.", means=Throttled),
        # mutt-wizard#764, as a response to UID FETCH, which it named.
        Refusal(
            to="EXAMINE",
            said=b"NO [UNAVAILABLE] EXAMINE Service is temporarily not available",
            means=Unavailable,
        ),
    ),
)

GMX: Final = Provider(
    name="GMX",
    host="imap.gmx.net",
    # Crimson for the beginning of the greeting (2026); the rest from the same servers under
    # another name (test of the client of enough_mail, 2020).
    greeting=b"IMAP server ready H migmx112 15.6 IMAP-1My4Ij-1k2Oa32EiF-00yVN8",
    offers=b"IMAP4rev1 CHILDREN ENABLE ID IDLE LIST-EXTENDED LIST-STATUS LITERAL- MOVE NAMESPACE QUOTA SASL-IR SORT SPECIAL-USE THREAD=ORDEREDSUBJECT UIDPLUS UNSELECT WITHIN AUTH=LOGIN AUTH=PLAIN",
    greets_with_offers=True,
    # nextcloud/mail#104, from web.de, which has the same servers.
    capabilities=b"IMAP4rev1 CHILDREN ENABLE ID IDLE LIST-EXTENDED LIST-STATUS LITERAL- MOVE NAMESPACE QUOTA SASL-IR SORT SPECIAL-USE THREAD=ORDEREDSUBJECT UIDPLUS UNSELECT WITHIN APPENDLIMIT=27962027",
    capability_mode=CapabilityMode.ON_REQUEST,
    welcome=b"OK LOGIN completed",
    # After the RFC.
    examined=(
        b"* 3 EXISTS",
        b"* 0 RECENT",
        b"* OK [UIDVALIDITY 1] UIDs valid",
        b"* OK [UIDNEXT 40] next",
    ),
    exists=3,
    uid_next=40,
    # aioimaplib#110 for `+ idling`.
    arrival=(b"+ idling", b"* 4 EXISTS"),
    push=PushMode.IDLE,
    refresh=285,
    refusals=(
        # thunderbird-android#5780, from web.de: also if IMAP is not enabled (yam#638, for POP3).
        Refusal(said=b"NO authentication failed", means=LoginRefused),
    ),
)

FASTMAIL: Final = Provider(
    name="Fastmail",
    host="imap.fastmail.com",
    # Mailspring#2217 (2020); the greeting is that of a proxy in front of Cyrus.
    greeting=b"IMAP4 ready",
    offers=b"IMAP4 IMAP4rev1 LITERAL+ ENABLE UIDPLUS SASL-IR NAMESPACE CONDSTORE SORT LIST-EXTENDED QRESYNC MOVE SPECIAL-USE CREATE-SPECIAL-USE IDLE AUTH=PLAIN",
    # ocaml-imap#34, from a Cyrus: the list is longer after the login and has IDLE.
    # The list of Fastmail itself after the login is not recorded.
    capabilities=b"IMAP4rev1 LITERAL+ ID ENABLE ACL CONDSTORE QRESYNC ESEARCH COMPRESS=DEFLATE IDLE",
    capability_mode=CapabilityMode.TAGGED,
    welcome=b"User logged in SESSIONID=<mail.example.com-11111-2222222222-3>",
    # After the RFC, `arrival` too.
    examined=(
        b"* 3 EXISTS",
        b"* 0 RECENT",
        b"* OK [UIDVALIDITY 1400000000] Ok",
        b"* OK [UIDNEXT 40] Ok",
        b"* OK [HIGHESTMODSEQ 700] Ok",
    ),
    exists=3,
    uid_next=40,
    arrival=(b"+ idling", b"* 4 EXISTS", b"* 1 RECENT"),
    push=PushMode.IDLE,
    refresh=285,
    refusals=(
        # Mailspring#2217.
        Refusal(said=b"NO Incorrect username or password.", means=LoginRefused),
    ),
)

PROTON: Final = Provider(
    name="Proton Bridge",
    host="127.0.0.1",
    # gluon's session.go (greet) and README; a guide for Bridge 03.08.01 has the whole line.
    greeting=b"Proton Mail Bridge 03.08.01 - gluon session ID 3",
    offers=b"ID IDLE IMAP4rev1 MOVE STARTTLS UIDPLUS UNSELECT",
    greets_with_offers=True,
    capabilities=b"IDLE IMAP4rev1 MOVE UIDPLUS UNSELECT",
    capability_mode=CapabilityMode.TAGGED,
    welcome=b"Logged in",
    # gluon's README.
    examined=(
        b"* FLAGS (\\Answered \\Deleted \\Flagged \\Seen)",
        b"* 1 EXISTS",
        b"* 1 RECENT",
        b"* OK [PERMANENTFLAGS (\\Answered \\Deleted \\Flagged \\Seen)] Flags permitted",
        b"* OK [UIDNEXT 2] Predicted next UID",
        b"* OK [UIDVALIDITY 1] UIDs valid",
    ),
    exists=1,
    uid_next=2,
    # gluon's README: `+ Ready`; pending updates follow (handle_idle.go).
    arrival=(b"+ Ready", b"* 2 EXISTS", b"* 2 RECENT"),
    push=PushMode.IDLE,
    refresh=285,
    refusals=(
        # gluon's internal/backend/errors.go: a wrong password, and several of them.
        Refusal(said=b"NO no such user", means=LoginRefused),
        Refusal(said=b"NO too many login attempts", means=Throttled),
    ),
)

YANDEX: Final = Provider(
    name="Yandex",
    host="imap.yandex.com",
    # Mailspring#904 (2018) and #2111 (2020).
    greeting=b"Yandex IMAP4rev1 at imap53p.mail.yandex.net:993 ready to talk with ::ffff:192.0.2.1:39078, 2018-May-29 10:37:40, ebI8JB0ug4Y1",
    offers=b"IMAP4rev1 CHILDREN UNSELECT LITERAL+ NAMESPACE XLIST BINARY UIDPLUS ENABLE ID AUTH=PLAIN AUTH=XOAUTH2 IDLE MOVE",
    # go-imap#561 (2023), which does not name the server, but has the same texts.
    capabilities=b"IMAP4rev1 CHILDREN UNSELECT LITERAL+ NAMESPACE XLIST UIDPLUS ENABLE ID IDLE MOVE",
    capability_mode=CapabilityMode.UNTAGGED,
    welcome=b"OK LOGIN Completed.",
    # MailKit, UnitTests/Net/Imap/Resources/yandex: select-inbox. `arrival` is after the RFC.
    examined=(
        b"* FLAGS (\\Answered \\Seen \\Draft \\Deleted $Forwarded)",
        b"* 49 EXISTS",
        b"* 1 RECENT",
        b"* OK [UNSEEN 8]",
        b"* OK [PERMANENTFLAGS (\\Answered \\Seen \\Draft \\Flagged \\Deleted $Forwarded \\*)] Limited",
        b"* OK [UIDNEXT 3065] Ok",
        b"* OK [UIDVALIDITY 1679853140] Ok",
    ),
    exists=49,
    uid_next=3065,
    arrival=(b"+ idling", b"* 50 EXISTS"),
    push=PushMode.IDLE,
    refresh=180,  # imapclient#234: the connection ends one or two times an hour
    refusals=(
        # Mailspring#904.
        Refusal(
            said=b"NO [AUTHENTICATIONFAILED] LOGIN Invalid credentials or IMAP is disabled sc=ebI8JB0ug4Y1_290737_53p",
            means=LoginRefused,
        ),
        # A Russian guide to app passwords of Yandex, and a test of another client.
        Refusal(
            said=b"NO [UNAVAILABLE] LOGIN internal server error sc=abc123",
            means=Unavailable,
        ),
    ),
)

NETEASE: Final = Provider(
    name="163.com",
    host="imap.163.com",
    # Two dialogs with telnet and openssl, of 163.com and 126.com, in notes of users.
    greeting=b"Coremail System IMap Server Ready(163com[726cd87d72d896a1ac393507346040fa])",
    offers=b"IMAP4rev1 XLIST SPECIAL-USE ID LITERAL+ STARTTLS XAPPLEPUSHSERVICE UIDPLUS X-CM-EXT-1",
    capabilities=b"IMAP4rev1 XLIST SPECIAL-USE ID LITERAL+ STARTTLS XAPPLEPUSHSERVICE UIDPLUS X-CM-EXT-1",
    capability_mode=CapabilityMode.ON_REQUEST,
    welcome=b"OK LOGIN completed",
    identity=b'* ID ("name" "Coremail Imap" "vendor" "Mailtech" "TransID" "3PmVJQB3bjS5RERX")',
    examined=(
        b"* 31 EXISTS",
        b"* 23 RECENT",
        b"* OK [UIDVALIDITY 1] UIDs valid",
        b"* FLAGS (\\Answered \\Seen \\Deleted \\Draft \\Flagged)",
        b"* OK [PERMANENTFLAGS (\\Answered \\Seen \\Deleted \\Draft \\Flagged)] Limited",
    ),
    exists=31,
    uid_next=None,
    last_uid=1392611535,
    arrival=(),
    push=PushMode.POLL,
    refusals=(
        # modern-email/defects#25.
        Refusal(said=b"NO LOGIN Login error or password error", means=LoginRefused),
        # mcp-email-server#17, S22.Imap#167, as a response to SELECT, which it named: for a client
        # without ID, or for a locked account.
        Refusal(
            to="EXAMINE",
            said=b"NO EXAMINE Unsafe Login. Please contact kefu@188.com for help",
            means=CommandRefused,
        ),
    ),
)

ZOHO: Final = Provider(
    name="Zoho",
    host="imap.zoho.com",
    # zetacomponents/Mail#97 (2025); the capabilities before the login are not recorded.
    greeting=b"svwall.zoho.com IMAP4 Server (Zoho Mail IMAP4rev1 Server version 1.0)",
    offers=b"IMAP4rev1 AUTH=PLAIN SASL-IR",
    capabilities=b"IMAP4rev1 UNSELECT CHILDREN XLIST NAMESPACE IDLE MOVE ID AUTH=PLAIN SASL-IR UIDPLUS ESEARCH LIST-EXTENDED LIST-STATUS WITHIN LITERAL- ACL CONDSTORE",
    capability_mode=CapabilityMode.UNTAGGED,
    welcome=b"OK Success",
    # After the RFC, but for FLAGS: chatmail/core#1834.
    examined=(
        b"* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)",
        b"* 3 EXISTS",
        b"* 0 RECENT",
        b"* OK [UIDVALIDITY 1] UIDs valid",
        b"* OK [UIDNEXT 40] Predicted next UID",
    ),
    exists=3,
    uid_next=40,
    # chatmail/core#1834: FLAGS and an OK before `+`; the rest is after the RFC.
    arrival=(
        b"* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)",
        b"* OK [PERMANENTFLAGS ()] Limited",
        b"+ idling",
        b"* 4 EXISTS",
    ),
    push=PushMode.IDLE,
    refresh=285,
)

DOMINO: Final = Provider(
    name="Domino",
    host="domino.example.com",
    # MailKit#943 (2019); UnitTests/Net/Imap/Resources/domino has release 9.0.1 with the same list.
    greeting=b"Domino IMAP4 Server Release 10.0.1FP3 ready Wed, 30 Oct 2019 09:28:06 +0100",
    offers=b"IMAP4rev1 AUTH=PLAIN LITERAL+ NAMESPACE QUOTA UIDPLUS",
    capabilities=b"IMAP4rev1 AUTH=PLAIN LITERAL+ NAMESPACE QUOTA UIDPLUS",
    capability_mode=CapabilityMode.ON_REQUEST,
    welcome=b"OK LOGIN completed",
    # After the RFC, with the number of MailKit#944.
    examined=(
        b"* 9125 EXISTS",
        b"* 0 RECENT",
        b"* OK [UIDVALIDITY 1] UIDs valid",
        b"* OK [UIDNEXT 23065] Predicted next UID",
    ),
    exists=9125,
    uid_next=23065,
    arrival=(),
    push=PushMode.POLL,
)

QQ: Final = Provider(
    name="QQ for companies",
    host="imap.exmail.qq.com",
    # MailKit#1241 (2021); enough_mail#159 for imap.qq.com, which offers AUTH=XOAUTH2 too.
    greeting=b"QQMail IMAP4Server ready",
    offers=b"IMAP4 IMAP4rev1 ID AUTH=PLAIN AUTH=LOGIN NAMESPACE",
    greets_with_offers=True,
    capabilities=b"IMAP4 IMAP4rev1 XLIST MOVE IDLE XAPPLEPUSHSERVICE NAMESPACE CHILDREN ID UIDPLUS",
    capability_mode=CapabilityMode.ON_REQUEST,
    welcome=b"OK Success login ok",
    examined=(
        b"* 65 EXISTS",
        b"* 0 RECENT",
        b"* OK [UNSEEN 1]",
        b"* OK [UIDVALIDITY 1628767717] UID validity status",
        b"* OK [UIDNEXT 68] Predicted next UID",
        b"* FLAGS (\\Answered \\Flagged \\Deleted \\Draft \\Seen)",
        b"* OK [PERMANENTFLAGS (\\* \\Answered \\Flagged \\Deleted \\Draft \\Seen)] Permanent flags",
    ),
    exists=65,
    uid_next=68,
    # It offers IDLE, but announces nothing: see `quirks`.
    arrival=(),
    push=PushMode.POLL,
)

PROVIDERS: Final = (
    GMAIL,
    OUTLOOK,
    EXCHANGE,
    ICLOUD,
    YAHOO,
    GMX,
    FASTMAIL,
    PROTON,
    YANDEX,
    NETEASE,
    ZOHO,
    DOMINO,
    QQ,
)
