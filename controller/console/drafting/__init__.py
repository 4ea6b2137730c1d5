"""Forms of the treasury as data: what a treasurer is asked, field by field, and what is wrong in plain words."""
