"""Metrics of reconstruction and generation."""
