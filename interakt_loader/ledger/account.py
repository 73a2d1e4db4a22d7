"""The account that a ledger belongs to: a random secret for each address, which keys the digests for it.

The secret stays when the account's API key is renewed, so that no call looks new with the new key. It is stored twice:

- in the ledger, wrapped under the API key: the file without the key is of no use;
- in the user's state folder, as it is (mode 0600), in case the key is renewed.
"""

from __future__ import annotations

import hmac
import logging
import secrets
import struct
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from interakt_loader.errors import AnotherKey, option
from interakt_loader.model import DIGEST, address, authorization
from interakt_loader.privacy.files import OWNER_ONLY, open_private, state_folder

if TYPE_CHECKING:
    from interakt_loader.ledger.store import Store
    from interakt_loader.privacy.secrets import Secret
    from interakt_loader.settings import Settings

logger = logging.getLogger("interakt_loader")

SECRET = 32
"""Bytes of a secret."""

_VERSION = 1
_HEAD = struct.Struct(f"<B{DIGEST}s16s{SECRET}s")
"""Version, id of the secret, salt, encrypted secret. An authentication code follows."""
_CODE = 32

_COPIES = "ledgers"
"""The folder of the secrets within the state folder."""


def secret_id(secret: bytes) -> bytes:
    """Return the id of a secret. The secret is random, so its id tells nothing about key, address or secret."""
    return blake2b(secret, digest_size=DIGEST, person=b"secret id").digest()


def address_id(base_url: str) -> bytes:
    """Return the id of an address in a ledger, the same for each way to write it."""
    return blake2b(address(base_url).encode(), digest_size=DIGEST, person=b"address").digest()


def wrap(secret: bytes, api_key: Secret | str, at: bytes) -> bytes:
    """Encrypt the secret of the address `at` under the API key, with a new salt each time."""
    salt = secrets.token_bytes(16)
    stream, code_key = _derived(api_key, salt)
    head = _HEAD.pack(_VERSION, secret_id(secret), salt, _xor(secret, stream))
    return head + _code(code_key, at, head)


def unwrap(wrapped: bytes, api_key: Secret | str, at: bytes) -> bytes | None:
    """Return the secret of the address `at`; None if it was wrapped under another key or for another address."""
    if len(wrapped) != _HEAD.size + _CODE:
        return None
    head, code = wrapped[: _HEAD.size], wrapped[_HEAD.size :]
    _, _, salt, encrypted = _HEAD.unpack(head)
    stream, code_key = _derived(api_key, salt)
    return _xor(encrypted, stream) if hmac.compare_digest(code, _code(code_key, at, head)) else None


def _derived(api_key: Secret | str, salt: bytes) -> tuple[bytes, bytes]:
    """Return the key stream and the key of the authentication code.

    All forms of a key give the same result. A slow derivation is not needed: API keys are long and random, so nobody
    can try them all, however fast one try is.
    """
    root = blake2b(authorization(api_key).encode(), person=b"ledger's account").digest()
    stream = blake2b(key=root, salt=salt, digest_size=SECRET, person=b"key stream").digest()
    return stream, blake2b(key=root, salt=salt, person=b"code").digest()


def _code(key: bytes, at: bytes, head: bytes) -> bytes:
    return blake2b(at + head, key=key, digest_size=_CODE).digest()


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


class Account:
    """The secret of the settings' account and address in a ledger.

    Raises `AnotherKey` if the ledger was made with another key for this address. With the setting `same_account` it
    does so only if the secret cannot be found. A dry run changes nothing.
    """

    def __init__(self, store: Store, settings: Settings, shown: Path) -> None:
        """Open the account, or create it. Messages call the ledger `shown`."""
        self._store, self._settings, self._shown = store, settings, shown
        self._key, self._at = settings.require_key(), address_id(settings.base_url)
        self._wrapped_anew = True
        found = store.destinations()
        self.is_new = self._at not in found
        """Whether this is the ledger's first load with this address."""
        if self.is_new:
            self.secret = secrets.token_bytes(SECRET)
            if found:
                logger.warning(
                    "ledger %s: has nothing on record for %s: what was sent to another address does not count there",
                    shown,
                    settings.base_url,
                )
            if not settings.dry_run:
                store.put_destination(self._at, wrap(self.secret, self._key, self._at))
        else:
            self.secret = self._opened(found[self._at])
        if not settings.dry_run:
            _keep_copy(self.secret)

    def __repr__(self) -> str:
        return "<Account>"

    def _opened(self, wrapped: bytes) -> bytes:
        """Return the secret that was wrapped under this key or, with `same_account`, under the old one."""
        secret = unwrap(wrapped, self._key, self._at)
        if secret is not None:
            return secret
        ledger, old_key = f"ledger {self._shown}", self._settings.old_api_key
        if not self._settings.same_account:
            raise AnotherKey(
                f"{ledger}: was made with another API key for {self._settings.base_url}. If the account's key was "
                f"renewed, give {option('same_account', value=True)}; for another account, give a ledger of its own: "
                f"{option('ledger', placeholder='PATH')} or {option('name', placeholder='NAME')}"
            )
        self._wrapped_anew = False
        secret = _copy_of(wrapped[1 : 1 + DIGEST])
        if secret is None and old_key is not None:
            secret = unwrap(wrapped, old_key, self._at)
        if secret is not None:
            return secret
        if old_key is not None:
            raise AnotherKey(
                f"{ledger}: the old API key is not the one that this ledger was last used with; give that one: "
                f"{option('old_api_key', placeholder='KEY')}"
            )
        raise AnotherKey(
            f"{ledger}: cannot be opened with the new API key alone, as this user's state folder does not hold its "
            f"secret; give the old key too: {option('old_api_key', placeholder='KEY')}"
        )

    def renew(self) -> None:
        """Wrap the secret under today's key, if it is not yet, and erase the wrapping under the old key.

        Call this when the API has accepted the key, or when no call is to be made. So a mistyped key does not replace
        the old one.
        """
        if not (self._wrapped_anew or self._settings.dry_run):
            self._store.put_destination(self._at, wrap(self.secret, self._key, self._at))
            self._wrapped_anew = True

    def forget(self) -> None:
        """Remove the secret again if this load created it and nothing is on record with it.

        So after a first load with a wrong key the next one, with the right key, can use the ledger.
        """
        if not self.is_new or self._settings.dry_run:
            return
        if self._store.is_empty() or len(self._store.destinations()) > 1:
            self._store.put_destination(self._at, None)
            _forget_copy(self.secret)


def _copy_path(name: bytes) -> Path | None:
    folder = state_folder()
    return None if folder is None else folder / _COPIES / name.hex()


def _copy_of(name: bytes) -> bytes | None:
    """Return the secret of this id from the state folder; None if it is missing or damaged."""
    path = _copy_path(name)
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            secret = file.read(SECRET + 1)
    except OSError:
        return None
    return secret if secret_id(secret) == name else None


def _keep_copy(secret: bytes) -> None:
    """Store a secret in the state folder, if there is one, unless it is there and undamaged."""
    name = secret_id(secret)
    path = _copy_path(name)
    if path is None or _copy_of(name) is not None:
        return
    with suppress(OSError):
        path.parent.mkdir(OWNER_ONLY | 0o100, exist_ok=True)
        with open_private(path) as file:
            file.write(secret)


def _forget_copy(secret: bytes) -> None:
    path = _copy_path(secret_id(secret))
    if path is not None:
        with suppress(OSError):
            path.unlink(missing_ok=True)
