#!/bin/sh
# Makes the certificates of the conformance suite anew, valid for 100 years: a CA, what it signed (server, client),
# and a client certificate that nobody trusts; a second CA, and what it signed that has expired or is not valid yet; a third
# CA, and the certificates of two agents, one of them with names of each kind. With an argument it makes the agents' alone.
# The CA's key is not kept. The keys are test keys, and public.
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

dated() { # name, first and last instant
  openssl req -new -key dated.key -subj "/CN=localhost" > "$scratch/request"
  printf '[ca]\ndefault_ca=d\n[d]\ndatabase=%s/index\nserial=%s/serial\nnew_certs_dir=%s\n' "$scratch" "$scratch" "$scratch" > "$scratch/config"
  printf 'default_md=sha256\npolicy=p\nunique_subject=no\n[p]\ncommonName=supplied\n' >> "$scratch/config"
  openssl ca -batch -notext -config "$scratch/config" -cert dated-ca.crt -keyfile dated.key -startdate "$2" -enddate "$3" \
    -extfile "$extensions" -in "$scratch/request" -out "$1.crt"
}

extensions=$(mktemp)
scratch=$(mktemp -d)
trap 'rm -rf "$extensions" "$scratch" ca.key agents-ca.key' EXIT

issued() { # name, subject, further options of openssl ca: valid from 2020 on
  key "$1"
  : > "$scratch/index"
  openssl rand -hex 16 > "$scratch/serial"
  printf '[ca]\ndefault_ca=d\n[d]\ndatabase=%s/index\nserial=%s/serial\nnew_certs_dir=%s\n' "$scratch" "$scratch" "$scratch" > "$scratch/config"
  printf 'default_md=sha256\npolicy=p\nunique_subject=no\n[p]\norganizationName=optional\ncommonName=supplied\n' >> "$scratch/config"
  openssl req -new -key "$1.key" -subj "$2" > "$scratch/request"
  certificate="$1.crt"
  shift 2
  openssl ca -batch -notext -preserveDN -config "$scratch/config" -startdate 20200101000000Z -enddate 21200101000000Z \
    -extfile "$extensions" -extensions v -in "$scratch/request" -out "$certificate" "$@"
}

agents() {
  printf '[v]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n' > "$extensions"
  issued agents-ca "/CN=Hawser agents CA" -selfsign -keyfile agents-ca.key
  # A URI with a comma and what reads like another name: some runtimes' texts do not keep the two apart.
  printf '[v]\nextendedKeyUsage=clientAuth\nsubjectAltName=@names\n[names]\nURI.1="spiffe://desk/agent, DNS:admin.example"\n' > "$extensions"
  printf 'DNS.1=one.agents.example\nemail.1=one@agents.example\nIP.1=10.0.0.1\nIP.2=2001:db8::1\nRID.1=1.2.3.4\n' >> "$extensions"
  issued agent-one "/O=Desk/O=Agents, Inc./CN=agent one" -cert agents-ca.crt -keyfile agents-ca.key
  printf '[v]\nextendedKeyUsage=clientAuth\n' > "$extensions"
  issued agent-two "/O=Desk/CN=agent two" -cert agents-ca.crt -keyfile agents-ca.key
}

agents
[ $# -eq 0 ] || exit 0

selfsigned ca "Hawser test CA" "keyUsage=critical,keyCertSign,cRLSign"
printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n' > "$extensions"
signed server localhost "$extensions"
printf 'extendedKeyUsage=clientAuth\n' > "$extensions"
signed client "Hawser test client" "$extensions"
selfsigned untrusted "Nobody's client" "extendedKeyUsage=clientAuth"

selfsigned dated "Hawser dated CA" "keyUsage=critical,keyCertSign,cRLSign"
mv dated.crt dated-ca.crt
: > "$scratch/index"
echo 01 > "$scratch/serial"
printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n' > "$extensions"
dated expired 20200101000000Z 20210101000000Z
dated future 21000101000000Z 21100101000000Z
