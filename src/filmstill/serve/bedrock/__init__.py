"""Bedrock's own API over HTTP, generated from the service models that botocore ships."""
