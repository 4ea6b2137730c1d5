"""How a step of the story says that something is not as it claims."""


class Disproved(Exception):
    """A step's own measurement says that it is not so."""


def require(so: bool, otherwise: str) -> None:
    if not so:
        raise Disproved(otherwise)
