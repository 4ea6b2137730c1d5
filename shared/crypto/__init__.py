"""Keys and signatures: Ed25519 by PyNaCl."""
