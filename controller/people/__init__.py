"""Who may see and order what: users, roles, sessions and tokens for programs.

Passwords are kept as argon2id, session and program tokens as SHA-256 of 256 random bits. Active sessions live in
memory too, so that every click and every frame of a socket can be checked without waiting; a revoked session ends at
once, wherever it is open.
"""
