#!/bin/sh
# Makes the certificates of ../client-certificates.test.ts anew: an authority, a server, a client, and a client whose name
# tries to pass for another. Valid for a hundred years; the keys protect nothing.
set -eu
cd "$(dirname "$0")"
issue() { # name, subject, subject alternative names
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key.pem" -out "$1.csr" -subj "$2" 2>/dev/null
  printf 'subjectAltName=%s\n%s' "$3" "${4:-}" > "$1.ext"
  openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key.pem -days 36500 -out "$1.pem" -extfile "$1.ext" 2>/dev/null
  rm "$1.csr" "$1.ext"
}
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key.pem -out ca.pem -days 36500 -subj "/CN=Test authority" 2>/dev/null
issue server "/CN=localhost" "DNS:localhost"
issue client "/O=Swift Logistics/CN=gateway" "DNS:gateway.swift.example,URI:spiffe://swift/gateway"
issue impostor "/CN=impostor" "@names" "[names]
URI.1=http://evil.example/, DNS:gateway.swift.example"
rm -f ca.key.pem ca.srl
