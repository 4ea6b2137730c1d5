"""JSON over a miner's web interface."""

from agent.site.drivers.miners.reply import Row, document
from agent.site.transports.http import HttpReply
from shared.errors import AuthFailed, ProtocolViolation, Rejected, Unsupported


def accepted(reply: HttpReply, asked: str) -> bytes:
    """The body of a success, else the error that the status stands for."""
    if 200 <= reply.status < 300:
        return reply.body
    if reply.status in (401, 403):
        raise AuthFailed(f"{asked}: status {reply.status}: the device lets nobody in from here or with this login")
    if reply.status in (404, 405, 501):
        raise Unsupported(f"{asked}: status {reply.status}: this firmware has no such request")
    if 400 <= reply.status < 500:
        raise Rejected(f"{asked}: status {reply.status}: {reply.body[:120].decode('ascii', 'replace')}")
    raise ProtocolViolation(f"{asked}: status {reply.status}")


def web_document(reply: HttpReply, asked: str) -> Row:
    return document(accepted(reply, asked), asked)
