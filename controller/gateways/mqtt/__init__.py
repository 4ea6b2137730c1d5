"""The controller's line to the broker: what nodes send goes to ingest, receipts, orders and plans go down."""

from controller.gateways.mqtt.selftest import BrokerReport, probe
from controller.gateways.mqtt.service import MqttGateway

__all__ = ["BrokerReport", "MqttGateway", "probe"]
