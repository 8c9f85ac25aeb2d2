#!/bin/sh
# Makes the certificates of the conformance suite anew, valid for 100 years: a CA, what it signed (server, client),
# and a client certificate that nobody trusts. The CA's key is not kept. The keys are test keys, and public.
set -eu
cd "$(dirname "$0")"
days=36525

key() {
  openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out "$1.key"
}

signed() { # name, subject, extensions
  key "$1"
  openssl req -new -key "$1.key" -subj "/CN=$2" |
    openssl x509 -req -CA ca.crt -CAkey ca.key -days "$days" -sha256 -extfile "$3" -out "$1.crt"
}

selfsigned() { # name, subject, extensions as -addext
  key "$1"
  openssl req -x509 -new -key "$1.key" -subj "/CN=$2" -days "$days" -sha256 -addext "$3" -out "$1.crt"
}

extensions=$(mktemp)
trap 'rm -f "$extensions" ca.key' EXIT

selfsigned ca "Hawser test CA" "keyUsage=critical,keyCertSign,cRLSign"
printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n' > "$extensions"
signed server localhost "$extensions"
printf 'extendedKeyUsage=clientAuth\n' > "$extensions"
signed client "Hawser test client" "$extensions"
selfsigned untrusted "Nobody's client" "extendedKeyUsage=clientAuth"
