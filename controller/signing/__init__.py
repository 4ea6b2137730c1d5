"""BiSCOL, the money door: the one way in which coins leave a contract."""
