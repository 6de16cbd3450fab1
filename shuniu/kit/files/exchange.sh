#!/bin/sh
# 对接枢纽的示例：用 curl 和 openssl（1.1.1 以上）签名推送、查询回执、按授权取数。
# 用法：sh exchange.sh send KIND FILE | receipt ID | fetch [AFTER [LIMIT]] | file [AFTER]
# 取数（fetch、file）时，SHUNIU_SYSTEM 为授权编号，SHUNIU_SECRET 为该授权的密钥；AFTER 为上一次答复中的 after。
# 先设置 SHUNIU_URL、SHUNIU_SYSTEM、SHUNIU_SECRET（见 hub.env 和 keys.md）；约定 SM2 签名时，推送以 SHUNIU_SM2_KEY 所指的私钥文件签名（openssl 3.0 以上）。
# 注意：openssl 的参数里有密钥，同一台机器上的其他用户能在进程列表里看到；正式对接请用程序。
set -eu

hex() { sed 's/^.*[= ]//'; }

sign() {
    if [ "$type" = SM2 ]; then
        openssl dgst -sm3 -sign "$SHUNIU_SM2_KEY" -sigopt "distid:${SHUNIU_SM2_USER_ID:-1234567812345678}" |
            od -An -v -tx1 | tr -d ' \n'
    else
        openssl dgst -sm3 -hmac "$SHUNIU_SECRET" | hex
    fi
}

case "${1:-}" in
    send)
        kind=$2 file=$3 type=HMAC-SM3
        [ -z "${SHUNIU_SM2_KEY:-}" ] || type=SM2
        path="/in/$SHUNIU_SYSTEM/$kind"
        stamp="$(date +%s)000"
        nonce=$(openssl rand -hex 16)
        digest=$(openssl dgst -sm3 "$file" | hex)
        signature=$(printf 'POST\n%s\n\n%s\n%s\n%s\n%s' \
            "$path" "$SHUNIU_SYSTEM" "$stamp" "$nonce" "$digest" | sign)
        curl --silent --show-error --noproxy '*' --max-time 60 --write-out '\n%{http_code}\n' \
            --header 'Content-Type: application/json' \
            --header "X-App-Id: $SHUNIU_SYSTEM" \
            --header "X-Timestamp: $stamp" \
            --header "X-Nonce: $nonce" \
            --header "X-Content-SM3: $digest" \
            --header "X-Sign-Type: $type" \
            --header 'X-Key-Id: 1' \
            --header "X-Signature: $signature" \
            --header "Prefer: wait=${SHUNIU_WAIT:-20}" \
            --data-binary "@$file" "$SHUNIU_URL$path"
        ;;
    fetch | file)
        after=${2:-0}
        if [ "$1" = fetch ]; then
            path="/out/$SHUNIU_SYSTEM/records" query="after=$after&limit=${3:-100}"
        else
            path="/out/$SHUNIU_SYSTEM/file" query="after=$after"
        fi
        stamp="$(date +%s)000"
        nonce=$(openssl rand -hex 16)
        digest=$(printf '' | openssl dgst -sm3 | hex)
        signature=$(printf 'GET\n%s\n%s\n%s\n%s\n%s\n%s' \
            "$path" "$query" "$SHUNIU_SYSTEM" "$stamp" "$nonce" "$digest" |
            openssl dgst -sm3 -hmac "$SHUNIU_SECRET" | hex)
        curl --silent --show-error --fail-with-body --noproxy '*' --max-time 3600 \
            --header "X-App-Id: $SHUNIU_SYSTEM" \
            --header "X-Timestamp: $stamp" \
            --header "X-Nonce: $nonce" \
            --header "X-Content-SM3: $digest" \
            --header 'X-Sign-Type: HMAC-SM3' \
            --header 'X-Key-Id: 1' \
            --header "X-Signature: $signature" \
            "$SHUNIU_URL$path?$query"
        ;;
    receipt)
        curl --silent --show-error --noproxy '*' --max-time 60 --write-out '\n%{http_code}\n' \
            "$SHUNIU_URL/api/receipts/$2"
        ;;
    *)
        sed -n '2,5p' "$0" >&2
        exit 2
        ;;
esac
