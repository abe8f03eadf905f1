#!/usr/bin/env bash
# certificates.sh FOLDER: certificates for the tests of TLS, each NAME.pem with NAME.key:
#   ca, other-ca              who signs
#   server, expired           of a listener, by ca
#   elsewhere                 of a listener at another address, by ca
#   client, expired-client    of peers, by ca
#   foreign-client            of a peer, by other-ca
set -euo pipefail
mkdir -p "$1"
cd "$1"

authority() {
  openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=segmentd test $1" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=keyCertSign \
    -keyout "$1.key" -out "$1.pem" 2>/dev/null
}

# signed NAME AUTHORITY DAYS: of an expired one the days are negative.
signed() {
  local names=${4:-IP:127.0.0.1}
  openssl req -newkey rsa:2048 -nodes -subj "/CN=$1" -keyout "$1.key" -out "$1.csr" 2>/dev/null
  openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" -CAcreateserial -days "$3" \
    -extfile <(echo "subjectAltName=$names") -out "$1.pem" 2>/dev/null
}

authority ca
authority other-ca
signed server ca 30
signed expired ca -1
signed elsewhere ca 30 IP:10.1.2.3,DNS:pacs.example
signed client ca 30
signed expired-client ca -1
signed foreign-client other-ca 30
