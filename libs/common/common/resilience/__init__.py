"""What stands between a caller and an upstream that is slow, ill or gone. `common.http_client` puts the parts together."""
