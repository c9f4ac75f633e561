"""The names under which personal fields are sealed; a text that was sealed under one does not open under another."""

DELIVERY = "delivery"
PAYMENT_TOKEN = "payment_token"
