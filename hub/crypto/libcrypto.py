"""SM2 on digests by the system's libcrypto, which `cryptography` does not offer: the calls, and nothing above them.

Standard   GM/T 0003.2-2012, GB/T 32918.2-2016 (signatures), GB/T 32918.5-2017 (curve and example)
Form       keys come as DER (SubjectPublicKeyInfo, PKCS#8, SEC 1), signatures are DER, digests have 32 bytes
Promises   tried by the standard's example before its first use; every pointer is freed; what failed leaves
           nothing in the thread's queue of errors, in which Python's own `ssl` would find it
Careful    there is no other implementation to fall back to: a weak one gives the private key away
Tested on  OpenSSL 3.0; 1.1.1 has all that is called here
"""

from __future__ import annotations

import ctypes
import ctypes.util
import weakref
from functools import cache
from typing import Any

from schemas.errors import Misconfigured

__all__ = ["CURVE", "Pkey", "not_a_key", "sign_digest", "verify_digest"]

NAMES = ("libcrypto.so.3", "libcrypto.so.1.1")
NID_SM2 = 1172
MOST_SIGNATURE_BYTES = 80
# SubjectPublicKeyInfo of a key on sm2p256v1, up to the 64 bytes of its point.
CURVE = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d03420004")
_POINT = bytes.fromhex(
    "09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
    "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
)
_DIGEST = bytes.fromhex("f0b43e94ba45accaace692ed534382eb17e6ab5a19ce7b31f4486fdfc0d28640")
_SIGNATURE = bytes.fromhex(
    "3046022100f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3"
    "022100b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa"
)
_Pointer, _Size = ctypes.c_void_p, ctypes.c_size_t
_Sizes, _Pointers = ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_void_p)
# What is called: what it returns, and what it takes.
_CALLS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "ERR_clear_error": (None, ()),
    "EVP_PKEY_free": (None, (_Pointer,)),
    "EVP_PKEY_CTX_new": (_Pointer, (_Pointer, _Pointer)),
    "EVP_PKEY_CTX_free": (None, (_Pointer,)),
    "EVP_PKEY_sign_init": (ctypes.c_int, (_Pointer,)),
    "EVP_PKEY_sign": (ctypes.c_int, (_Pointer, _Pointer, _Sizes, ctypes.c_char_p, _Size)),
    "EVP_PKEY_verify_init": (ctypes.c_int, (_Pointer,)),
    "EVP_PKEY_verify": (
        ctypes.c_int,
        (_Pointer, ctypes.c_char_p, _Size, ctypes.c_char_p, _Size),
    ),
    "d2i_PUBKEY": (_Pointer, (_Pointer, _Pointers, ctypes.c_long)),
    "d2i_AutoPrivateKey": (_Pointer, (_Pointer, _Pointers, ctypes.c_long)),
    "i2d_PUBKEY": (ctypes.c_int, (_Pointer, _Pointers)),
    "i2d_PrivateKey": (ctypes.c_int, (_Pointer, _Pointers)),
}


class Pkey:
    """A key that libcrypto has read; threads may share it. Raises `Misconfigured` (``crypto.sm2-key``)
    where *der* is none of SM2."""

    def __init__(self, der: bytes, *, private: bool = False) -> None:
        _tried()
        self.pointer = _read(_library(), der, private=private)
        weakref.finalize(self, _library().EVP_PKEY_free, self.pointer)
        # Other curves are read too, and would be used with another algorithm.
        if not self.public_der().startswith(CURVE):
            raise not_a_key()

    def public_der(self) -> bytes:
        """SubjectPublicKeyInfo."""
        return self._written("i2d_PUBKEY")

    def private_der(self) -> bytes:
        """As SEC 1 has it, or as PKCS#8 does."""
        return self._written("i2d_PrivateKey")

    def _written(self, call: str) -> bytes:
        library = _library()
        write = getattr(library, call)
        length = write(self.pointer, None)
        if length <= 0:
            library.ERR_clear_error()
            raise not_a_key()
        out = ctypes.create_string_buffer(length)
        at = ctypes.c_void_p(ctypes.addressof(out))
        write(self.pointer, ctypes.byref(at))
        return out.raw


def sign_digest(key: Pkey, digest: bytes) -> bytes:
    """The signature of *digest*. Raises `Misconfigured` where libcrypto does not sign."""
    library = _library()
    context = library.EVP_PKEY_CTX_new(key.pointer, None)
    try:
        out = ctypes.create_string_buffer(MOST_SIGNATURE_BYTES)
        length = ctypes.c_size_t(MOST_SIGNATURE_BYTES)
        signed = (
            context
            and library.EVP_PKEY_sign_init(context) == 1
            and library.EVP_PKEY_sign(context, out, ctypes.byref(length), digest, len(digest)) == 1
        )
        if not signed:
            library.ERR_clear_error()
            raise _missing("does not sign")
        return out.raw[: length.value]
    finally:
        library.EVP_PKEY_CTX_free(context)


def verify_digest(key: Pkey, digest: bytes, signature: bytes) -> bool:
    """Whether *signature* is *key*'s, of *digest*."""
    return _verified(_library(), key.pointer, digest, signature)


def not_a_key() -> Misconfigured:
    """Of what is no key: says nothing of its content."""
    return Misconfigured("crypto.sm2-key", "Not an SM2 key")


def _read(library: ctypes.CDLL, der: bytes, *, private: bool) -> int:
    """A pointer to the key, to be freed."""
    read = library.d2i_AutoPrivateKey if private else library.d2i_PUBKEY
    held = ctypes.create_string_buffer(der, len(der))
    at = ctypes.c_void_p(ctypes.addressof(held))
    pointer: int | None = read(None, ctypes.byref(at), len(der))
    if not pointer:
        library.ERR_clear_error()
        raise not_a_key()
    # Before 3.0 a key on this curve is taken for one of ECDSA unless told otherwise.
    if hasattr(library, "EVP_PKEY_set_alias_type"):
        library.EVP_PKEY_set_alias_type(ctypes.c_void_p(pointer), ctypes.c_int(NID_SM2))
    return pointer


def _verified(library: ctypes.CDLL, pointer: int, digest: bytes, signature: bytes) -> bool:
    context = library.EVP_PKEY_CTX_new(pointer, None)
    try:
        good = bool(
            context
            and library.EVP_PKEY_verify_init(context) == 1
            and library.EVP_PKEY_verify(context, signature, len(signature), digest, len(digest))
            == 1
        )
        if not good:
            library.ERR_clear_error()
        return good
    finally:
        library.EVP_PKEY_CTX_free(context)


@cache
def _library() -> ctypes.CDLL:
    """Found by its name, or as this system finds libraries."""
    for name in (*NAMES, ctypes.util.find_library("crypto")):
        try:
            library = ctypes.CDLL(name) if name else None
        except OSError:
            continue
        if library is not None:
            return _declared(library)
    raise _missing("is not there")


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    for name, (returned, taken) in _CALLS.items():
        try:
            call = getattr(library, name)
        except AttributeError as error:
            raise _missing(f"has no {name}") from error
        call.restype, call.argtypes = returned, taken
    return library


@cache
def _tried() -> None:
    """The published example holds, and one bit away from it does not."""
    library = _library()
    try:
        pointer = _read(library, CURVE + _POINT, private=False)
    except Misconfigured as error:
        raise _missing("does not know SM2") from error
    try:
        altered = bytes([_DIGEST[0] ^ 1]) + _DIGEST[1:]
        if not _verified(library, pointer, _DIGEST, _SIGNATURE):
            raise _missing("does not verify the standard's example")
        if _verified(library, pointer, altered, _SIGNATURE):
            raise _missing("verifies what was altered")
    finally:
        library.EVP_PKEY_free(pointer)


def _missing(why: str) -> Misconfigured:
    return Misconfigured("crypto.no-sm2", f"The system's libcrypto {why}", why=why)
