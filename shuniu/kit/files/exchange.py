"""对接枢纽的示例程序：签名推送、查询回执、按授权取数、自检。A partner's client of the hub: standard library only.

Form       python3 exchange.py send KIND FILE [--key KEY] [--wait SECONDS] · receipt ID · check ·
           fetch [--after N] [--limit N] [--subject KEY] · file OUT [--after N]; to fetch, SHUNIU_SYSTEM is the
           grant's number and SHUNIU_SECRET its secret; exit codes: 0 done, 1 refused, 2 wrong use
Speaks to  the hub, named by SHUNIU_URL, SHUNIU_SYSTEM and SHUNIU_SECRET (see hub.env, keys.md); where SM2 was
           agreed, SHUNIU_SM2_KEY names the file of the private key in place of the secret, and the openssl
           command (3.0 or later) signs with it
Careful    the secret is never printed; SM3 is our own where Python's OpenSSL has none
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import secrets
import subprocess
import sys
import time
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlencode
from urllib.request import ProxyHandler, Request, build_opener

__all__ = ["Hub", "hmac_sm3", "main", "sm2", "sm3"]

TIMEOUT_S = 60.0
WINDOW_S = 300.0
BLOCK_BYTES = 64
USER_ID = "1234567812345678"
MASK = 0xFFFFFFFF
START = (
    *(0x7380166F, 0x4914B2B9, 0x172442D7, 0xDA8A0600),
    *(0xA96F30BC, 0x163138AA, 0xE38DEE4D, 0xB0FB0E4E),
)


class Hub:
    """枢纽的接口。*system*：本系统代码；*secret*：共享密钥；*sm2_key*：约定 SM2 签名时，私钥文件。"""

    def __init__(
        self, url: str, system: str, secret: str, sm2_key: str = "", user_id: str = USER_ID
    ) -> None:
        self._sm2_key, self._user_id = sm2_key, user_id
        self._url, self._system, self._secret = url.rstrip("/"), system, secret
        self._http = build_opener(ProxyHandler({}))

    def send(
        self, kind: str, content: bytes, *, key: str = "", wait_s: int = 0
    ) -> tuple[int, object]:
        """推送一条数据，返回状态码和答复。同一个 *key* 只处理一次，失败后可以原样重发。"""
        path = f"/in/{self._system}/{kind}"
        headers = {"Content-Type": "application/json", **self._signed("POST", path, content)}
        if key:
            headers["Idempotency-Key"] = key
        if wait_s:
            headers["Prefer"] = f"wait={wait_s}"
        status, answer, _ = self._ask("POST", path, content, headers)
        return status, answer

    def receipt(self, number: str) -> tuple[int, object]:
        """查询回执。"""
        status, answer, _ = self._ask("GET", f"/api/receipts/{number}", None, {})
        return status, answer

    def records(self, *, after: str = "0", limit: int = 100, subject: str = "") -> tuple[int, Any]:
        """按授权取数：返回状态码和答复，其中 after 是下一次取数的游标。"""
        query = {"after": after, "limit": str(limit), **({"subject": subject} if subject else {})}
        with self._open(f"/out/{self._system}/records", query) as answer:
            return answer.status, _read(answer.read())

    def file(self, out: Path, *, after: str = "0") -> tuple[int, Any]:
        """以文件方式取数，边收边写入 *out*；末行的摘要核对无误才改为正式名称。"""
        part = out.with_name(f"{out.name}.part")
        with self._open(f"/out/{self._system}/file", {"after": after}) as answer:
            if answer.status != 200:
                return answer.status, _read(answer.read())
            digest, end = hashlib.sha256(), {}
            with part.open("wb") as kept:
                for line in answer:
                    if line.startswith(b'{"end":'):
                        end = json.loads(line)["end"]
                        break
                    digest.update(line)
                    kept.write(line)
        if end.get("sha256") != digest.hexdigest():
            part.unlink()
            return 0, "文件不完整或摘要不符，已丢弃，请重新取"
        part.replace(out)
        return 200, end

    def _open(self, path: str, query: dict[str, str]) -> Any:
        headers = self._signed("GET", path, b"", urlencode(sorted(query.items()), quote_via=quote))
        request = Request(f"{self._url}{path}?{urlencode(query, quote_via=quote)}", headers=headers)  # noqa: S310 - the address is the operator's own
        try:
            return self._http.open(request, timeout=TIMEOUT_S)
        except HTTPError as refusal:
            return refusal

    def check(self) -> list[str]:
        """自检：返回发现的问题，没有则为空。不写入任何业务数据。"""
        status, _, date = self._ask("GET", "/api/receipts/self-check", None, {})
        problems = []
        if status != 404:
            problems.append(f"这个地址不像枢纽：查询不存在的回执应得到 404，得到 {status}")
        if date:
            off_s = abs(time.time() - parsedate_to_datetime(date).timestamp())
            if off_s > WINDOW_S:
                problems.append(f"本机时钟与枢纽相差 {off_s:.0f} 秒，不得超过 {WINDOW_S:.0f} 秒")
        # 有意不可读的报文：签名正确时得到 400，签名不正确时得到 401。
        status, _ = self.send("self-check", b"{")
        if status == 401:
            problems.append(
                "签名未通过，请核对 SHUNIU_SYSTEM、密钥（SHUNIU_SECRET 或 SHUNIU_SM2_KEY）和本机时钟"
            )
        elif status == 404:
            problems.append("枢纽没有登记这个系统代码，请核对 SHUNIU_SYSTEM")
        elif status != 400:
            problems.append(f"签名自检应得到 400，得到 {status}")
        return problems

    def _signed(self, method: str, path: str, content: bytes, query: str = "") -> dict[str, str]:
        stamp, nonce = str(int(time.time() * 1000)), secrets.token_hex(16)
        digest = sm3(content)
        lines = (method, path, query, self._system, stamp, nonce, digest)
        text = "\n".join(lines).encode()
        # 按授权取数一律以授权的密钥签名。
        by_key = self._sm2_key and path.startswith("/in/")
        return {
            "X-App-Id": self._system,
            "X-Timestamp": stamp,
            "X-Nonce": nonce,
            "X-Content-SM3": digest,
            "X-Sign-Type": "SM2" if by_key else "HMAC-SM3",
            "X-Key-Id": "1",
            "X-Signature": sm2(self._sm2_key, text, self._user_id)
            if by_key
            else hmac_sm3(self._secret.encode(), text),
        }

    def _ask(
        self, method: str, path: str, content: bytes | None, headers: dict[str, str]
    ) -> tuple[int, object, str]:
        request = Request(self._url + path, data=content, headers=headers, method=method)  # noqa: S310 - the address is the operator's own
        try:
            with self._http.open(request, timeout=TIMEOUT_S) as answer:
                return answer.status, _read(answer.read()), answer.headers.get("Date", "")
        except HTTPError as refusal:
            with refusal:
                return refusal.code, _read(refusal.read()), refusal.headers.get("Date", "")


def _read(content: bytes) -> object:
    try:
        return json.loads(content)
    except ValueError:
        return content.decode("utf-8", "replace")


def sm2(key_file: str, content: bytes, user_id: str = USER_ID) -> str:
    """SM2 签名（GB/T 32918），r、s 相连的十六进制；由 openssl 命令计算，私钥不进入参数和本程序。"""
    command = ["openssl", "dgst", "-sm3", "-sign", key_file, "-sigopt", f"distid:{user_id}"]
    done = subprocess.run(command, input=content, capture_output=True, check=False)  # noqa: S603 - no shell, and the file is the operator's own
    if done.returncode:
        raise SystemExit(f"openssl 不能以 {key_file} 签名：{done.stderr.decode(errors='replace')}")
    r_ends = 4 + done.stdout[3]
    numbers = (done.stdout[4:r_ends], done.stdout[r_ends + 2 :])
    return "".join(f"{int.from_bytes(each, 'big'):064x}" for each in numbers)


def hmac_sm3(key: bytes, content: bytes) -> str:
    """HMAC（RFC 2104），杂凑算法为 SM3；十六进制小写。"""
    if len(key) > BLOCK_BYTES:
        key = bytes.fromhex(sm3(key))
    key = key.ljust(BLOCK_BYTES, b"\0")
    inner = sm3(bytes(each ^ 0x36 for each in key) + content)
    return sm3(bytes(each ^ 0x5C for each in key) + bytes.fromhex(inner))


def sm3(content: bytes) -> str:
    """SM3 摘要（GB/T 32905），十六进制小写。"""
    try:
        return hashlib.new("sm3", content).hexdigest()
    except ValueError:
        return _sm3(content)


def _turned(word: int, bits: int) -> int:
    bits %= 32
    return ((word << bits) | (word >> (32 - bits))) & MASK if bits else word


def _sm3(content: bytes) -> str:
    length = len(content) * 8
    content += b"\x80" + b"\0" * ((55 - len(content)) % 64) + length.to_bytes(8, "big")
    state: tuple[int, ...] = START
    for start in range(0, len(content), 64):
        state = _compressed(state, content[start : start + 64])
    return "".join(f"{each:08x}" for each in state)


def _compressed(state: tuple[int, ...], block: bytes) -> tuple[int, ...]:
    words = [int.from_bytes(block[n : n + 4], "big") for n in range(0, 64, 4)]
    for n in range(16, 68):
        mixed = words[n - 16] ^ words[n - 9] ^ _turned(words[n - 3], 15)
        mixed ^= _turned(mixed, 15) ^ _turned(mixed, 23)
        words.append(mixed ^ _turned(words[n - 13], 7) ^ words[n - 6])
    a, b, c, d, e, f, g, h = state
    for n in range(64):
        turned = _turned(0x79CC4519 if n < 16 else 0x7A879D8A, n)
        first = _turned((_turned(a, 12) + e + turned) & MASK, 7)
        second = first ^ _turned(a, 12)
        chosen = a ^ b ^ c if n < 16 else (a & b) | (a & c) | (b & c)
        other = e ^ f ^ g if n < 16 else (e & f) | (~e & MASK & g)
        left = (chosen + d + second + (words[n] ^ words[n + 4])) & MASK
        right = (other + h + first + words[n]) & MASK
        a, b, c, d = left, a, _turned(b, 9), c
        e, f, g, h = right ^ _turned(right, 9) ^ _turned(right, 17), e, _turned(f, 19), g
    return tuple(old ^ new for old, new in zip(state, (a, b, c, d, e, f, g, h)))  # noqa: B905 - of partners' older Pythons


def main(arguments: list[str]) -> int:
    """按命令行办理；返回退出码。"""
    parser = argparse.ArgumentParser(description="对接枢纽：推送、查询回执、取数、自检")
    commands = parser.add_subparsers(dest="command", required=True)
    send = commands.add_parser("send", help="推送一条数据")
    send.add_argument("kind", help="数据种类，见对接指南")
    send.add_argument("file", type=Path, help="JSON 文件，UTF-8 编码")
    send.add_argument("--key", default="", help="幂等键")
    send.add_argument("--wait", type=int, default=0, help="等待处理结果的秒数，至多 30")
    commands.add_parser("receipt", help="查询回执").add_argument("number")
    fetch = commands.add_parser("fetch", help="按授权取数（接口方式）")
    fetch.add_argument("--limit", type=int, default=100, help="至多多少条，不超过 500")
    fetch.add_argument("--subject", default="", help="只取这个业务主键的")
    file = commands.add_parser("file", help="按授权取数（文件方式）")
    file.add_argument("out", type=Path, help="存为这个文件：每行一条 JSON")
    for each in (fetch, file):
        each.add_argument("--after", default="0", help="上一次答复中的 after；首次为 0")
    commands.add_parser("check", help="自检")
    wanted = parser.parse_args(arguments)
    settings = [os.environ.get(f"SHUNIU_{name}", "") for name in ("URL", "SYSTEM", "SECRET")]
    sm2_key = os.environ.get("SHUNIU_SM2_KEY", "")
    user_id = os.environ.get("SHUNIU_SM2_USER_ID", "") or USER_ID
    if not all(settings[:2]) or not (settings[2] or sm2_key):
        print(
            "请先设置 SHUNIU_URL、SHUNIU_SYSTEM 和 SHUNIU_SECRET（约定 SM2 签名时为 SHUNIU_SM2_KEY），"
            "见 hub.env 和 keys.md",
            file=sys.stderr,
        )
        return 2
    try:
        return _done(Hub(settings[0], settings[1], settings[2], sm2_key, user_id), wanted)
    except FileNotFoundError as error:
        print(f"没有这个文件：{error.filename}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"连接不上枢纽，请核对 SHUNIU_URL 和网络：{error}", file=sys.stderr)
        return 1


def _done(hub: Hub, wanted: argparse.Namespace) -> int:
    if wanted.command == "check":
        problems = hub.check()
        print("\n".join(problems) or "自检通过：地址、时钟、签名都正确。")
        return 1 if problems else 0
    if wanted.command == "send":
        content = wanted.file.read_bytes()
        status, answer = hub.send(wanted.kind, content, key=wanted.key, wait_s=wanted.wait)
    elif wanted.command == "fetch":
        status, answer = hub.records(after=wanted.after, limit=wanted.limit, subject=wanted.subject)
    elif wanted.command == "file":
        status, answer = hub.file(wanted.out, after=wanted.after)
    else:
        status, answer = hub.receipt(wanted.number)
    print(json.dumps({"status": status, "answer": answer}, ensure_ascii=False, indent=2))
    return 0 if status in (200, 202) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
