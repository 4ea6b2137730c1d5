"""The handshake's arithmetic against vectors that were made elsewhere."""

import base64
import random
import shutil
import subprocess
from hashlib import sha256

import pytest

from hardware_sims.miners.whatsminer.md5crypt import md5crypt
from hardware_sims.miners.whatsminer.token import TOKEN_LIFE_S, Secret, TokenBook

KEY = "PUrHAtHUhfqvthzb1Kva20"
SIGN = "vZFrXIkWPZ9WlVI4OzT8q0"


def test_key_and_sign():
    assert md5crypt("admin", "Zk3vQp1x") == KEY
    assert md5crypt(KEY + "5626", "m8TyRw2c") == SIGN


def test_cipher():
    secret = Secret("admin", "Zk3vQp1x")
    digest = sha256(secret.key.encode()).hexdigest()
    assert (digest[:8], digest[-8:]) == ("984cc925", "eb787d7a")
    plain = b'{"cmd": "power_off", "respbefore": "true", "token": "%b"}' % SIGN.encode()
    data = base64.b64encode(secret.encrypt(plain)).decode()
    assert data.startswith("rdblgYzYDWC50m7i")
    assert data.endswith("aZUzCYhNA=")
    assert secret.decrypt(base64.b64decode(data)) == plain


@pytest.mark.parametrize("length", [1, 15, 16, 17, 31, 64, 100])
def test_md5crypt_agrees_with_openssl(length):
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl here")
    source = random.Random(length)
    password, salt = ("".join(source.choices("abcXYZ019_", k=n)) for n in (length, 8))
    told = subprocess.run(
        [openssl, "passwd", "-1", "-salt", salt, "-stdin"], input=password, capture_output=True, text=True, check=True
    ).stdout
    assert told.strip() == f"$1${salt}${md5crypt(password, salt)}"


def test_salts_over_eight_bytes_are_cut():
    assert md5crypt("pw", "12345678rest") == md5crypt("pw", "12345678")


class Times:
    def __init__(self) -> None:
        self.now_s = 1_750_005_626.0
        self.uptime_s = 50_000.0


@pytest.fixture
def times() -> Times:
    return Times()


@pytest.fixture
def book(times) -> TokenBook:
    return TokenBook(lambda: times.now_s, lambda: times.uptime_s, random.Random(1))


def test_a_token_is_for_one_address(book):
    token = book.issue("10.0.0.1", "pw")
    assert token.time == "5626"
    assert book.accepts("10.0.0.1", token.sign, "pw")
    assert not book.accepts("10.0.0.2", token.sign, "pw")
    assert not book.accepts("10.0.0.1", SIGN, "pw")


def test_a_token_lives_half_an_hour(book, times):
    token = book.issue("a", "pw")
    times.now_s += TOKEN_LIFE_S - 1
    assert book.accepts("a", token.sign, "pw")
    times.now_s += 1
    assert not book.accepts("a", token.sign, "pw")


def test_a_boot_forgets_tokens(book, times):
    token = book.issue("a", "pw")
    times.now_s, times.uptime_s = times.now_s + 60, 30.0
    assert not book.accepts("a", token.sign, "pw")


def test_a_changed_password_ends_tokens(book):
    token = book.issue("a", "pw")
    assert not book.accepts("a", token.sign, "new")


def test_32_tokens_an_address(book, times):
    assert all(book.issue("a", "pw") for _ in range(32))
    assert book.issue("a", "pw") is None
    assert book.issue("b", "pw") is not None
    times.now_s += TOKEN_LIFE_S
    assert book.issue("a", "pw") is not None
