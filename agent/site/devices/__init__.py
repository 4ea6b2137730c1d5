"""What a miner, a meter and a PDU are to us: frozen readings and the ports that drivers fill. No input or output."""
