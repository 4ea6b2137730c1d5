"""Hash-rate forwards settled by a difficulty oracle: payouts for every outcome, signed before anything is paid in."""
