"""The program at the edge, in two roles: `bes agent` runs a mining site, `bes signer` guards keys."""
