"""Keys and signatures (Ed25519 by PyNaCl); certificates for TLS (X.509 by cryptography)."""
