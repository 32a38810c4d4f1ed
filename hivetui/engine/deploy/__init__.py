"""Deploying an approved commit in durable steps."""
