"""The TLS socket under paho."""

import socket
import ssl


class TlsSocket(ssl.SSLSocket):
    """Closes itself when its handshake fails, which paho leaves to the garbage collector. `shutdown` ends the
    connection below TLS, so that a thread that is reading finds its end and not a missing TLS object.
    """

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise

    def shutdown(self, how: int) -> None:
        socket.socket.shutdown(self, how)
