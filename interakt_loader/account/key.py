"""Try the key: one call that reads one contact, and one sentence that says what came of it and what to do."""

from __future__ import annotations

import threading
import time
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from interakt_loader.account.contacts import LONGEST_PAGE, NotTheApi, page_request, read_total
from interakt_loader.codes import AnswerCode
from interakt_loader.errors import LoadStopped, spell_options
from interakt_loader.model import Answer
from interakt_loader.privacy.text import number_of
from interakt_loader.settings import Settings
from interakt_loader.transport import HttpTransport

GRACE = 1.0
"""Seconds beyond `timeout` in which the call must be over. The name of a host alone may take longer to look up."""

_NETWORK = "check `base_url` and the network; if only a proxy leads out, name it in HTTPS_PROXY"
_NO_SUCH_CALL = "the server does not take the call that reads contacts; check `base_url`"
_LATER = "the server has a fault; try again later"
_ON_THE_WAY = "try again; if it stays, ask who runs the proxies and firewalls on the way"

_TO_DO: dict[AnswerCode, str] = {
    "not_found": _NO_SUCH_CALL,
    "rejected": _NO_SUCH_CALL,
    "too_large": _NO_SUCH_CALL,
    "forbidden": "a firewall refuses the call; ask who runs it to let this machine through",
    "redirected": "check `base_url`",
    "rate_limited": "the account's limit is used up; try again in a minute",
    "server_error": _LATER,
    "server_timeout": _LATER,
    "unreadable_answer": "check `base_url`, and whether a page of the network answers in the API's place",
    "timeout": "try again, perhaps with a longer `timeout`",
    "connection_lost": _ON_THE_WAY,
    "connection_failed": _NETWORK,
    "connect_timeout": _NETWORK,
    "unknown_host": "check `base_url`, and whether this machine can look up names",
    "proxy_failed": "check HTTPS_PROXY and its password",
    "tls_failed": _ON_THE_WAY,
}
"""What to do where the answer's own words do not say it."""


class KeyTrial(NamedTuple):
    """What came of a call with the key."""

    base_url: str
    contacts: int | None
    """How many the account has; None if the key was not accepted, or could not be tested."""
    answer: Answer
    text: str
    """One line: the address, what came of it, and what to do."""

    @property
    def works(self) -> bool:
        """Whether the API accepts the key."""
        return self.contacts is not None

    @property
    def exit_code(self) -> int:
        """That of the command."""
        return 0 if self.works else LoadStopped.exit_code

    def as_dict(self) -> dict[str, Any]:
        """Return it as values that can be written as JSON."""
        return {
            "works": self.works,
            "base_url": self.base_url,
            "contacts": self.contacts,
            "http_status": self.answer.http_status,
            "code": self.answer.code,
            "message": self.text,
            "seconds": round(self.answer.seconds, 3),
            "exit": self.exit_code,
        }


def try_key(settings: Settings) -> KeyTrial:
    """Make one call with the key, which changes nothing. It ends within `timeout` and a second, whatever hangs.

    Raises `SettingsError` if there is no key, or if the proxy or the CA file of the environment cannot be used.
    """
    answer = _call(settings)
    contacts = None
    if answer.accepted:
        try:
            contacts = read_total(answer.body)
        except NotTheApi as error:
            message = f"an answer that is not the API's: {error}"
            answer = Answer.error("unreadable_answer", message, answer.seconds, http_status=answer.http_status)
    said = f": {_sentence(answer)}"
    if contacts is not None:
        said = f" accepts the key: {number_of(contacts, 'contact')} in the account"
    # the body has a contact
    return KeyTrial(settings.base_url, contacts, answer._replace(body=b""), settings.base_url + said)


def _call(settings: Settings) -> Answer:
    transport = HttpTransport(
        settings.base_url,
        settings.require_key(),
        timeout=settings.timeout,
        connections=1,
        longest_kept=LONGEST_PAGE,
        longest_body=LONGEST_PAGE,
    )
    request = page_request(0, None, 0, limit=1)
    head = transport.head(request.method, request.path)
    answers: SimpleQueue[Answer] = SimpleQueue()
    began = time.perf_counter()
    # a thread, because nothing else ends a look-up of a name, or an answer that comes byte by byte
    threading.Thread(
        target=lambda: answers.put(transport.call(head, request.body)), name="interakt-loader-key", daemon=True
    ).start()
    try:
        return answers.get(timeout=settings.timeout + GRACE)
    except Empty:
        return Answer.no_answer("timeout", "no answer came within the timeout", time.perf_counter() - began)
    finally:
        transport.close()


def _sentence(answer: Answer) -> str:
    """Return what an answer says about the key, and what to do."""
    if answer.code in ("key_refused", "plan_without_api"):
        return answer.message
    what, status = answer.message, answer.http_status
    if status is not None and not what.startswith("HTTP "):
        what = f"HTTP {status}: {what}" if what else f"HTTP {status}"
    to_do = spell_options(_TO_DO[answer.code]) if answer.code in _TO_DO else None
    return f"the key could not be tested: {what}" + (f"; {to_do}" if to_do else "")
