"""One MQTT session for both ends: reconnects for ever, tells silence from life, never raises into the network thread.

A connection is used once: a new one starts with nothing queued and nothing owed, so that a message id can never be
taken for one of an older connection. What must survive a lost connection is kept by our own lanes, not by MQTT.
"""

from shared.mqtt.message import Endpoint, Message, Subscription, Will
from shared.mqtt.session import MqttSession
from shared.mqtt.settings import MqttSettings, TlsSettings

__all__ = ["Endpoint", "Message", "MqttSession", "MqttSettings", "Subscription", "TlsSettings", "Will"]
