"""Loads of requests on a server with many adapters, and their speed."""
