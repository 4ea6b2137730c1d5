"""Messages between nodes and the controller, and the bytes that they travel as. MQTT topics in `topics`."""
