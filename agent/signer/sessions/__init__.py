"""From a request to an answer: decide, debit, have it witnessed, sign, check oneself, answer.

Every step that counts is a row of the ledger before its effect, so a crash anywhere is resumed by the same request: a
known id gets the stored answer, a debited transaction is signed again and not debited again.
"""
