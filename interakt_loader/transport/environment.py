"""What the environment says about the way to the API: proxies and CA bundles that can be used, or one line why not.

No message repeats a proxy's address: a password may stand in it, wherever a typing mistake has put it.
"""

from __future__ import annotations

import importlib.util
import os
import re
import ssl
from pathlib import Path
from typing import NamedTuple

import requests
from requests.utils import prepend_scheme_if_needed, select_proxy
from urllib3.exceptions import HTTPError
from urllib3.util import parse_url

from interakt_loader.errors import SettingsError
from interakt_loader.settings.values import is_this_machine

_WEB = ("http", "https")
_SOCKS = ("socks4", "socks4a", "socks5", "socks5h")
_NAME = re.compile(r"[\w.-]+")
_EXPECTED = "expected an address such as http://proxy.example:3128"
_PASSWORD = "; in its user name and password write %40 for @, %3A for :, %2F for /, %23 for #, %3F for ?"  # noqa: S105


class Environment(NamedTuple):
    """What holds for calls of one address."""

    proxies: dict[str, str]
    verify: bool | str
    """A CA bundle's path; True: those authorities that `requests` knows."""


def read_environment(base_url: str) -> Environment:
    """Return what `requests` finds for this address. Raises `SettingsError` where that makes no sense."""
    found = requests.Session().merge_environment_settings(base_url, {}, False, None, None)
    _check_ca_bundle(found["verify"], is_used=base_url.lower().startswith("https:"))
    return Environment(_usable_proxies(base_url, found["proxies"]), found["verify"])


def _usable_proxies(base_url: str, proxies: dict[str, str]) -> dict[str, str]:
    """Return the proxies, of those that `requests` has found, through which `base_url` may be called.

    Plain `http://` is for this machine, and no other one may see the key pass: it takes proxies that are here. Raises
    `SettingsError` where the proxy for this address makes no sense.
    """
    address = select_proxy(base_url, proxies)
    if not address:
        return proxies
    name = _variable(base_url, proxies)
    wrong = _wrong_with(address)
    if wrong is not None:
        raise SettingsError(f"{name}: {wrong}{_PASSWORD if '@' in address and _EXPECTED in wrong else ''}")
    if base_url.lower().startswith("https:"):
        return proxies
    return {key: one for key, one in proxies.items() if one == address and is_this_machine(host_of(address))}


def _check_ca_bundle(verify: bool | str, *, is_used: bool) -> None:
    """Raise `SettingsError` where `requests` is to trust a file that is not there, or that holds no certificates.

    The file is opened only if the connection uses it: that takes longer than to start the rest.
    """
    if not isinstance(verify, str):
        return
    if not Path(verify).exists():
        raise SettingsError(f"the CA bundle {verify} does not exist")
    if not is_used or Path(verify).is_dir():
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(verify)
    except ssl.SSLError:
        raise SettingsError(f"the CA bundle {verify} holds no certificates; expected a file in PEM form") from None
    except OSError as error:
        raise SettingsError(f"the CA bundle {verify} cannot be read: {error.strerror or error}") from None


def _variable(base_url: str, proxies: dict[str, str]) -> str:
    scheme = base_url.partition(":")[0].lower()
    key = scheme if scheme in proxies else "all"
    names = (f"{key}_proxy", f"{key.upper()}_PROXY")
    return next((name for name in names if os.environ.get(name)), f"the system's proxy for {scheme}")


def _wrong_with(address: str) -> str | None:
    """Say why an address can be no proxy's, without repeating it; None if it can."""
    try:
        url = parse_url(prepend_scheme_if_needed(address, "http"))
        (url.host or "").encode("idna")
    except (HTTPError, ValueError, TypeError):
        return f"this proxy's address cannot be read; {_EXPECTED}"
    if "://" not in address and (url.scheme != "http" or url.port is None or url.path not in (None, "", "/")):
        return f"this proxy's address does not begin with http://; {_EXPECTED}"
    if url.scheme not in (*_WEB, *_SOCKS):
        return f"this proxy's address begins with none of {', '.join(_WEB + _SOCKS)}; {_EXPECTED}"
    if not url.host or not (url.host.startswith("[") or _NAME.fullmatch(url.host)):
        return f"this proxy's address names no host; {_EXPECTED}"
    if url.port == 0:
        return f"this proxy's address has the port 0; {_EXPECTED}"
    if url.scheme in _SOCKS and importlib.util.find_spec("socks") is None:
        return "this proxy speaks SOCKS, which needs another package: pip install pysocks"
    return None


def host_of(address: str) -> str:
    return (parse_url(prepend_scheme_if_needed(address, "http")).host or "").strip("[]")
