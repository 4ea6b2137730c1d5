"""The type system of BIP-379: correctness, malleability and mixing of time locks, as a set of properties per fragment.

A type is a set of letters: one of `BVKW`, the modifiers `z o n d u`, the malleability properties `s f e`, and
`m` every satisfaction can be made non-malleable
`x` a VERIFY after this script takes a byte of its own
`g h i j` holds a relative time, relative height, absolute time, absolute height lock
`k` no path needs a height and a time lock of the same kind
"""

from collections.abc import Callable, Sequence

from shared.bitcoin.miniscript.fragment import Context, Fragment

LETTERS = "BVKWzondusfemxghijk"
Type = int

_BIT = {letter: 1 << place for place, letter in enumerate(LETTERS)}


def letters(text: str) -> Type:
    """The set of these properties."""
    bits = 0
    for letter in text:
        bits |= _BIT[letter]
    return bits


def text(kind: Type) -> str:
    return "".join(letter for letter in LETTERS if kind & _BIT[letter])


def has(kind: Type, properties: Type) -> bool:
    return kind & properties == properties


_KINDS = letters("BVKW")
_BKV = letters("BKV")
_LOCKS = letters("ghij")
_SEQUENCE_TIME = 1 << 22
_FIRST_TIME = 500_000_000

_B, _V, _K, _W, _Z, _O, _N, _D, _U, _S, _F, _E, _M, _X, _G, _H, _I, _J, _UNMIXED = (_BIT[letter] for letter in LETTERS)
_BD, _BDU, _BO, _BN, _VZ, _WD, _WDU = (letters(text) for text in ("Bd", "Bdu", "Bo", "Bn", "Vz", "Wd", "Wdu"))

_LEAVES = {
    Fragment.FALSE: letters("Bzudesmxk"),
    Fragment.TRUE: letters("Bzufmxk"),
    Fragment.PK_K: letters("Konudesmxk"),
    Fragment.PK_H: letters("Knudesmxk"),
    Fragment.SHA256: letters("Bonudmk"),
    Fragment.HASH256: letters("Bonudmk"),
    Fragment.RIPEMD160: letters("Bonudmk"),
    Fragment.HASH160: letters("Bonudmk"),
    Fragment.MULTI: letters("Bnudesmk"),
    Fragment.MULTI_A: letters("Budesmk"),
}


def is_time(fragment: Fragment, number: int) -> bool:
    """Does this lock count seconds rather than blocks (BIP-68, BIP-65)?"""
    return bool(number & _SEQUENCE_TIME) if fragment is Fragment.OLDER else number >= _FIRST_TIME


def leaf_type(fragment: Fragment, number: int) -> Type:
    """The type of a fragment without subexpressions; `number` is the value of a lock."""
    if fragment is Fragment.OLDER:
        return letters("Bzfmxk") | (_G if is_time(fragment, number) else _H)
    if fragment is Fragment.AFTER:
        return letters("Bzfmxk") | (_I if is_time(fragment, number) else _J)
    return _LEAVES[fragment]


# What each argument must be, by position; an empty set of alternatives asks for nothing.
_REQUIRED: dict[Fragment, tuple[tuple[Type, ...], ...]] = {
    Fragment.ANDOR: ((_BDU,), (_B, _K, _V), (_B, _K, _V)),
    Fragment.AND_V: ((_V,), (_B, _K, _V)),
    Fragment.AND_B: ((_B,), (_W,)),
    Fragment.OR_B: ((_BD,), (_WD,)),
    Fragment.OR_C: ((_BDU,), (_V,)),
    Fragment.OR_D: ((_BDU,), (_B,)),
    Fragment.OR_I: ((_B, _K, _V), (_B, _K, _V)),
    Fragment.A: ((_B,),),
    Fragment.S: ((_BO,),),
    Fragment.C: ((_K,),),
    Fragment.D: ((_VZ,),),
    Fragment.V: ((_B,),),
    Fragment.J: ((_BN,),),
    Fragment.N: ((_B,),),
}
_SAME_KIND = {Fragment.ANDOR: (1, 2), Fragment.OR_I: (0, 1)}


def mismatch(fragment: Fragment, subs: Sequence[Type]) -> tuple[int, tuple[Type, ...]] | None:
    """The first argument (from 0) of a type that the fragment does not take, and what it takes; None where all fit."""
    required = ((_BDU,), *(((_WDU,),) * (len(subs) - 1))) if fragment is Fragment.THRESH else _REQUIRED[fragment]
    for place, alternatives in enumerate(required):
        kind = subs[place]
        for wanted in alternatives:
            if kind & wanted == wanted:
                break
        else:
            return place, alternatives
    if fragment in _SAME_KIND:
        first, second = _SAME_KIND[fragment]
        if not subs[first] & subs[second] & _KINDS:
            return second, (subs[first] & _KINDS,)
    return None


def combined_type(fragment: Fragment, subs: Sequence[Type], threshold: int, context: Context) -> Type:
    """The type of a fragment whose arguments fit (`mismatch` said None)."""
    if fragment is Fragment.THRESH:
        return _thresh(subs, threshold)
    if len(subs) == 1:
        return _wrapped(fragment, subs[0], context)
    return _COMBINED[fragment](*subs)


def _when(condition: bool, kind: Type) -> Type:
    return kind if condition else 0


def _mixes(x: Type, y: Type) -> bool:
    """Do both hold locks of the same kind, one by height and one by time?"""
    return any((x & one and y & other) or (x & other and y & one) for one, other in ((_G, _H), (_I, _J)))


def _locks(*subs: Type) -> Type:
    held = 0
    for kind in subs:
        held |= kind & _LOCKS
    return held


def _unmixed_and(x: Type, y: Type) -> Type:
    return _when(not _mixes(x, y), x & y & _UNMIXED)


def _and_v(x: Type, y: Type) -> Type:
    return (
        (y & (_BKV | _U | _X))
        | (x & _N)
        | _when(has(x, _Z), y & _N)
        | _when(bool((x | y) & _Z), (x | y) & _O)
        | (x & y & (_Z | _D | _M))
        | ((x | y) & _S)
        | _when(has(y, _F) or has(x, _S), _F)
        | _locks(x, y)
        | _unmixed_and(x, y)
    )


def _and_b(x: Type, y: Type) -> Type:
    forced = has(x & y, _F) or has(x, _S | _F) or has(y, _S | _F)
    return (
        (_B | _U | _X)
        | (x & _N)
        | _when(has(x, _Z), y & _N)
        | _when(bool((x | y) & _Z), (x | y) & _O)
        | (x & y & (_D | _Z | _M))
        | _when(has(x & y, _S), x & y & _E)
        | ((x | y) & _S)
        | _when(forced, _F)
        | _locks(x, y)
        | _unmixed_and(x, y)
    )


def _or_b(x: Type, z: Type) -> Type:
    return (
        (_B | _D | _U | _X)
        | _when(bool((x | z) & _Z), (x | z) & _O)
        | _when(has(x | z, _S) and has(x & z, _E), x & z & _M)
        | (x & z & (_Z | _S | _E | _UNMIXED))
        | _locks(x, z)
    )


def _or_else(x: Type, z: Type) -> Type:
    """What or_c and or_d share: Z runs only where X was dissatisfied."""
    return (
        _when(has(z, _Z), x & _O)
        | _when(has(x, _E) and has(x | z, _S), x & z & _M)
        | (x & z & (_Z | _S | _UNMIXED))
        | _X
        | _locks(x, z)
    )


def _or_c(x: Type, z: Type) -> Type:
    return _V | _F | _or_else(x, z)


def _or_d(x: Type, z: Type) -> Type:
    return _B | (z & (_U | _F | _D | _E)) | _or_else(x, z)


def _or_i(x: Type, z: Type) -> Type:
    return (
        (x & z & (_BKV | _U | _F | _S | _UNMIXED))
        | _when(has(x & z, _Z), _O)
        | _when(has(x | z, _F), (x | z) & _E)
        | _when(has(x | z, _S), x & z & _M)
        | ((x | z) & _D)
        | _X
        | _locks(x, z)
    )


def _andor(x: Type, y: Type, z: Type) -> Type:
    first_decides = has(x, _S) or has(y, _F)
    return (
        (y & z & (_BKV | _U))
        | (x & y & z & _Z)
        | _when(has(x | (y & z), _Z), (x | (y & z)) & _O)
        | (z & _D)
        | _when(first_decides, z & (_F | _E))
        | _when(has(x, _E) and has(x | y | z, _S), x & y & z & _M)
        | (z & (x | y) & _S)
        | _X
        | _locks(x, y, z)
        | _when(not _mixes(x, y), x & y & z & _UNMIXED)
    )


_COMBINED: dict[Fragment, Callable[..., Type]] = {
    Fragment.ANDOR: _andor,
    Fragment.AND_V: _and_v,
    Fragment.AND_B: _and_b,
    Fragment.OR_B: _or_b,
    Fragment.OR_C: _or_c,
    Fragment.OR_D: _or_d,
    Fragment.OR_I: _or_i,
}

_KEPT = {
    Fragment.A: letters("dusfem"),
    Fragment.S: letters("dusfemx"),
    Fragment.C: letters("ondfem"),
    Fragment.D: letters("ms"),
    Fragment.V: letters("zonms"),
    Fragment.J: letters("oums"),
    Fragment.N: letters("zondsfem"),
}
_GAINED = {
    Fragment.A: letters("Wx"),
    Fragment.S: letters("W"),
    Fragment.C: letters("Bus"),
    Fragment.D: letters("Bondx"),
    Fragment.V: letters("Vfx"),
    Fragment.J: letters("Bndx"),
    Fragment.N: letters("Bux"),
}


def _wrapped(fragment: Fragment, x: Type, context: Context) -> Type:
    kind = (x & (_KEPT[fragment] | _LOCKS | _UNMIXED)) | _GAINED[fragment]
    if fragment in (Fragment.D, Fragment.J):
        kind |= _when(has(x, _F), _E)
    if fragment is Fragment.D and context is Context.TAPSCRIPT:
        kind |= _U  # MINIMALIF is consensus there, so that the element that DUP leaves is exactly 1
    return kind


def _thresh(subs: Sequence[Type], threshold: int) -> Type:
    every = ~0
    held = 0
    unmixed = True
    for kind in subs:
        every &= kind
        unmixed = unmixed and not (threshold > 1 and _mixes(held, kind))
        held |= kind & _LOCKS
    unsigned = sum(not has(kind, _S) for kind in subs)
    one_argument = sum(has(kind, _O) for kind in subs) == 1 and sum(has(kind, _Z) for kind in subs) == len(subs) - 1
    return (
        (_B | _D | _U)
        | (every & _Z)
        | _when(one_argument, _O)
        | _when(has(every, _E) and unsigned == 0, _E)
        | _when(has(every, _E | _M) and unsigned <= threshold, _M)
        | _when(unsigned <= threshold - 1, _S)
        | held
        | _when(unmixed, every & _UNMIXED)
    )
