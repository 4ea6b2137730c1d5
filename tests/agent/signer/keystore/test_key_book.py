import msgspec
import pytest
from nacl.signing import SigningKey

from agent.signer.keystore import HsmKey, HsmKeys, Token
from agent.signer.keystore.key_book import KeyBook, opened, sealed, written
from shared.crypto.keys import key_id
from shared.errors import KeyUnsafe, SignatureInvalid

BOX_KEY = SigningKey(b"\x05" * 32)
BOXES = {key_id(BOX_KEY.verify_key): BOX_KEY.verify_key}


@pytest.fixture
def keys(token: Token) -> HsmKeys:
    return HsmKeys(token)


@pytest.fixture
def book(keys: HsmKeys, token: Token) -> KeyBook:
    made = [keys.generate(f"a{number}", f"bes-a{number}") for number in range(3)]
    return written(keys, made, "box-a", token.address.serial)


def test_the_book_of_a_token_proves_each_of_its_keys(keys: HsmKeys, book: KeyBook) -> None:
    assert opened(sealed(book, BOX_KEY), BOXES) == book
    assert [HsmKey(key.key_id, key.public_key) for key in book.keys] == keys.all_in_token()


def test_a_key_that_was_not_opened_is_not_written_down(token: Token) -> None:
    HsmKeys(token).generate("a1", "bes-a1")
    with pytest.raises(KeyUnsafe):
        written(HsmKeys(token), [HsmKey("a1", b"\x02" * 33)], "box-a", token.address.serial)


def test_a_book_sealed_by_a_stranger_is_refused(book: KeyBook) -> None:
    with pytest.raises(SignatureInvalid):
        opened(sealed(book, SigningKey.generate()), BOXES)


def test_a_key_that_is_not_the_boxs_does_not_prove_itself(book: KeyBook) -> None:
    first, second, third = book.keys
    swapped = msgspec.structs.replace(first, public_key=second.public_key)
    other_id = msgspec.structs.replace(first, key_id="00" * 8)
    for keys in ((swapped, third), (other_id, second), (first, first)):
        with pytest.raises(SignatureInvalid):
            opened(sealed(msgspec.structs.replace(book, keys=keys), BOX_KEY), BOXES)
    with pytest.raises(SignatureInvalid):
        opened(sealed(msgspec.structs.replace(book, box_id="box-b"), BOX_KEY), BOXES)
