"""SM2: the standard's example, what must be refused, the forms of keys, and the openssl command as a judge."""

from __future__ import annotations

import ctypes
import resource
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hub.crypto import libcrypto
from hub.crypto.sm2 import USER_ID, Sm2PrivateKey, Sm2PublicKey, new_key, sign, verify
from schemas.errors import Misconfigured

# GB/T 32918.5-2017, annex A.2.
NUMBER = "3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8"
X = "09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020"
Y = "CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13"
MESSAGE = b"message digest"
R = "F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3"
S = "B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA"
ORDER = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
PUBLIC = Sm2PublicKey.read(X + Y)
SIGNATURE = bytes.fromhex(R + S)
FIELD = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF


def thirty_two(number: int) -> bytes:
    return number.to_bytes(32, "big")


def flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_the_standards_example_verifies() -> None:
    """Published r and s, of the published message, key and user id; and its private key has that public one."""
    assert "1234567812345678" == USER_ID
    assert verify(PUBLIC, MESSAGE, SIGNATURE)
    assert PUBLIC == Sm2PrivateKey.read(NUMBER).public


def test_every_bit_counts() -> None:
    """Of the content, of r and of s: one flipped, and it is nobody's signature."""
    of_content = [
        n for n in range(8 * len(MESSAGE)) if verify(PUBLIC, flipped(MESSAGE, n), SIGNATURE)
    ]
    of_numbers = [n for n in range(8 * 64) if verify(PUBLIC, MESSAGE, flipped(SIGNATURE, n))]

    assert [] == of_content
    assert [] == of_numbers


@pytest.mark.parametrize("number", [0, ORDER, ORDER + 1, 2**256 - 1])
def test_numbers_outside_the_range_are_refused(number: int) -> None:
    """GB/T 32918.2, 7.1: both lie between 1 and n - 1."""
    assert not verify(PUBLIC, MESSAGE, thirty_two(number) + SIGNATURE[32:])
    assert not verify(PUBLIC, MESSAGE, SIGNATURE[:32] + thirty_two(number))


def test_numbers_that_cancel_out_are_refused() -> None:
    """GB/T 32918.2, 7.1: r + s must not be 0 modulo n."""
    r = int.from_bytes(SIGNATURE[:32], "big")

    assert not verify(PUBLIC, MESSAGE, SIGNATURE[:32] + thirty_two(ORDER - r))


def test_another_key_another_name_another_length() -> None:
    """None of them makes the example somebody else's, and what is cut or longer is no signature."""
    assert not verify(new_key().public, MESSAGE, SIGNATURE)
    assert not verify(PUBLIC, MESSAGE, SIGNATURE, "ALICE123@YAHOO.COM")
    assert not verify(PUBLIC, MESSAGE, SIGNATURE, "")
    assert [] == [n for n in range(64) if verify(PUBLIC, MESSAGE, SIGNATURE[:n])]
    assert not verify(PUBLIC, MESSAGE, SIGNATURE + b"\0")


def test_der_is_verified_in_its_one_form() -> None:
    """As the openssl command makes it; the same numbers written otherwise are refused."""
    der = bytes.fromhex(f"3046022100{R}022100{S}")

    assert verify(PUBLIC, MESSAGE, der)
    assert not verify(PUBLIC, MESSAGE, bytes.fromhex(f"304702220000{R}022100{S}"))
    assert not verify(PUBLIC, MESSAGE, bytes.fromhex(f"30440220{R}0220{S}"))
    assert not verify(PUBLIC, MESSAGE, bytes.fromhex(f"308146022100{R}022100{S}"))
    assert not verify(PUBLIC, MESSAGE, der + b"\0")
    assert [] == [n for n in range(len(der)) if verify(PUBLIC, MESSAGE, der[:n])]
    assert [] == [n for n in range(8 * len(der)) if verify(PUBLIC, MESSAGE, flipped(der, n))]


def test_what_is_signed_verifies_and_no_two_signatures_are_alike() -> None:
    """The number drawn for each must never come twice: with two of them anybody has the private key."""
    private = new_key()

    made = [sign(private, MESSAGE, "partner") for _ in range(50)]

    assert {64} == {len(each) for each in made}
    assert all(verify(private.public, MESSAGE, each, "partner") for each in made)
    assert 50 == len({each[:32] for each in made})
    assert not verify(private.public, MESSAGE, made[0])


@pytest.mark.parametrize("text", [X + Y, f"04{X}{Y}", f" {X.lower()}{Y.lower()}\n"])
def test_public_keys_in_hexadecimal(text: str) -> None:
    """With and without the leading 04, which the coordinates may also begin with."""
    assert Sm2PublicKey.read(text) == PUBLIC
    assert f"04{X}{Y}".lower() == PUBLIC.hex


def test_a_coordinate_that_begins_with_04_keeps_it() -> None:
    """Who strips 04 from what has none loses a byte of the key."""
    keys = (new_key().public for _ in range(20_000))
    key = next(each for each in keys if each.point[0] == 4)

    assert key == Sm2PublicKey.read(key.point.hex()) == Sm2PublicKey.read(key.hex)


def test_keys_in_pem_come_back() -> None:
    """PKCS#8 and SubjectPublicKeyInfo."""
    private = new_key()

    assert private == Sm2PrivateKey.read(private.pem) == Sm2PrivateKey.read(private.hex)
    assert private.public == Sm2PublicKey.read(private.public.pem)
    assert private.public == Sm2PrivateKey.read(private.pem).public


@pytest.mark.parametrize(
    "text",
    [
        "",
        "stands-in",
        X + Y[:-2],
        f"03{X}{Y}",
        X + X,
        "00" * 64,
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
        "-----BEGIN PUBLIC KEY-----\nA\n-----END PUBLIC KEY-----",
    ],
)
def test_what_is_no_public_key_is_refused(text: str) -> None:
    """Cut, compressed, or not on the curve."""
    with pytest.raises(Misconfigured) as caught:
        Sm2PublicKey.read(text)

    assert "crypto.sm2-key" == caught.value.code


@pytest.mark.parametrize(
    "text", ["", NUMBER[:-2], "0" * 64, f"{ORDER - 1:064x}", f"{ORDER:064x}", "f" * 64]
)
def test_what_is_no_private_key_is_refused(text: str) -> None:
    """GB/T 32918.1, 6.1: from 1 to n - 2; and the refusal does not quote it."""
    with pytest.raises(Misconfigured) as caught:
        Sm2PrivateKey.read(text)

    assert "crypto.sm2-key" == caught.value.code
    assert not text or text not in repr((caught.value, caught.value.facts))


def test_a_private_key_does_not_show() -> None:
    """In `repr`, which logs and tracebacks use."""
    private = Sm2PrivateKey.read(NUMBER)

    assert NUMBER.lower() not in repr(private).lower()
    assert repr(private.number) not in repr(private)


def openssl(*arguments: object) -> bytes:
    return subprocess.run(
        ["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=60
    ).stdout


needs_openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl command")


@needs_openssl
@pytest.mark.parametrize("user_id", [USER_ID, "ALICE123@YAHOO.COM"])
def test_the_openssl_command_agrees(tmp_path: Path, user_id: str) -> None:
    """It verifies what we sign with its key, and we verify what it signs; its own digest of the name."""
    key, public, content, made = (tmp_path / name for name in ("key", "public", "content", "made"))
    openssl("genpkey", "-algorithm", "SM2", "-out", key)
    openssl("pkey", "-in", key, "-pubout", "-out", public)
    content.write_bytes(MESSAGE)
    how = ("-sm3", "-sigopt", f"distid:{user_id}")
    private = Sm2PrivateKey.read(key.read_text())

    theirs = openssl("dgst", *how, "-sign", key, content)
    ours = sign(private, MESSAGE, user_id)
    made.write_bytes(as_der(ours))

    assert Sm2PublicKey.read(public.read_text()) == private.public
    assert verify(private.public, MESSAGE, theirs, user_id)
    assert b"OK" in openssl("dgst", *how, "-verify", public, "-signature", made, content)
    assert b"-----BEGIN" in openssl("pkey", "-in", written(tmp_path / "own", new_key().pem))


@needs_openssl
def test_keys_of_other_curves_are_refused(tmp_path: Path) -> None:
    """They are read by the same call, and would sign with another algorithm."""
    key, public = tmp_path / "key", tmp_path / "public"
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
    openssl("pkey", "-in", key, "-pubout", "-out", public)

    for read, file in ((Sm2PrivateKey.read, key), (Sm2PublicKey.read, public)):
        with pytest.raises(Misconfigured) as caught:
            read(file.read_text())
        assert "crypto.sm2-key" == caught.value.code


def written(file: Path, text: str) -> Path:
    file.write_text(text)
    return file


def as_der(raw: bytes) -> bytes:
    """By the rules of X.690, apart from ours."""
    numbers = b""
    for half in (raw[:32], raw[32:]):
        short = half.lstrip(b"\0")
        short = b"\0" + short if short[0] & 0x80 else short
        numbers += bytes([2, len(short)]) + short
    return bytes([0x30, len(numbers)]) + numbers


def resident_kib() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() // 1024


def test_memory_stays_flat() -> None:
    """Thousands of good and bad ones, each of which allocates in C: a pointer that is not freed shows."""
    bad = flipped(SIGNATURE, 5)

    def verified(times: int) -> int:
        for n in range(times):
            verify(PUBLIC, MESSAGE, bad if n % 2 else SIGNATURE)
        for _ in range(times // 20):
            Sm2PublicKey.read(X + Y)
        return resident_kib()

    before_kib = verified(2000)

    # A context has some 150 bytes and what it holds: 6,000 of them are 1,200 KiB and more.
    assert verified(6_000) - before_kib < 1000


def test_threads_share_a_key() -> None:
    """Each call has a context of its own."""

    def right(n: int) -> bool:
        good = n % 2 == 0
        return verify(PUBLIC, MESSAGE, SIGNATURE if good else flipped(SIGNATURE, n % 512)) is good

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(right, range(400)))


def test_nothing_is_left_in_the_queue_of_errors() -> None:
    """Python's `ssl` has the same queue: what we leave there breaks a connection that is all right."""
    library = ctypes.CDLL(libcrypto._library()._name)
    library.ERR_peek_error.restype = ctypes.c_ulong

    verify(PUBLIC, MESSAGE, flipped(SIGNATURE, 1))
    for text in (X + X, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"):
        with pytest.raises(Misconfigured):
            Sm2PublicKey.read(text)

    assert 0 == library.ERR_peek_error()


def test_where_libcrypto_is_not_there_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """What to install; nothing weaker takes its place."""
    monkeypatch.setattr(libcrypto, "NAMES", ("libcrypto-of-nobody.so",))
    monkeypatch.setattr("ctypes.util.find_library", lambda _: None)
    libcrypto._library.cache_clear()
    libcrypto._tried.cache_clear()
    try:
        with pytest.raises(Misconfigured) as caught:
            Sm2PublicKey.read(X + Y)
    finally:
        libcrypto._library.cache_clear()
        libcrypto._tried.cache_clear()

    assert "crypto.no-sm2" == caught.value.code
