import msgspec
import pytest
from nacl.signing import SigningKey

from agent.signer.keystore import HsmKeys, Token
from agent.signer.keystore.key_book import KeyBook, opened, pinned, sealed, stock
from shared.crypto.keys import key_id
from shared.errors import SignatureInvalid

BOX_KEY = SigningKey(b"\x05" * 32)
BOXES = {key_id(BOX_KEY.verify_key): BOX_KEY.verify_key}


@pytest.fixture
def keys(token: Token) -> HsmKeys:
    return HsmKeys(token)


@pytest.fixture
def book(keys: HsmKeys, token: Token) -> KeyBook:
    return stock(keys, KeyBook("box-a", token.address.serial, ()), 3)


def test_a_stock_of_keys_proves_itself(keys: HsmKeys, book: KeyBook, token: Token) -> None:
    more = stock(keys, book, 2)
    assert opened(sealed(more, BOX_KEY), BOXES) == more
    assert more.keys[:3] == book.keys
    assert sorted(pinned(more), key=lambda key: key.key_id) == keys.all_in_token()
    HsmKeys(token).open(pinned(more))


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
